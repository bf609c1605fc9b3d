// Keep the bell up to date without reloading, and mark what is opened as read.
"use strict";

const bell = document.querySelector("[data-bell]");
const SECONDS = 20;

function ring(unread) {
  const text = unread > 99 ? "99+" : String(unread);
  bell.querySelector("[data-unread]").textContent = unread ? text : "";
  bell.setAttribute("aria-label", unread ? `Notifications, ${text} unread` : "Notifications");
}

async function listen() {
  if (document.hidden) return;
  try {
    const answer = await fetch(bell.dataset.bell, { headers: { Accept: "application/json" } });
    if (answer.ok) ring((await answer.json()).unread);
  } catch {
    // the next turn tries again
  }
}

for (const row of document.querySelectorAll(".notification.unread")) {
  const form = row.querySelector("[data-read]");
  row.querySelector("p a")?.addEventListener("click", () => {
    fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" }, keepalive: true });
  });
}

if (bell) {
  window.setInterval(listen, SECONDS * 1000);
  document.addEventListener("visibilitychange", listen);
}
