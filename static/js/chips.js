// Names in a text field - of people, of tags - become chips with search as you type; the field itself is what is sent.
"use strict";

function chipsField(root) {
  const field = root.querySelector("input");
  const known = new Map([...root.querySelectorAll("data")].map((item) => [item.value, { label: item.textContent, colour: item.dataset.colour }]));
  const single = "single" in root.dataset;
  const box = document.createElement("div");
  box.className = "chips-box";
  const typing = field.cloneNode();
  typing.removeAttribute("name");
  typing.value = "";
  typing.setAttribute("role", "combobox");
  typing.setAttribute("aria-expanded", "false");
  typing.setAttribute("aria-autocomplete", "list");
  const menu = document.createElement("ul");
  menu.className = "chips-menu";
  menu.id = `${field.id}-menu`;
  menu.setAttribute("role", "listbox");
  menu.setAttribute("aria-label", root.dataset.chips);
  menu.hidden = true;
  typing.setAttribute("aria-controls", menu.id);
  field.removeAttribute("id");
  field.type = "hidden";
  box.append(typing, menu);
  root.append(box);

  let chosen = field.value.split(/[,;\n]/).map((name) => name.trim()).filter(Boolean);
  let found = [];
  let marked = -1;
  let moved = false; // by the arrow keys
  let timer = 0;
  let asked = 0;

  function draw() {
    for (const chip of box.querySelectorAll(".chip")) chip.remove();
    for (const value of chosen) {
      const { label = value, colour = "" } = known.get(value) || {};
      const chip = document.createElement("span");
      chip.className = colour ? `chip tag-${colour}` : "chip";
      chip.textContent = label;
      chip.title = value;
      const remove = document.createElement("button");
      remove.type = "button";
      remove.textContent = "×";
      remove.setAttribute("aria-label", `Remove ${label}`);
      remove.addEventListener("click", () => { chosen = chosen.filter((other) => other !== value); draw(); typing.focus(); });
      chip.append(remove);
      box.insertBefore(chip, typing);
    }
    write();
    typing.placeholder = chosen.length ? "" : field.placeholder;
  }

  function write() { // what was typed but not chosen is sent too, so that the server can say what is wrong with it
    field.value = [...chosen, typing.value.trim()].filter(Boolean).join(", ");
  }

  function take(item) {
    known.set(item.value, item);
    if (single) chosen = [];
    if (!chosen.some((value) => same(value, item.value))) chosen.push(item.value);
    typing.value = "";
    close();
    draw();
  }

  function same(one, other) { return one.toLowerCase() === other.toLowerCase(); }

  function typed() { return typing.value.replace(/[,;]/g, " ").trim().replace(/\s+/g, " "); }

  function close() {
    menu.hidden = true;
    marked = -1;
    typing.setAttribute("aria-expanded", "false");
    typing.removeAttribute("aria-activedescendant");
  }

  function show() {
    menu.replaceChildren(...found.map((option, index) => {
      const item = document.createElement("li");
      item.id = `${menu.id}-${index}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(index === marked));
      const label = document.createElement("span");
      label.textContent = option.label;
      if (option.colour) label.className = `tag tag-${option.colour}`;
      const hint = document.createElement("small");
      hint.textContent = option.hint || "";
      item.append(...(option.made ? [hint, " ", label] : [label, " ", hint]));
      item.addEventListener("mousedown", (event) => { event.preventDefault(); take(option); });
      return item;
    }));
    menu.hidden = found.length === 0;
    typing.setAttribute("aria-expanded", String(!menu.hidden));
    if (marked >= 0) typing.setAttribute("aria-activedescendant", `${menu.id}-${marked}`);
    else typing.removeAttribute("aria-activedescendant");
  }

  async function ask() {
    const query = typing.value.trim();
    const mine = ++asked;
    if (!query) { close(); return; }
    const url = new URL(root.dataset.lookup, window.location.href);
    url.searchParams.set("q", query);
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" } });
      const items = answer.ok ? await answer.json() : [];
      if (mine !== asked) return; // a later question was asked meanwhile
      found = items.filter((item) => !chosen.some((value) => same(value, item.value)));
      const name = typed();
      if (root.dataset.new && name && ![...items.map((item) => item.value), ...chosen].some((value) => same(value, name))) {
        found.unshift({ value: name, label: name, hint: root.dataset.new, made: true });
      } // what exists by this very name comes first, else what was typed: Enter never takes a longer word
      else if (root.dataset.new) found.sort((one, other) => same(other.value, name) - same(one.value, name));
      marked = found.length ? 0 : -1;
      moved = false;
      show();
    } catch { close(); }
  }

  typing.addEventListener("input", () => { write(); clearTimeout(timer); timer = setTimeout(ask, 150); });
  typing.addEventListener("blur", close);
  typing.addEventListener("keydown", (event) => {
    if (event.key === "Backspace" && !typing.value) { chosen.pop(); draw(); }
    const ready = menu.hidden || !(moved || same(found[marked].value, typed())); // the menu may be that of an earlier letter
    if (root.dataset.new && typed() && (event.key === "," || (event.key === "Enter" && ready))) {
      event.preventDefault();
      take({ value: typed(), label: typed() });
      return;
    }
    if (menu.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      moved = true;
      marked = (marked + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
      show();
    } else if (event.key === "Enter" || event.key === "Tab") {
      event.preventDefault();
      take(found[marked]);
    } else if (event.key === "Escape") close();
  });
  draw();
}

for (const root of document.querySelectorAll("[data-chips]")) chipsField(root);
window.addEventListener("chips", (event) => chipsField(event.detail)); // a form that upload.js put in place
