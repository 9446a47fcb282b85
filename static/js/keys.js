// «?» opens the sheet of keys over the page. Without this script it is a page of its own, which the menu leads to.
let dialog = null;

async function make() {
  const answer = await fetch("/admin/keys/", { redirect: "error" });
  const sheet = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".keys-sheet");
  if (!sheet) throw new Error("no sheet of keys");
  const made = document.createElement("dialog");
  const closing = document.createElement("form");
  const button = document.createElement("button");
  made.className = "keys-dialog";
  made.setAttribute("aria-labelledby", "keys-title");
  closing.method = "dialog";
  button.className = "btn";
  button.textContent = sheet.dataset.close;
  closing.append(button);
  made.append(sheet, closing);
  made.addEventListener("click", (event) => { if (event.target === made) made.close(); });
  document.body.append(made);
  return made;
}

async function open() {
  dialog ??= await make();
  if (!dialog.open) dialog.showModal();
}

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, [contenteditable], dialog");
  if (event.key !== "?" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  open().catch(() => { location.href = "/admin/keys/"; });
});
