// Tables sort by a click on a heading, and long ones can be filtered by what their rows say.
"use strict";
(() => {
  const number = (text) => {
    const found = text.replace(/,/g, "").replace("−", "-").match(/^[×+]?(-?\d+(\.\d+)?(e[+-]?\d+)?)/i);
    return found ? Number(found[1]) : NaN;
  };

  function sort(table, column, heading) {
    const falling = heading.ariaSort === "ascending", sign = falling ? -1 : 1;
    const rows = [...table.tBodies[0].rows].map((row) => [row.cells[column]?.textContent ?? "", row]);
    const numeric = heading.className === "n";
    rows.sort(([a], [b]) => {
      if (!numeric) return sign * a.localeCompare(b, undefined, { numeric: true });
      const x = number(a), y = number(b);
      return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);  // gaps stay last
    });
    table.tBodies[0].replaceChildren(...rows.map(([, row]) => row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.ariaSort = falling ? "descending" : "ascending";
  }

  for (const table of document.querySelectorAll(".scroll > table")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      const button = document.createElement("button");
      button.textContent = heading.textContent;
      button.addEventListener("click", () => sort(table, column, heading));
      heading.replaceChildren(button);
    });
    if (table.tBodies[0].rows.length <= 20) continue;
    const box = document.createElement("input");
    box.type = "search";
    box.placeholder = "Filter rows";
    box.setAttribute("aria-label", `Filter rows: ${table.parentElement.getAttribute("aria-label")}`);
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase().split(/\s+/);
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
      }
    });
    table.parentElement.before(box);
  }
})();
