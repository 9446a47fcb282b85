// Editing in the cells of a list. The address answers 200 {html, value, version}, or a plain sentence that says why not;
// the sentence is shown at the cell, what was there stays, and what was typed stays in the editor.
import { announce, csrfToken, icon, texts } from "./page.js";

const table = document.querySelector("table[data-update-url]");
const spec = JSON.parse(document.getElementById("edit-spec")?.textContent ?? "{}");
const cells = () => [...table.querySelectorAll("td[data-edit]")];
let open = null;

const pencil = document.createElement("button");
pencil.type = "button";
pencil.className = "pencil";
pencil.tabIndex = -1;
pencil.append(icon("pencil"));

function labelOf(cell) {
  return spec[cell.dataset.edit]?.label ?? cell.dataset.label ?? "";
}

/** One pencil walks to the cell under the pointer or the focus, so that the page need not hold one for each. */
function offer(cell) {
  if (!cell || open || pencil.parentNode === cell) return;
  pencil.setAttribute("aria-label", `${texts.edit}: ${labelOf(cell)}`);
  pencil.title = labelOf(cell);
  cell.append(pencil);
}

function makeEditor(cell) {
  const { kind = "text", options = [], label } = spec[cell.dataset.edit] ?? {};
  const editor = document.createElement(kind === "select" ? "select" : kind === "textarea" ? "textarea" : "input");
  if (editor.tagName === "INPUT") editor.type = kind;
  for (const [value, text] of options) editor.append(new Option(text, value));
  editor.className = "cell-editor";
  editor.value = cell.dataset.value;
  editor.setAttribute("aria-label", label ?? cell.dataset.label);
  return editor;
}

function tell(cell, sentence, editor) {
  cell.querySelector(".cell-note")?.remove();
  const note = document.createElement("div");
  note.className = "cell-note";
  note.id = "cell-note";
  note.setAttribute("role", "alert");
  note.textContent = sentence;
  cell.append(note);
  cell.classList.add("told");
  editor.setAttribute("aria-invalid", "true");
  editor.setAttribute("aria-describedby", "cell-note");
}

function start(cell) {
  if (open?.cell === cell) return;
  if (open) stop(open);
  pencil.remove();
  const editor = makeEditor(cell);
  const before = [...cell.childNodes];
  open = { cell, editor, before, busy: false };
  cell.classList.add("editing");
  cell.append(editor);
  editor.focus();
  editor.select?.();
}

/** Close the editor; the cell is as it was. The focus stays where it is when another cell is being edited by now. */
function stop(edit, keepFocus = false) {
  const isOpen = open === edit;
  edit.editor.remove();
  edit.cell.querySelector(".cell-note")?.remove();
  edit.cell.classList.remove("editing", "told", "saving");
  if (isOpen) open = null;
  if (keepFocus && isOpen) focusCell(edit.cell);
}

async function send(cell, value) {
  const row = cell.closest("tr");
  const body = new URLSearchParams({ list_form_pk: row.dataset.id, [cell.dataset.edit]: value, row_version: row.dataset.version });
  const answer = await fetch(table.dataset.updateUrl, {
    method: "POST", body, headers: { "X-CSRFToken": csrfToken(), Accept: "application/json" }, redirect: "error",
  });
  if (!answer.ok) throw new Error((await answer.text()).slice(0, 400));
  return answer.json();
}

function take(cell, { html, value, version }) {
  cell.innerHTML = html;
  cell.dataset.value = value ?? "";
  cell.closest("tr").dataset.version = version;
  cell.classList.add("saved");
  setTimeout(() => cell.classList.remove("saved"), 1200);
  announce(`${labelOf(cell)}: ${texts.saved}`);
}

async function save(edit, next) {
  if (edit.busy) return;
  if (edit.editor.value === edit.cell.dataset.value) {
    stop(edit, !next);
    if (next) start(next);
    return;
  }
  edit.busy = true;
  edit.cell.classList.add("saving");
  try {
    const answer = await send(edit.cell, edit.editor.value);
    const isOpen = open === edit;
    stop(edit, !next);
    take(edit.cell, answer);
    if (next && isOpen) start(next);
  } catch (refusal) {
    tell(edit.cell, refusal instanceof TypeError ? texts.no_answer : refusal.message || texts.no_answer, edit.editor);
    edit.editor.focus();
  } finally {
    edit.busy = false;
    edit.cell.classList.remove("saving");
  }
}

function focusCell(cell) {
  for (const each of cells()) each.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus({ preventScroll: true });
}

const neighbour = (cell, step) => cells()[cells().indexOf(cell) + step];

/** Arrows walk the cells that can be edited; up and down stay in the column. */
function walk(cell, key) {
  const column = cells().filter((each) => each.dataset.edit === cell.dataset.edit);
  const line = key === "ArrowUp" || key === "ArrowDown" ? column : cells();
  const next = line[line.indexOf(cell) + (key === "ArrowUp" || key === "ArrowLeft" ? -1 : 1)];
  if (next) {
    focusCell(next);
    next.scrollIntoView({ block: "nearest" });
  }
}

function keyInEditor(event) {
  if (event.key === "Escape") {
    event.stopPropagation();
    stop(open, true);
  } else if (event.key === "Enter" && !(event.shiftKey && event.target.tagName === "TEXTAREA") && !event.isComposing) {
    event.preventDefault();
    save(open);
  } else if (event.key === "Tab") {
    event.preventDefault();
    save(open, neighbour(open.cell, event.shiftKey ? -1 : 1));
  }
}

function keyOnCell(event) {
  if (event.target.dataset?.edit === undefined) return;
  if (event.key === "Enter" || event.key === "F2") {
    event.preventDefault();
    start(event.target);
  } else if (event.key.startsWith("Arrow")) {
    event.preventDefault();
    walk(event.target, event.key);
  }
}

if (table && Object.keys(spec).length) {
  const all = cells();
  for (const cell of all) cell.tabIndex = -1;
  if (all.length) all[0].tabIndex = 0;
  table.addEventListener("pointerover", (event) => offer(event.target.closest("td[data-edit]")));
  table.addEventListener("pointerleave", () => pencil.remove());
  table.addEventListener("focusin", (event) => offer(event.target.closest("td[data-edit]")));
  table.addEventListener("dblclick", (event) => {
    const cell = event.target.closest("td[data-edit]");
    if (cell && !event.target.closest(".cell-editor")) start(cell);
  });
  pencil.addEventListener("click", () => start(pencil.parentNode));
  table.addEventListener("keydown", (event) => (open?.editor === event.target ? keyInEditor(event) : keyOnCell(event)));
  document.addEventListener("pointerdown", (event) => {
    if (open && !open.busy && !open.cell.contains(event.target)) save(open);
  });
  addEventListener("beforeunload", (event) => {
    if (open && open.editor.value !== open.cell.dataset.value) event.preventDefault();
  });
}
