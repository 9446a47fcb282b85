// Runs before the first paint, so that neither the theme nor the width of the menu jumps.
(() => {
  const root = document.documentElement;
  root.classList.add("has-js");
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") root.dataset.bsTheme = theme;
    if (localStorage.getItem("menu") === "folded") root.dataset.menu = "folded";
  } catch { /* a browser that keeps nothing starts as the system does */ }
})();
