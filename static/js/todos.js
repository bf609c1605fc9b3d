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
      const { complete, version, title } = await answer.json();
      const row = form.closest("[data-todo]");
      row.classList.toggle("complete", complete);
      row.querySelector(".todo-title").textContent = title; // somebody may have changed it meanwhile
      for (const field of row.querySelectorAll("input[name=version]")) field.value = version;
      const choose = row.querySelector("input.choose");
      choose.value = `${choose.value.split(":")[0]}:${version}`;
      button.setAttribute("aria-pressed", String(complete));
      form.elements.complete.value = complete ? "0" : "1";
      delete form.dataset.busy;
    } catch {
      form.submit(); // the page that comes back says what is wrong
    }
  });
}
