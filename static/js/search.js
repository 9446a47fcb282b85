// The search over everything: suggestions under the field while one types. Without this script the form leads to its page.
import { announce, icon, texts } from "./page.js";

const PAUSE = 160;
const form = document.querySelector(".topbar form.search");
const field = form?.querySelector('input[name="search"]');

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content);
  return made;
}

function build() {
  const list = element("div", "lookup-list search-list");
  list.id = "search-list";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", form.getAttribute("aria-label"));
  for (const [key, value] of Object.entries({
    role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list", "aria-controls": list.id, autocomplete: "off", spellcheck: "false",
  })) field.setAttribute(key, value);
  form.append(list);
  return list;
}

function start() {
  const list = build();
  let timer;
  let asking = new AbortController();
  const options = () => [...list.querySelectorAll("[role=option]")];
  const marked = () => list.querySelector('[aria-selected="true"]');

  function close() {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function mark(option) {
    marked()?.setAttribute("aria-selected", "false");
    field.removeAttribute("aria-activedescendant");
    if (!option) return;
    option.setAttribute("aria-selected", "true");
    field.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  function option(url, ...content) {
    const made = element("a", "search-option", ...content);
    made.href = url;
    made.tabIndex = -1;
    made.setAttribute("role", "option");
    made.setAttribute("aria-selected", "false");
    return made;
  }

  /** How a client is characterized, where that is worth a badge. */
  function badges({ badge }) {
    if (!badge) return [];
    const made = element("span", badge.class, icon(badge.icon), element("span", "", badge.label));
    made.dataset.badge = badge.code;
    made.title = badge.title;
    return [made];
  }

  function lines({ label, icon: name, hits, all }) {
    const group = element("div", "", element("div", "search-kind", icon(name), label));
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    group.append(...hits.map((hit) => option(hit.url, element("span", "muted", `#${hit.id}`), element("span", "search-label", hit.label), ...badges(hit), element("span", "muted search-note", hit.note))));
    if (all) group.append(option(all.url, element("span", "", all.label)));
    return group;
  }

  function show(groups) {
    list.replaceChildren(...groups.map(lines));
    if (!groups.length) list.append(element("div", "none", texts.nothing_found));
    options().forEach((each, place) => { each.id = `search-option-${place}`; });
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    announce(groups.length ? texts.found.replace("{n}", groups.reduce((sum, group) => sum + group.hits.length, 0)) : texts.nothing_found);
  }

  async function ask() {
    asking.abort();
    asking = new AbortController();
    const address = new URL("suggest.json", form.action);
    address.searchParams.set("search", field.value.trim());
    const answer = await fetch(address, { headers: { Accept: "application/json" }, signal: asking.signal, redirect: "error" });
    if (answer.ok && document.activeElement === field) show(await answer.json());
  }
  const quietly = () => ask().catch((error) => { if (error.name !== "AbortError") close(); });

  field.addEventListener("input", () => {
    clearTimeout(timer);
    if (field.value.trim()) timer = setTimeout(quietly, PAUSE);
    else {
      asking.abort();
      close();
    }
  });
  field.addEventListener("keydown", (event) => {
    const all = options();
    const here = all.indexOf(marked());
    if (event.key === "ArrowDown" && list.hidden && field.value.trim()) quietly();
    else if (event.key === "ArrowDown") mark(all[here + 1] ?? all[0]);
    else if (event.key === "ArrowUp") mark(here < 0 ? all.at(-1) : all[here - 1]);
    else if (event.key === "Enter" && !list.hidden && marked()) marked().click();
    else if (event.key === "Escape" && !list.hidden) close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  // The field keeps the focus, so that the list is still there when the click arrives.
  list.addEventListener("pointerdown", (event) => event.preventDefault());
  field.addEventListener("blur", () => {
    clearTimeout(timer);
    asking.abort();
    close();
  });
}

if (field) start();
