// A long form in tabs, and the choice between two people's values. Without this script all parts stand one under another.
import { icon } from "./page.js";

// ---- parts of a form as tabs ----

const wrong = (part) => part.querySelector("[aria-invalid=true], .field-error") !== null;

function startTabs(form) {
  const parts = [...form.querySelectorAll(":scope > .form-section")].filter((part) => part.querySelector("h2"));
  if (parts.length < 2) return;
  const bar = document.createElement("div");
  bar.className = "tabs form-tabs";
  bar.setAttribute("role", "tablist");
  bar.setAttribute("aria-label", form.dataset.tabs);
  const tabs = parts.map((part, number) => {
    const tab = document.createElement("button");
    part.id ||= `form-part-${number + 1}`;
    tab.type = "button";
    tab.id = `${part.id}-tab`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", part.id);
    tab.append(part.querySelector("h2").textContent);
    if (wrong(part)) {
      const said = document.createElement("span");
      said.className = "visually-hidden";
      said.textContent = `: ${form.dataset.hasError}`;
      tab.className = "wrong";
      tab.append(icon("alert-circle"), said);
    }
    part.setAttribute("role", "tabpanel");
    part.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => open(part));
    return tab;
  });

  function open(chosen) {
    parts.forEach((part, number) => {
      part.hidden = part !== chosen;
      tabs[number].setAttribute("aria-selected", String(part === chosen));
      tabs[number].tabIndex = part === chosen ? 0 : -1;
    });
    tabs[parts.indexOf(chosen)].scrollIntoView?.({ block: "nearest", inline: "nearest" });
  }

  bar.addEventListener("keydown", (event) => {
    const here = tabs.indexOf(document.activeElement);
    const next = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (here < 0 || next === undefined) return;
    event.preventDefault();
    const tab = tabs[(next + tabs.length) % tabs.length];
    tab.click();
    tab.focus();
  });

  // A link to a field, in the summary of what is wrong say, opens the part that the field is in.
  function follow(hash) {
    const field = hash.length > 1 ? document.getElementById(hash.slice(1)) : null;
    const part = field?.closest(".form-section");
    if (!part || !parts.includes(part)) return;
    open(part);
    field.focus();
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#']");
    if (link) setTimeout(() => follow(link.hash));
  });

  bar.append(...tabs);
  parts[0].before(bar);
  form.classList.add("in-tabs");
  open(parts.find(wrong) ?? parts[0]);
  follow(location.hash);
}

for (const form of document.querySelectorAll("form[data-tabs]")) startTabs(form);

// ---- whoever types into his own value means to keep it ----

for (const part of document.querySelectorAll("[data-conflict]")) {
  const mine = part.querySelector("input[type=radio][value=mine]");
  const own = (event) => { if (!event.target.matches("input[type=radio]")) mine.checked = true; };
  part.addEventListener("input", own);
  part.addEventListener("change", own);
}
