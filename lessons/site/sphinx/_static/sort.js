// A click on a column's head sorts its table, numbers by value, once up and once down.
document.addEventListener("DOMContentLoaded", () => {
  const value = (row, column) => {
    const text = row.cells[column].textContent.replaceAll(",", "").trim();
    const number = Number.parseFloat(text);
    return Number.isNaN(number) ? text : number;
  };
  for (const table of document.querySelectorAll(".sorted table")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      head.classList.add("sortable");
      head.tabIndex = 0;
      const sort = () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => {
          const [left, right] = [value(a, column), value(b, column)];
          return (left > right ? 1 : left < right ? -1 : 0) * (up ? 1 : -1);
        });
        [...table.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        table.tBodies[0].append(...rows);
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => event.key === "Enter" && sort());
    });
  }
});
