// While a new client is typed in: those that are like it already, shown as soon as a telling field is left.
const form = document.querySelector("form[data-keep]");
const place = document.querySelector("[data-similar]");
const names = ["email", "company_name"];
let asked = "";

async function look() {
  const given = new URLSearchParams();
  for (const name of names) {
    const value = form.elements[name]?.value.trim();
    if (value) given.set(name, value);
  }
  const question = given.toString();
  if (question === asked) return;
  asked = question;
  const answer = question ? await fetch(`/admin/clients/similar.json?${question}`, { headers: { "X-Requested-With": "fetch" } }) : null;
  if (question !== asked) return;
  show(answer?.ok ? await answer.json() : []);
}

function show(found) {
  place.hidden = found.length === 0;
  place.querySelector("ul").replaceChildren(...found.map(item));
}

function item(one) {
  const line = document.createElement("li");
  const link = document.createElement("a");
  link.href = one.url;
  link.target = "_blank";
  link.textContent = `#${one.id} ${one.name}`;
  const email = document.createElement("span");
  email.className = "muted";
  email.textContent = ` ${one.email}`;
  line.append(link, email);
  return line;
}

if (form && place) {
  for (const name of names) form.elements[name]?.addEventListener("change", look);
}
