// Small comforts; every page works without them.
"use strict";

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
