// Keep a job's page up to date until the job ends.
"use strict";

const box = document.querySelector("[data-job]");

async function look() {
  let wait = 1000;
  try {
    const answer = await fetch(box.dataset.job, { headers: { Accept: "application/json" } });
    if ([401, 403, 404].includes(answer.status)) { window.location.reload(); return; } // logged out, or gone
    if (!answer.ok) throw new Error(String(answer.status));
    const job = await answer.json();
    if (job.final) { window.location.reload(); return; }
    box.querySelector("[data-job-status]").textContent = job.status[0].toUpperCase() + job.status.slice(1);
    box.querySelector("[data-job-status]").className = `status status-${job.status}`;
    const progress = box.querySelector("[data-job-progress]");
    if (job.total) {
      progress.max = job.total;
      progress.value = job.done;
      box.querySelector("[data-job-count]").textContent = `${job.done.toLocaleString("en")} of ${job.total.toLocaleString("en")}`;
    }
  } catch {
    wait = 5000;
  }
  window.setTimeout(look, document.hidden ? 5000 : wait);
}

if (box) window.setTimeout(look, 400);
