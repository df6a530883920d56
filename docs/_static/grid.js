// Lets a reader of the results narrow the grids down to the checks that have a word.
//
// Without JavaScript the page has the whole grids, and no field.

"use strict";

const grids = [...document.querySelectorAll("table.checks")];

function filter(words, count) {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  let all = 0;
  for (const grid of grids) {
    for (const row of grid.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      shown += row.hidden ? 0 : 1;
      all += 1;
    }
  }
  count.textContent = wanted.length ? `${shown} of ${all} checks` : "";
}

if (grids.length) {
  const form = document.createElement("p");
  form.className = "grid-filter";
  const label = document.createElement("label");
  label.textContent = "Show the checks with ";
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "reset, idle, failed …";
  label.append(field);
  const count = document.createElement("output");
  form.append(label, " ", count);
  const first = grids[0].closest(".table-wrapper") ?? grids[0];
  const heading = first.previousElementSibling ?? first;
  heading.before(form);
  field.addEventListener("input", () => filter(field.value, count));
}
