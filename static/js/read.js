// A ticket in the client's panel: one that was in sight for a moment is read. The button is for those without scripts.
const form = document.querySelector("form[data-mark-read]");
const MOMENT = 2000;

async function mark() {
  if (document.hidden) {
    document.addEventListener("visibilitychange", later, { once: true });
    return;
  }
  const answer = await fetch(form.action, { method: "POST", body: new FormData(form), redirect: "manual" });
  if (answer.type === "opaqueredirect") form.remove();
}

function later() {
  setTimeout(() => { mark().catch(() => {}); }, MOMENT);
}

if (form) later();
