// Forms: generated passwords, fields shown for some values of another, a question before leaving what was changed.
import { announce, icon, texts } from "./page.js";

const LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
const DIGITS = "23456789";
const LENGTH = 20;

/** A number below the limit, each as likely as the other. */
function below(limit) {
  const ceiling = Math.floor(2 ** 32 / limit) * limit;
  for (;;) {
    const [number] = crypto.getRandomValues(new Uint32Array(1));
    if (number < ceiling) return number % limit;
  }
}

/** Letters and digits that are not mistaken for each other, at least one of each. */
export function strongPassword() {
  const alphabet = LETTERS + DIGITS;
  for (;;) {
    const password = Array.from({ length: LENGTH }, () => alphabet[below(alphabet.length)]).join("");
    if (/[0-9]/.test(password) && /[a-z]/i.test(password)) return password;
  }
}

function showOnce(box, password) {
  const code = document.createElement("code");
  const copy = document.createElement("button");
  const remark = document.createElement("span");
  code.textContent = password;
  remark.textContent = texts.keep_password;
  copy.type = "button";
  copy.className = "tool";
  copy.append(icon("copy"), texts.copy);
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(password);
    copy.lastChild.textContent = texts.copied;
    announce(texts.copied);
  });
  box.replaceChildren(code, ...(navigator.clipboard ? [copy] : []), remark);
  box.hidden = false;
}

for (const button of document.querySelectorAll("[data-generate-password]")) {
  button.addEventListener("click", () => {
    const field = document.getElementById(button.dataset.generatePassword);
    const password = strongPassword();
    for (const each of [field, field.form.elements.password_confirm]) {
      if (!each) continue;
      each.value = password;
      each.dispatchEvent(new Event("input", { bubbles: true }));
    }
    showOnce(document.querySelector(`[data-generated-for="${field.id}"]`), password);
  });
}

// ---- fields that depend on another: data-show-when="legal_status=company|sole_proprietor" ----

function valueOf(form, name) {
  const field = form.elements[name];
  if (!field) return null;
  return field.type === "checkbox" ? String(field.checked) : field.value;
}

function dependants(form) {
  const marked = [...form.querySelectorAll("[data-show-when]")].map((part) => [part.closest(".field") ?? part, part.dataset.showWhen]);
  const company = form.querySelector('[data-field="company_name"]:not([data-show-when])');
  if (company && form.elements.legal_status) marked.push([company, "legal_status=company"]);
  return marked;
}

for (const form of document.forms) {
  const parts = dependants(form);
  if (!parts.length) continue;
  const show = () => {
    for (const [part, rule] of parts) {
      part.hidden = !rule.split("&").every((one) => {
        const [name, values] = one.split("=");
        return values.split("|").includes(valueOf(form, name));
      });
    }
  };
  form.addEventListener("change", show);
  show();
}

// ---- leaving a changed form asks ----

const stateOf = (form) => JSON.stringify([...new FormData(form)].map(([name, value]) => [name, value.name ?? value]));

for (const form of document.querySelectorAll("form[data-keep]")) {
  // What came back from the server with something typed in it is no more saved than before.
  const refused = form.querySelector("#form-errors") !== null || form.dataset.keep === "typed";
  const before = stateOf(form);
  let sending = false;
  form.addEventListener("submit", () => { sending = true; setTimeout(() => { sending = false; }, 5000); });
  addEventListener("beforeunload", (event) => {
    if (!sending && (refused || stateOf(form) !== before)) event.preventDefault();
  });
}

document.getElementById("form-errors")?.focus();
