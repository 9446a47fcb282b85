// The badge as it will look, while its name, icon and colour are chosen.
const preview = document.querySelector("[data-badge-preview]");
const form = preview?.closest("form");
const badge = preview?.querySelector(".badge");

/** The class of the colour chosen is that of its sample. */
function show() {
  const chosen = (name) => form.querySelector(`[name=${name}]:checked`);
  const sample = chosen("color")?.parentNode.querySelector(".badge");
  badge.className = sample?.className ?? "badge";
  const use = chosen("icon")?.parentNode.querySelector("use");
  badge.querySelector("use").setAttribute("href", use?.getAttribute("href") ?? "");
  badge.lastElementChild.textContent = form.elements.name.value.trim() || "…";
  preview.hidden = false;
}

if (form) {
  form.addEventListener("input", show);
  show();
}
