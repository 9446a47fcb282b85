// The message to clients: languages as tabs, macros at the cursor, a preview that does not lose one's place;
// and the page of a mailing: figures that keep up with the sending. All of it works without this script too.
import { announce, icon } from "./page.js";

const POLL = 2000;
const RUNNING = new Set(["scheduled", "sending", "paused"]);

// ---- languages as tabs ----

function missing(part) {
  return [...part.querySelectorAll("input:not([type=hidden]), textarea")].some((field) => !field.value.trim());
}

function startTabs(bar) {
  const parts = [...document.querySelectorAll("[data-language], [data-parameters]")];
  if (parts.length < 2) return;
  const form = bar.closest("form");
  const tabs = parts.map((part) => {
    const tab = document.createElement("button");
    part.id ||= part.dataset.language ? `language-${part.dataset.language}` : "parameters";
    tab.type = "button";
    tab.id = `${part.id}-tab`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", part.id);
    part.setAttribute("role", "tabpanel");
    part.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => choose(part));
    part.addEventListener("input", () => mark(tab, part));
    mark(tab, part);
    return tab;
  });

  function mark(tab, part) {
    const lacks = part.dataset.language ? missing(part) : !part.querySelector("[name=deadline]").value;
    tab.replaceChildren(part.dataset.languageName ?? part.dataset.tabName, ...(lacks ? [icon("alert-triangle")] : []));
  }

  function choose(chosen) {
    parts.forEach((part, number) => {
      part.hidden = part !== chosen;
      tabs[number].setAttribute("aria-selected", String(part === chosen));
      tabs[number].tabIndex = part === chosen ? 0 : -1;
    });
  }

  bar.append(...tabs);
  bar.hidden = false;
  bar.closest("form").classList.add("has-tabs");
  bar.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const open = tabs.filter((tab) => !tab.hidden);
    const next = open[(open.indexOf(document.activeElement) + step + open.length) % open.length];
    next.click();
    next.focus();
  });
  // The parameters of a violation are a tab where there is one.
  const parameters = parts.find((part) => !part.dataset.language);
  const wanted = () => form.elements.violation.checked && !form.elements.forbid_replies.checked;
  if (parameters) {
    const tab = tabs[parts.indexOf(parameters)];
    tab.hidden = !wanted();
    form.addEventListener("change", (event) => {
      // Who may not answer cannot be given a deadline to answer.
      if (form.elements.forbid_replies.checked) form.elements.violation.checked = false;
      tab.hidden = !wanted();
      if (event.target.name === "violation" && wanted()) choose(parameters);
      else if (tab.hidden && !parameters.hidden) choose(parts[0]);
    });
  }
  const offered = parts.filter((part) => part !== parameters || wanted());
  choose(offered.find((part) => part.querySelector("[aria-invalid=true]")) ?? offered.find((part) => !missing(part)) ?? parts[0]);
  // A link of the error summary leads to the tab of its field.
  addEventListener("hashchange", () => {
    const part = document.querySelector(location.hash || "#none")?.closest("[data-language], [data-parameters]");
    if (part) { choose(part); document.querySelector(location.hash).focus(); }
  });
}

// ---- macros at the cursor ----

function startMacros(form) {
  let last = null;
  form.addEventListener("focusin", (event) => {
    if (event.target.closest("[data-language]") && event.target.matches("input, textarea")) last = event.target;
  });
  for (const button of form.querySelectorAll("[data-macro]")) {
    button.addEventListener("click", () => {
      const shown = form.querySelector("[data-language]:not([hidden]) textarea");
      const field = last?.offsetParent ? last : shown;
      if (!field) return;
      field.setRangeText(button.dataset.macro, field.selectionStart, field.selectionEnd, "end");
      field.dispatchEvent(new Event("input", { bubbles: true }));
      button.closest("details").open = false;
      field.focus();
    });
  }
}

// ---- ready texts of the chosen category ----

function startReadyTexts(form) {
  const [select, category] = [form.querySelector("#response_template"), form.elements.category];
  if (!select || !category) return;
  const [nothing, ...all] = select.options;
  all.sort((one, other) => one.text.localeCompare(other.text));

  function narrow() {
    const fitting = all.filter(({ dataset }) => !category.value || !dataset.categories || dataset.categories.split(" ").includes(category.value));
    const chosen = select.value;
    const others = Object.assign(document.createElement("optgroup"), { label: select.dataset.others });
    others.append(...all);
    // Where the category has none of its own, those of others are better than nothing.
    select.replaceChildren(nothing, ...(fitting.length ? fitting : [others]));
    select.value = [...select.options].some((option) => option.value === chosen) ? chosen : "";
  }

  category.addEventListener("change", narrow);
  narrow();
}

// ---- the preview, without losing the place on the page ----

async function preview(form, button) {
  // What was wrong before stands beside the fields; only the whole page takes that away.
  if (document.querySelector("#form-errors")) return false;
  const data = new FormData(form, button);
  // Files are taken in when the form is sent; a look at the text does not need them.
  data.delete("attachments");
  const answer = await fetch(form.action, { method: "POST", body: data });
  if (!answer.ok) return false;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (page.querySelector("#form-errors")) return false;
  // The plan that is seen now is the one that is sent by.
  form.elements.recipients_seen.value = page.querySelector("[name=recipients_seen]").value;
  for (const name of [".recipients", ".compose-preview", ".send-plan", ".form-actions"]) {
    const fresh = page.querySelector(name);
    if (!fresh) return false;
    document.querySelector(name).replaceWith(document.adoptNode(fresh));
  }
  // Replaced within, for it is shown and hidden as a whole.
  document.querySelector(".violation-stops")?.replaceChildren(...page.querySelector(".violation-stops").childNodes);
  announce(document.querySelector(".preview-who span")?.textContent ?? "");
  return true;
}

function startPreview(form) {
  let letThrough = false;
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (letThrough || button?.name !== "preview") return;
    event.preventDefault();
    const instead = () => { letThrough = true; form.requestSubmit(button); };
    preview(form, button).then((done) => { if (!done) instead(); }, instead);
  });
}

// ---- how a mailing goes on ----

function draw(bar, figures) {
  const all = figures.recipients || 1;
  bar.setAttribute("viewBox", `0 0 ${all} 1`);
  bar.setAttribute("aria-valuemax", all);
  bar.setAttribute("aria-valuenow", figures.recipients - figures.queued);
  let to = 0;
  for (const part of bar.children) {
    part.setAttribute("x", to);
    part.setAttribute("width", figures[part.dataset.part]);
    to += figures[part.dataset.part];
  }
}

function startProgress(section) {
  const bar = section.querySelector("[role=progressbar]");
  const number = new Intl.NumberFormat(document.documentElement.lang);

  async function poll() {
    const answer = await fetch(section.dataset.progressUrl, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const figures = await answer.json();
    for (const shown of section.querySelectorAll("[data-figure]")) shown.textContent = number.format(figures[shown.dataset.figure]);
    draw(bar, figures);
    if (figures.status !== section.dataset.status) location.reload();
    else if (RUNNING.has(figures.status)) setTimeout(again, POLL);
  }

  const again = () => poll().catch(() => setTimeout(again, POLL * 5));
  if (RUNNING.has(section.dataset.status)) setTimeout(again, POLL);
}

const form = document.querySelector("form.compose");
if (form) {
  startTabs(form.querySelector("[data-language-tabs]"));
  startMacros(form);
  startReadyTexts(form);
  startPreview(form);
}
const section = document.querySelector("[data-progress-url]");
if (section) startProgress(section);
