// A ticket: tells colleagues that an answer is being written, and the writer what comes meanwhile.
import { announce, csrfToken } from "./page.js";

const form = document.querySelector("form[data-ticket]");
const TELL = 8000;
const LOOK = 10000;

function show(box, sentence) {
  if (!box || box.hidden === !sentence) return;
  box.querySelector("span").textContent = sentence;
  box.hidden = !sentence;
  if (sentence) announce(sentence);
}

async function look(section) {
  if (document.hidden) return;
  const answer = await fetch(`/admin/tickets/news.json?id=${form.dataset.ticket}&after=${form.dataset.after}`);
  if (!answer.ok) return;
  const news = await answer.json();
  show(section.querySelector("[data-writing]"), news.writing);
  show(section.querySelector("[data-newer]"), news.newer);
}

if (form) {
  const section = form.closest("section");
  let told = 0;
  form.elements.text.addEventListener("input", () => {
    if (Date.now() - told < TELL) return;
    told = Date.now();
    fetch("/admin/tickets/writing/", { method: "POST", body: new URLSearchParams({ id: form.dataset.ticket, csrf_token: csrfToken() }) }).catch(() => {});
  });
  setInterval(() => { look(section).catch(() => {}); }, LOOK);
}
