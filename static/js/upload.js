// Dropping, preview and progress for file fields; without this script the form is simply sent.
"use strict";

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
  const bar = form.querySelector(".upload-progress");
  const request = new XMLHttpRequest();
  request.open("POST", form.action || window.location.href);
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
  request.addEventListener("error", () => failed("The upload was interrupted. Your text and files are still here: try again."));
  request.addEventListener("load", () => {
    const target = request.getResponseHeader("X-Location");
    if (target) { window.location.assign(target); return; }
    if (request.status === 413) { failed("These files are larger together than this site accepts. Remove some and save again."); return; }
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const fresh = [...page.querySelectorAll("form[data-upload]")].find((other) => other.getAttribute("action") === form.getAttribute("action"));
    if (!fresh) { failed("Something went wrong on our side. Your text and files are still here: try again."); return; }
    const notes = page.querySelectorAll(".flash");
    form.replaceWith(fresh);
    for (const note of notes) if (!fresh.contains(note)) fresh.before(note);
    start(fresh);
    (fresh.querySelector(".problem, .alert-danger, .flash") || fresh).scrollIntoView({ block: "center" });
  });
  request.send(new FormData(form));
}

function start(form) {
  for (const root of form.querySelectorAll("[data-drop]")) dropZone(root);
  for (const root of form.querySelectorAll("[data-chips]")) if (!root.querySelector(".chips-box")) window.dispatchEvent(new CustomEvent("chips", { detail: root }));
  form.addEventListener("submit", (event) => sendWithProgress(form, event));
}

for (const form of document.querySelectorAll("form")) if (form.querySelector("[data-drop]")) start(form);
