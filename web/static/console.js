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

// What was typed before this page could listen (a slow line, a page gone back to) is previewed and kept like everything else.
setTimeout(() => {  // after htmx, which begins to listen in a timer of its own
  const typed = [...(composer?.elements ?? [])].some((field) => (field.type === "checkbox" ? field.checked !== field.defaultChecked
    : /^(text|number|search|date|time|textarea|)$/.test(field.type ?? "-") && field.value !== field.defaultValue));
  if (typed) composer.dispatchEvent(new Event("change", { bubbles: true }));
});

// A photo that has arrived belongs into the previews and the draft.
document.addEventListener("htmx:after:swap", () => {
  const block = document.querySelector("#photo");
  const shown = [...(block?.querySelectorAll("[name=picture]") ?? [])].map((photo) => photo.value).join(",");
  if (!block || shown === (block.dataset.shown ?? "")) return;
  block.dataset.shown = shown;
  composer.dispatchEvent(new Event("change", { bubbles: true }));
});

// A video is sent by itself, with what has left of it; when it is there, and when it is made, previews and draft follow.
const clipBlock = document.querySelector("#clip");
const quietFile = () => clipBlock?.querySelector("[data-clip]")?.removeAttribute("name");
quietFile();
clipBlock?.addEventListener("change", (event) => {
  const [input, [file]] = [event.target, event.target.files ?? []];
  if (!input.matches("[data-clip]")) return;
  event.stopPropagation();
  const wrong = (text) => {
    const place = clipBlock.querySelector("#f-clip_file-loi");
    place.textContent = text;
    place.hidden = false;
    clipBlock.querySelector("[data-clip-progress]").hidden = true;
    input.disabled = false;
    input.value = "";
  };
  if (!file) return;
  if (file.size > 200e6) return wrong("Tệp nặng quá 200 MB. Hãy xuất video ở độ phân giải thấp hơn (720p), hoặc cắt ngắn rồi chọn lại.");
  const [bar, sending, form] = [clipBlock.querySelector("[data-clip-progress]"), new XMLHttpRequest(), new FormData()];
  form.append("clip_file", file);
  bar.hidden = false;
  input.disabled = true;
  clipBlock.querySelector("#f-clip_file-loi").hidden = true;
  bar.querySelector("[data-clip-stop]").addEventListener("click", () => sending.abort(), { once: true });
  sending.upload.addEventListener("progress", (sent) => {
    const percent = Math.floor((100 * sent.loaded) / (sent.total || 1));
    bar.querySelector("progress").value = percent;
    bar.querySelector("[role=status]").textContent = percent < 100 ? `Đang tải lên ${percent}%` : "Đã tải lên, đang kiểm tra…";
  });
  sending.addEventListener("load", () => {
    if (!sending.responseText.includes("clip") || sending.status >= 500) return wrong("Máy chủ không nhận được tệp. Hãy thử lại.");
    if (sending.status === 413) return wrong("Tệp nặng quá 200 MB. Hãy cắt ngắn rồi chọn lại.");
    clipBlock.innerHTML = sending.responseText;
    window.htmx.process(clipBlock);
    settleClip();
  });
  sending.addEventListener("error", () => wrong("Mất kết nối khi đang tải lên. Hãy kiểm tra mạng rồi chọn lại tệp."));
  sending.addEventListener("abort", () => wrong("Đã dừng tải lên."));
  sending.open("POST", "/quan-tri/soan/video");
  sending.setRequestHeader("HX-Request", "true");
  sending.send(form);
});
const settleClip = () => {
  if (!clipBlock) return;
  quietFile();
  const shown = clipBlock.querySelector("[data-clip-state]")?.dataset.clipState ?? "";
  if (shown === (clipBlock.dataset.shown ?? "")) return;
  clipBlock.dataset.shown = shown;
  composer.dispatchEvent(new Event("change", { bubbles: true }));
};
document.addEventListener("htmx:after:swap", settleClip);

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
