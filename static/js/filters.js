// The filter panel: no empty conditions in the address, Escape closes, the first field takes the focus.

for (const form of document.querySelectorAll("form[data-drop-empty]")) {
  form.addEventListener("submit", () => {
    const empty = [...form.elements].filter((field) => field.name && !field.disabled && field.value.trim() === "");
    for (const field of empty) field.disabled = true;
    setTimeout(() => { for (const field of empty) field.disabled = false; });
  });
}

const box = document.querySelector(".filter-box");

function close() {
  box.open = false;
  box.querySelector("summary").focus();
}

if (box) {
  box.addEventListener("toggle", () => {
    dispatchEvent(new Event("resize"));
    if (box.open) box.querySelector(".filter-fields :is(input:not([type=hidden]), select)")?.focus();
  });
  box.querySelector("[data-close-filter]").addEventListener("click", close);
  box.addEventListener("keydown", (event) => { if (event.key === "Escape") close(); });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "f" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox]), select, textarea, dialog")) return;
    event.preventDefault();
    box.open = true;
  });
}
