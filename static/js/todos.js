// Tick a todo in place; without this script the form is simply sent.
"use strict";

for (const form of document.querySelectorAll("form[data-tick]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    if (form.dataset.busy) return; // not disabled: that would take the focus away
    form.dataset.busy = "1";
    try {
      const answer = await fetch(form.action, {
        method: "POST", body: new FormData(form), headers: { Accept: "application/json" }, redirect: "manual",
      });
      if (!answer.ok) throw new Error(String(answer.status));
      const { complete } = await answer.json();
      form.closest("[data-todo]").classList.toggle("complete", complete);
      button.setAttribute("aria-pressed", String(complete));
      form.elements.complete.value = complete ? "0" : "1";
      delete form.dataset.busy;
    } catch {
      form.submit(); // the page that comes back says what is wrong
    }
  });
}
