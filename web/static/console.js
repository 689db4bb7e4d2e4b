// Small comforts; every page works without them.
"use strict";

document.documentElement.classList.add("js");

for (const select of document.querySelectorAll("[data-submit-on-change]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
  select.form.querySelector("button")?.classList.add("visually-hidden");
}

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.person[open], details.bar__more[open], details.confirm[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.person[open], details.bar__more[open], details.confirm[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

// Typing in a search box hides what does not match, without diacritics if need be.
const fold = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replaceAll("đ", "d");
for (const box of document.querySelectorAll("[data-filter]")) {
  const items = [...document.querySelectorAll(box.dataset.filter)].map((item) => [item, fold(item.textContent)]);
  box.addEventListener("input", () => {
    const words = fold(box.value).split(/\s+/).filter(Boolean);
    for (const [item, text] of items) item.hidden = !words.every((word) => text.includes(word));
    for (const group of document.querySelectorAll("[data-filter-group]")) {
      group.hidden = !group.querySelector(`${box.dataset.filter}:not([hidden])`);
    }
    const none = document.querySelector("[data-filter-none]");
    if (none) none.hidden = items.some(([item]) => !item.hidden);
  });
}

// On a phone only the first preview is open.
if (matchMedia("(max-width: 991px)").matches) {
  [...document.querySelectorAll(".composer .look")].slice(1).forEach((look) => { look.open = false; });
}

// A draft that is just being kept gets its number before the sheet is handed on, so that it is not kept twice.
const composer = document.querySelector("#composer");
const keeper = document.querySelector("#keeper");
const keeping = () => keeper?.classList.contains("htmx-request") ?? false;
const identity = () => [...composer.querySelectorAll("#identity input")].map((input) => input.value).join("/");
// What is typed while the draft is being kept is kept after it, when the draft has its number.
let typedMeanwhile = false;
composer?.addEventListener("input", () => { typedMeanwhile ||= keeping(); });
keeper?.addEventListener("htmx:finally:request", () => {
  if (typedMeanwhile) setTimeout(() => composer.dispatchEvent(new Event("change", { bubbles: true })), 300);
  typedMeanwhile = false;
});
composer?.addEventListener("submit", (event) => {
  if (!keeping()) return;
  event.preventDefault();
  const [asked, button] = [identity(), event.submitter];
  let answeredAt = 0;
  const waiting = setInterval(() => {
    answeredAt = keeping() ? 0 : answeredAt || Date.now();
    if (!answeredAt || (identity() === asked && Date.now() - answeredAt < 1500)) return;
    clearInterval(waiting);
    composer.requestSubmit(button);
  }, 40);
});

// A photo that has arrived belongs into the previews and the draft.
document.addEventListener("htmx:after:swap", () => {
  const block = document.querySelector("#photo");
  const shown = [...(block?.querySelectorAll("[name=picture]") ?? [])].map((photo) => photo.value).join(",");
  if (!block || shown === (block.dataset.shown ?? "")) return;
  block.dataset.shown = shown;
  composer.dispatchEvent(new Event("change", { bubbles: true }));
});

// A link to a field in a folded part opens it.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#f-"]');
  const field = link && document.getElementById(link.getAttribute("href").slice(1));
  if (!field) return;
  event.preventDefault();
  for (let folded = field.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
  field.scrollIntoView({ block: "center" });
  field.focus({ preventScroll: true });
});
