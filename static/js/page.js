// What the modules share: the translated texts of the page, its CSRF token, the line read out by screen readers.

const block = document.getElementById("texts");
export const texts = block ? JSON.parse(block.textContent) : {};

export const csrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** Have a screen reader say a sentence without moving the focus. */
export function announce(sentence) {
  const live = document.getElementById("live");
  if (!live) return;
  live.textContent = "";
  setTimeout(() => { live.textContent = sentence; }, 30);
}

/** An icon of the sprite that the page already uses. */
export function icon(name) {
  const known = document.querySelector("svg.icon > use")?.getAttribute("href") ?? "/static/icons.svg#x";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${known.split("#")[0]}#${name}`);
  svg.append(use);
  return svg;
}
