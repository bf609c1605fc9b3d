// Small comforts of every form: no second submit, the browser's time zone, one checkbox for all.
"use strict";

document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = (event.submitter && event.submitter.dataset.confirm) || form.dataset.confirm;
  if (question && !window.confirm(question)) { event.preventDefault(); return; }
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "1";
  // a page that comes back with the Back button may be sent again
  window.addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
});

for (const input of document.querySelectorAll("[data-time-zone]")) {
  if (!input.value || input.value === "UTC") input.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

for (const form of document.querySelectorAll("form[data-guess-time-zone]")) {
  form.elements.time_zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } }).catch(() => {}); // the next page asks again
}

for (const all of document.querySelectorAll("[data-choose-all]")) {
  (all.closest("label[hidden]") || all).hidden = false; // nothing would come of it without this script
  all.addEventListener("change", () => {
    for (const one of document.querySelectorAll(`input[type=checkbox][name="${all.dataset.chooseAll}"]`)) one.checked = all.checked;
  });
}

// a menu closes when one clicks elsewhere or presses Escape
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll(".topbar-user[open], .menu-more[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll(".topbar-user[open], .menu-more[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
});

// who edits their own text of a stale form means to keep it
document.addEventListener("input", (event) => {
  const mine = event.target.closest("[data-mine]");
  if (mine && event.target.type !== "radio") mine.querySelector("input[type=radio]").checked = true;
});

// a row of tabs that is wider than a phone begins where one is
for (const tab of document.querySelectorAll(".tabs .active, .admin-nav [aria-current], .admin-presets [aria-current]")) {
  const row = tab.parentElement;
  const left = tab.getBoundingClientRect().left - row.getBoundingClientRect().left;
  row.scrollLeft += left - (row.clientWidth - tab.offsetWidth) / 2;
}
