// Usernames in a text field become chips with search as you type; the field itself is what is sent.
"use strict";

function peopleField(root) {
  const field = root.querySelector("input");
  const names = new Map([...root.querySelectorAll("data")].map((item) => [item.value, item.textContent]));
  const single = "single" in root.dataset;
  const box = document.createElement("div");
  box.className = "people-box";
  const typing = field.cloneNode();
  typing.removeAttribute("name");
  typing.value = "";
  typing.setAttribute("role", "combobox");
  typing.setAttribute("aria-expanded", "false");
  typing.setAttribute("aria-autocomplete", "list");
  const menu = document.createElement("ul");
  menu.className = "people-menu";
  menu.id = `${field.id}-menu`;
  menu.setAttribute("role", "listbox");
  menu.setAttribute("aria-label", "People");
  menu.hidden = true;
  typing.setAttribute("aria-controls", menu.id);
  field.removeAttribute("id");
  field.type = "hidden";
  box.append(typing, menu);
  root.append(box);

  let chosen = field.value.split(/[,;\n]/).map((name) => name.trim()).filter(Boolean);
  let found = [];
  let marked = -1;
  let timer = 0;
  let asked = 0;

  function draw() {
    for (const chip of box.querySelectorAll(".chip")) chip.remove();
    for (const username of chosen) {
      const chip = document.createElement("span");
      chip.className = "chip";
      chip.textContent = names.get(username) || username;
      chip.title = username;
      const remove = document.createElement("button");
      remove.type = "button";
      remove.textContent = "×";
      remove.setAttribute("aria-label", `Remove ${names.get(username) || username}`);
      remove.addEventListener("click", () => { chosen = chosen.filter((name) => name !== username); draw(); typing.focus(); });
      chip.append(remove);
      box.insertBefore(chip, typing);
    }
    write();
    typing.placeholder = chosen.length ? "" : field.placeholder;
  }

  function write() { // what was typed but not chosen is sent too, so that the server can say what is wrong with it
    field.value = [...chosen, typing.value.trim()].filter(Boolean).join(", ");
  }

  function take(person) {
    names.set(person.username, person.name);
    if (single) chosen = [];
    if (!chosen.includes(person.username)) chosen.push(person.username);
    typing.value = "";
    close();
    draw();
  }

  function close() {
    menu.hidden = true;
    marked = -1;
    typing.setAttribute("aria-expanded", "false");
    typing.removeAttribute("aria-activedescendant");
  }

  function show() {
    menu.replaceChildren(...found.map((person, index) => {
      const item = document.createElement("li");
      item.id = `${menu.id}-${index}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", String(index === marked));
      const username = document.createElement("small");
      username.textContent = ` ${person.username}`;
      item.append(person.name, username);
      item.addEventListener("mousedown", (event) => { event.preventDefault(); take(person); });
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
      const people = answer.ok ? await answer.json() : [];
      if (mine !== asked) return; // a later question was asked meanwhile
      found = people.filter((person) => !chosen.includes(person.username));
      marked = found.length ? 0 : -1;
      show();
    } catch { close(); }
  }

  typing.addEventListener("input", () => { write(); clearTimeout(timer); timer = setTimeout(ask, 150); });
  typing.addEventListener("blur", close);
  typing.addEventListener("keydown", (event) => {
    if (event.key === "Backspace" && !typing.value) { chosen.pop(); draw(); }
    if (menu.hidden) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      marked = (marked + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
      show();
    } else if (event.key === "Enter" || event.key === "Tab") {
      event.preventDefault();
      take(found[marked]);
    } else if (event.key === "Escape") close();
  });
  draw();
}

for (const root of document.querySelectorAll("[data-people]")) peopleField(root);
window.addEventListener("people", (event) => peopleField(event.detail)); // a form that upload.js put in place
