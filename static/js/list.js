// Ticking rows, and the toolbar that follows what is ticked: nothing, one, several, or all that match.
import { announce } from "./page.js";

const table = document.querySelector("table.list");
const toolbar = document.querySelector(".action-bar");
const form = document.getElementById("action-form");

/** The heading sticks under the toolbar where the table fits; a wider table scrolls in its own box. */
function fit() {
  const wrap = table.closest(".table-wrap");
  wrap.classList.remove("fits", "tall");
  const fits = table.scrollWidth <= wrap.clientWidth + 1;
  wrap.classList.toggle("fits", fits);
  wrap.classList.toggle("tall", !fits);
  const scope = document.querySelector(".scope-bar");
  if (scope) toolbar?.style.setProperty("--scope", `${scope.offsetHeight}px`);
  const style = toolbar ? getComputedStyle(toolbar) : null;
  if (style?.position === "sticky") wrap.style.setProperty("--under", `${parseFloat(style.top) + toolbar.offsetHeight - 1}px`);
}

function startTicking() {
  const boxes = [...table.querySelectorAll('input[name="rowid"]')];
  const pageBox = table.querySelector("[data-tick-page]");
  const allBox = toolbar.querySelector("[data-all]");
  const allLine = document.querySelector("[data-all-line]");
  const oneId = form.querySelector("[data-one-id]");
  const overflow = toolbar.querySelector("[data-overflow]");
  const buttons = [...toolbar.querySelectorAll('button[name="action"]')];
  const panel = overflow?.querySelector(".menu-panel");
  const always = panel ? [...panel.children] : [];
  // What stands in the bar itself: a button, or a menu of buttons.
  const bulk = [...toolbar.querySelectorAll(':scope > button[name="action"], :scope > [data-bulk]')];
  const inMenu = new Map(bulk.filter((part) => part.matches("[data-bulk]")).map((menu) => [menu, [...menu.querySelectorAll("button")]]));
  const tools = [...toolbar.querySelectorAll(".tool[data-when=one]")];
  const divider = toolbar.querySelector(".divider");
  let anchor = null;
  let spoken = "";

  const ticked = () => boxes.filter((box) => box.checked);

  function stateOf(count) {
    if (allBox?.checked) return "all";
    return ["none", "one"][count] ?? "many";
  }

  function show() {
    const chosen = ticked();
    const state = stateOf(chosen.length);
    toolbar.dataset.state = state;
    for (const box of boxes) box.closest("tr").classList.toggle("picked", box.checked || state === "all");
    for (const part of toolbar.querySelectorAll("[data-when]")) {
      const wants = part.dataset.when;
      part.hidden = !(wants === state || (wants === "some" && (state === "one" || state === "many")) || (wants === "none" && state === "all"));
    }
    for (const button of buttons) button.disabled = state === "none";
    for (const menu of toolbar.querySelectorAll("details.menu")) if (state === "none") menu.open = false;
    const words = toolbar.dataset.textSome.replace("{n}", chosen.length);
    toolbar.querySelector("[data-count]").textContent = words;
    if (pageBox) {
      pageBox.checked = chosen.length === boxes.length;
      pageBox.indeterminate = chosen.length > 0 && !pageBox.checked;
    }
    if (allLine) allLine.hidden = !(allBox && state === "many" && chosen.length === boxes.length && document.querySelector('.pager a[rel="next"], .pager a[rel="prev"]'));
    oneId.value = state === "one" ? chosen[0].value : "";
    for (const link of tools) if (link.dataset.href && state === "one") link.href = link.dataset.href.replace("{id}", encodeURIComponent(oneId.value));
    fold();
    fit();
    if (words !== spoken && (chosen.length || spoken)) announce(words);
    spoken = chosen.length ? words : "";
  }

  /** Put everything back where it was: out of «More» what had no room, into its menu what is of one. */
  function unfold() {
    for (const part of panel.querySelectorAll("[data-folded]")) {
      part.classList.replace("menu-item", "tool");
      delete part.dataset.folded;
    }
    for (const [menu, within] of inMenu) menu.querySelector(".menu-panel").append(...within);
    for (const part of [...bulk, divider, ...tools]) if (part) overflow.before(part);
    overflow.open = false;
    overflow.hidden = !always.length;
  }

  /** What has no room in one line goes into «More»; with one row ticked its own tools stay out longer than the bulk actions. */
  function fold() {
    if (!overflow) return;
    unfold();
    for (const menu of inMenu.keys()) menu.hidden = false;
    if (getComputedStyle(toolbar).position !== "sticky") return;
    const shown = (part) => part && !part.hidden;
    const first = toolbar.dataset.state === "one" ? 1 : 0;
    const leaves = [...tools.filter(shown), ...bulk.slice(first)];
    const used = () => [...toolbar.children].filter(shown).reduce((sum, part) => sum + part.offsetWidth + 2 + (part === divider ? 12 : 0), 12);
    const folded = [];
    while (leaves.length && used() > toolbar.clientWidth) {
      overflow.hidden = false;
      const part = leaves.pop();
      folded.push(part);
      if (inMenu.has(part)) {
        part.hidden = true;
        continue;
      }
      part.classList.replace("tool", "menu-item");
      part.dataset.folded = "";
      panel.append(part);
    }
    const order = [...tools, ...bulk].filter((part) => folded.includes(part)).flatMap((part) => inMenu.get(part) ?? [part]);
    panel.append(...order, ...always);
  }

  function tick(box, checked, range) {
    if (allBox) allBox.checked = false;
    const from = anchor && range ? boxes.indexOf(anchor) : boxes.indexOf(box);
    const [low, high] = [from, boxes.indexOf(box)].sort((a, b) => a - b);
    for (const each of boxes.slice(low, high + 1)) each.checked = checked;
    anchor = box;
    show();
  }

  function tickPage(checked) {
    if (allBox) allBox.checked = false;
    for (const box of boxes) box.checked = checked;
    show();
  }

  table.addEventListener("click", (event) => {
    if (event.target.name === "rowid") tick(event.target, event.target.checked, event.shiftKey);
    else if (event.target.matches("[data-tick-page]")) tickPage(event.target.checked);
  });
  table.addEventListener("mousedown", (event) => {
    if (event.shiftKey && event.target.closest(".tick")) event.preventDefault();
  });
  allBox?.addEventListener("change", () => {
    if (allBox.checked) for (const box of boxes) box.checked = false;
    show();
  });
  toolbar.querySelector("[data-clear]")?.addEventListener("click", () => tickPage(false));
  document.querySelector("[data-select-all]")?.addEventListener("click", () => {
    for (const box of boxes) box.checked = false;
    allBox.checked = true;
    show();
    toolbar.querySelector('button[name="action"]')?.focus();
  });
  toolbar.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-field]");
    if (!button) return;
    oneId.disabled = false;
    oneId.name = button.dataset.field;
    setTimeout(() => { oneId.disabled = true; });
  });

  const rows = () => [...table.tBodies[0].rows];
  const placeOf = (row) => rows().indexOf(row);
  const rowAtHand = () => document.activeElement.closest?.("table.list tbody tr") ?? table.querySelector("tr.cursor");

  function goTo(row) {
    if (!row) return;
    table.querySelector("tr.cursor")?.classList.remove("cursor");
    row.classList.add("cursor");
    (row.querySelector("a.title") ?? boxes[placeOf(row)]).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const all = rows();
    const row = rowAtHand();
    goTo(row ? all[Math.min(Math.max(all.indexOf(row) + by, 0), all.length - 1)] : all[by > 0 ? 0 : all.length - 1]);
  }

  /** Send a message to the rows ticked, or to the one at hand. */
  function message() {
    const button = bulk.find((each) => each.value === "message");
    if (!button) return;
    if (button.disabled && rowAtHand()) tick(boxes[placeOf(rowAtHand())], true, false);
    if (!button.disabled) button.click();
  }

  const KEYS = {
    j: () => step(1),
    k: () => step(-1),
    x: (row) => row && tick(boxes[placeOf(row)], !boxes[placeOf(row)].checked, false),
    X: (row) => row && tick(boxes[placeOf(row)], true, true),
    a: () => tickPage(ticked().length < boxes.length),
    o: (row) => row?.querySelector("a.title")?.click(),
    e: (row) => row?.querySelector("td[data-edit]")?.dispatchEvent(new MouseEvent("dblclick", { bubbles: true })),
    m: message,
    n: () => document.querySelector('.pager a[rel="next"]')?.click(),
    p: () => document.querySelector('.pager a[rel="prev"]')?.click(),
    Escape: () => ticked().length && tickPage(false),
  };

  /** The keys of a list, as the sheet of keys says them; none while one types. */
  function keyInList(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input:not([type=checkbox]), select, textarea, dialog, .menu[open], .filter-box[open]")) return;
    const key = KEYS[event.key];
    if (!key) return;
    if (event.key.length === 1) event.preventDefault();
    key(rowAtHand());
  }
  table.addEventListener("focusin", (event) => {
    table.querySelector("tr.cursor")?.classList.remove("cursor");
    event.target.closest("tbody tr")?.classList.add("cursor");
  });
  document.addEventListener("keydown", keyInList);
  addEventListener("pageshow", show);
  addEventListener("resize", show);
  show();
}

if (table) {
  fit();
  if (toolbar) startTicking();
  else addEventListener("resize", fit);
}
