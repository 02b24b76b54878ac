"use strict";
// Tables of features: sorted by a click on a column's name, filtered by text.
for (const area of document.querySelectorAll(".feature-table")) {
  const body = area.querySelector("tbody");
  const headers = [...area.querySelectorAll("thead th")];
  const rows = [...body.rows];
  const shown = area.querySelector("output");

  const compare = (column, sign) => (one, other) => {
    const [a, b] = [one, other].map((row) => row.cells[column].dataset.value);
    if (a === "" || b === "") {
      return (a === "") - (b === ""); // what is not known comes last, either way
    }
    const isText = headers[column].classList.contains("text");
    return sign * (isText ? a.localeCompare(b, undefined, { numeric: true }) : a - b);
  };

  headers.forEach((header, column) => {
    header.querySelector("button").addEventListener("click", () => {
      const down = header.getAttribute("aria-sort") === "ascending";
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      body.append(...rows.sort(compare(column, down ? -1 : 1)));
    });
  });

  area.querySelector("input").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/);
    let n = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      n += !row.hidden;
    }
    shown.textContent = `${n} of ${rows.length} shown`;
  });
}

// On paper, all is open and nothing is filtered away by being closed.
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach((details) => { details.open = true; });
});
addEventListener("afterprint", () => {
  closed.forEach((details) => { details.open = false; });
});
