// Dropping, preview and progress for file fields; without this script the form is simply sent.
"use strict";

const FAULT = "Something went wrong on our side. Your text and files are still here: try again.";

function readable(bytes) { // as the filter `size` says it
  let amount = bytes;
  for (const unit of ["bytes", "KB", "MB", "GB"]) {
    if (amount < 1000 || unit === "GB") return `${unit === "bytes" || amount >= 10 ? Math.round(amount) : amount.toFixed(1)} ${unit}`;
    amount /= 1024;
  }
}

function preview(root) {
  const input = root.querySelector("input[type=file][multiple]");
  const list = root.querySelector("[data-chosen]");
  const limit = Number(root.dataset.limit); // MiB
  list.replaceChildren(...[...input.files].map((file) => {
    const item = document.createElement("li");
    item.className = "upload-file";
    if (/^image\/(jpeg|png|gif|webp)$/.test(file.type)) {
      const picture = document.createElement("img");
      picture.alt = "";
      picture.src = URL.createObjectURL(file);
      picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
      picture.addEventListener("error", () => picture.remove(), { once: true }); // no picture, whatever its name says
      item.append(picture);
    }
    const name = document.createElement("span");
    name.className = "upload-name";
    const size = document.createElement("small");
    size.textContent = ` ${readable(file.size)}`;
    name.append(file.name, size);
    if (file.size > limit * 2 ** 20) {
      const problem = document.createElement("p");
      problem.className = "problem";
      problem.setAttribute("role", "alert");
      problem.textContent = `Larger than ${limit} MB: it would be refused.`;
      name.append(problem);
    }
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "quiet";
    remove.textContent = "×";
    remove.setAttribute("aria-label", `Do not attach ${file.name}`);
    remove.addEventListener("click", () => {
      const rest = new DataTransfer();
      for (const other of input.files) if (other !== file) rest.items.add(other);
      input.files = rest.files;
      preview(root);
    });
    item.append(name, remove);
    return item;
  }));
  list.hidden = !input.files.length;
}

function dropZone(root) {
  const input = root.querySelector("input[type=file][multiple]");
  input.addEventListener("change", () => preview(root));
  const area = root.closest("form") || root; // a file dropped anywhere on the form is meant for it
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  area.addEventListener("dragenter", (event) => { if (carriesFiles(event)) { depth += 1; root.classList.add("dropping"); } });
  area.addEventListener("dragleave", (event) => { if (carriesFiles(event) && --depth <= 0) { depth = 0; root.classList.remove("dropping"); } });
  area.addEventListener("dragover", (event) => { if (carriesFiles(event)) event.preventDefault(); });
  area.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    root.classList.remove("dropping");
    const all = new DataTransfer();
    for (const file of [...input.files, ...event.dataTransfer.files]) all.items.add(file);
    input.files = all.files;
    const folded = root.closest("details");
    if (folded) folded.open = true;
    preview(root);
  });
}

// Send a form with files by XMLHttpRequest, which alone reports progress; show the page that comes back.
function sendWithProgress(form, event) {
  const files = [...form.querySelectorAll("input[type=file]")].some((input) => input.files.length);
  if (!files || event.defaultPrevented || form.dataset.sent) return;
  event.preventDefault();
  form.dataset.sent = "1";
  send(form, event.submitter);
}

function send(form, submitter, hasNewToken = false) {
  const bar = form.querySelector(".upload-progress");
  const request = new XMLHttpRequest();
  // by the attributes: a field called "action" hides the property, and formAction is never empty
  request.open("POST", submitter?.getAttribute("formaction") || form.getAttribute("action") || window.location.href);
  request.setRequestHeader("X-Upload", "1");
  if (bar) request.upload.addEventListener("progress", (sent) => {
    bar.hidden = false;
    if (sent.lengthComputable) bar.value = (100 * sent.loaded) / sent.total;
  });
  const failed = (text) => {
    delete form.dataset.sent;
    if (bar) bar.hidden = true;
    let note = form.querySelector("[data-upload-problem]");
    if (!note) {
      note = document.createElement("p");
      note.className = "problem";
      note.setAttribute("role", "alert");
      note.setAttribute("data-upload-problem", "");
      form.querySelector(".upload").append(note);
    }
    note.textContent = text;
  };
  const interrupted = () => failed("The upload was interrupted. Your text and files are still here: try again.");
  request.addEventListener("error", interrupted);
  request.addEventListener("load", () => {
    const target = request.getResponseHeader("X-Location");
    const toLogin = target && new URL(target, window.location).pathname.endsWith("/login/");
    if (target && !toLogin) { window.location.assign(target); return; }
    if (request.status === 413) { failed("These files are larger together than this site accepts. Remove some and save again."); return; }
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const main = page.querySelector("main");
    if (!toLogin && (request.status >= 500 || !main)) { failed(FAULT); return; }
    if (toLogin || (request.status === 400 && !main.querySelector("[data-drop]") && !hasNewToken)) {
      renewToken(form).then((problem) => { if (problem) failed(problem); else send(form, submitter, true); }, interrupted);
      return;
    }
    if (main.querySelector("[data-drop]")) { show(page, form); return; }
    const reason = main.querySelector(".error-page p:not(.error-status)");
    failed(`${reason ? reason.textContent : "This was not saved."} Your text and files are still here.`);
  });
  request.send(new FormData(form, submitter));
}

// A session that ended in another tab took the form's token with it; return what keeps the form from being sent again.
async function renewToken(form) {
  const answer = await fetch(window.location.href);
  if (answer.status >= 500) return FAULT;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const account = (of) => of.querySelector(".topbar-user summary")?.getAttribute("aria-label");
  if (!account(page)) return "You were logged out. Log in in another tab, then save again: your text and files are still here.";
  if (account(page) !== account(document)) return "Somebody else is logged in now. Log in as yourself in another tab, then save again.";
  form.querySelector("[name=csrf_token]").value = page.querySelector("[name=csrf_token]").value;
  return "";
}

function show(page, form) {
  const alike = (other) => other.dataset.upload === form.dataset.upload && other.getAttribute("action") === form.getAttribute("action");
  const fresh = [...page.querySelectorAll("form[data-upload]")].find(alike);
  const shown = fresh || page.querySelector("main"); // such as the page that rescues the text of a deleted todo
  const notes = [...page.querySelectorAll(".flash")].filter((note) => !shown.contains(note));
  for (const old of document.querySelectorAll("main .flash")) old.remove();
  if (fresh) form.replaceWith(fresh);
  else { document.querySelector("main").replaceWith(shown); document.title = page.title; }
  for (const note of notes) shown.before(note);
  start(shown);
  const problem = notes[0] || shown.querySelector(".problem, .alert-danger, .flash") || shown;
  problem.tabIndex = -1; // what had the focus is gone
  problem.focus({ preventScroll: true });
  problem.scrollIntoView({ block: "center" });
}

function start(root) {
  for (const area of root.querySelectorAll("[data-drop]")) dropZone(area);
  for (const chips of root.querySelectorAll("[data-chips]")) if (!chips.querySelector(".chips-box")) window.dispatchEvent(new CustomEvent("chips", { detail: chips }));
  for (const form of root.matches("form") ? [root] : root.querySelectorAll("form")) {
    if (form.querySelector("[data-drop]")) form.addEventListener("submit", (event) => sendWithProgress(form, event));
  }
}

start(document.body);
