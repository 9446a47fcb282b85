// The frame of every page: theme, folding of the menu, drop-down menus, the key that leads to the search.

const root = document.documentElement;

function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* it holds for this page then */ }
}

function showTheme() {
  const chosen = root.dataset.bsTheme ?? "auto";
  for (const button of document.querySelectorAll("[data-choose-theme]")) {
    button.setAttribute("aria-pressed", String(button.dataset.chooseTheme === chosen));
  }
}

function chooseTheme(theme) {
  if (theme === "auto") delete root.dataset.bsTheme;
  else root.dataset.bsTheme = theme;
  remember("theme", theme);
  showTheme();
}

function foldMenu(button) {
  const folded = root.dataset.menu !== "folded";
  if (folded) root.dataset.menu = "folded";
  else delete root.dataset.menu;
  button.setAttribute("aria-expanded", String(!folded));
  remember("menu", folded ? "folded" : "open");
}

const openMenus = () => document.querySelectorAll("details.menu[open], details.menu-sheet[open]");

function closeMenus(except) {
  for (const menu of openMenus()) if (!menu.contains(except)) menu.open = false;
}

/** Arrows walk the items of an open menu. */
function walkMenu(event) {
  const menu = event.target.closest("details.menu[open]");
  if (!menu || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) || event.target.matches("input, select, textarea")) return;
  const items = [...menu.querySelectorAll(".menu-panel :is(a, button)")].filter((item) => item.offsetParent);
  if (!items.length) return;
  const here = items.indexOf(document.activeElement);
  const next = { ArrowDown: here + 1, ArrowUp: here < 0 ? -1 : here - 1, Home: 0, End: -1 }[event.key];
  items.at(next % items.length).focus();
  event.preventDefault();
}

document.addEventListener("click", (event) => {
  closeMenus(event.target);
  const theme = event.target.closest("[data-choose-theme]");
  if (theme) chooseTheme(theme.dataset.chooseTheme);
  const fold = event.target.closest("[data-fold-menu]");
  if (fold) foldMenu(fold);
});

document.addEventListener("keydown", (event) => {
  walkMenu(event);
  if (event.key === "Escape") {
    for (const menu of openMenus()) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
  const typing = event.target.closest?.("input, select, textarea, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const field = document.querySelector('[data-shortcut="/"]');
    if (field) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  }
});

for (const button of document.querySelectorAll("[data-fold-menu]")) {
  button.setAttribute("aria-expanded", String(root.dataset.menu !== "folded"));
}
showTheme();
