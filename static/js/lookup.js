// A code with a look-up: the field keeps the code for the server, one beside it searches by name.
// The address answers [[id, label], …] to ?query=…; without this script the field takes the code itself.
import { announce, texts } from "./page.js";

const PAUSE = 180;
let number = 0;

function build(holder) {
  const code = holder.querySelector("input");
  const name = code.cloneNode();
  const list = document.createElement("ul");
  const id = `lookup-${(number += 1)}`;
  code.type = "hidden";
  code.removeAttribute("id");
  name.removeAttribute("name");
  name.type = "text";
  name.value = holder.dataset.lookupLabel || code.value;
  for (const [key, value] of Object.entries({
    role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": id, autocomplete: "off", spellcheck: "false",
  })) name.setAttribute(key, value);
  list.id = id;
  list.className = "lookup-list";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", texts.found.replace("{n}", "").trim());
  holder.append(name, list);
  return { code, name, list };
}

function start(holder) {
  const { code, name, list } = build(holder);
  let timer;
  let asked = 0;
  let chosen = name.value;

  const options = () => [...list.querySelectorAll("[role=option]")];
  const marked = () => list.querySelector('[aria-selected="true"]');

  function close() {
    list.hidden = true;
    name.setAttribute("aria-expanded", "false");
    name.removeAttribute("aria-activedescendant");
  }

  function mark(option) {
    marked()?.setAttribute("aria-selected", "false");
    if (!option) return;
    option.setAttribute("aria-selected", "true");
    name.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  function choose(option) {
    code.value = option.dataset.value;
    chosen = name.value = option.textContent;
    code.dispatchEvent(new Event("change", { bubbles: true }));
    close();
  }

  function show(found) {
    list.replaceChildren(...found.map(([value, label], index) => {
      const option = document.createElement("li");
      option.id = `${list.id}-${index}`;
      option.dataset.value = value;
      option.textContent = label;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      return option;
    }));
    if (!found.length) {
      const none = document.createElement("li");
      none.className = "none";
      none.textContent = texts.nothing_found;
      list.append(none);
    }
    list.hidden = false;
    name.setAttribute("aria-expanded", "true");
    announce(found.length ? texts.found.replace("{n}", found.length) : texts.nothing_found);
  }

  async function ask() {
    const turn = (asked += 1);
    const address = new URL(holder.dataset.lookupUrl, location.href);
    address.searchParams.set("query", name.value.trim());
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (turn === asked && answer.ok) show(await answer.json());
  }

  name.addEventListener("input", () => {
    clearTimeout(timer);
    // What is typed counts as a code until one of the answers is chosen, so that a known code needs no choosing.
    code.value = name.value.trim();
    if (name.value.trim()) timer = setTimeout(() => ask().catch(close), PAUSE);
    else close();
  });
  name.addEventListener("keydown", (event) => {
    const all = options();
    const here = all.indexOf(marked());
    if (event.key === "ArrowDown" && list.hidden) ask().catch(close);
    else if (event.key === "ArrowDown") mark(all[Math.min(here + 1, all.length - 1)]);
    else if (event.key === "ArrowUp") mark(all[Math.max(here - 1, 0)]);
    else if (event.key === "Enter" && !list.hidden && marked()) choose(marked());
    else if (event.key === "Escape" && !list.hidden) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  list.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    const option = event.target.closest("[role=option]");
    if (option) choose(option);
  });
  name.addEventListener("blur", () => {
    clearTimeout(timer);
    asked += 1;
    close();
    if (name.value === chosen || !code.value) chosen = name.value;
  });
}

for (const holder of document.querySelectorAll("[data-lookup-url]")) start(holder);
