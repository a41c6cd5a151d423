// The row of the trace that was chosen, column by column, with units.

function showRow(scene) {
  const holder = scene.article.querySelector(".row");
  const { transfers, rounds, known } = scene;

  function value(table, name, n) {
    const column = scene[table][name];
    if (table === "transfers" && known.words[name]) return known.words[name][column[n]];
    if (Number.isNaN(column[n])) return "null";
    return name === "bits" || Number.isInteger(column[n])
      ? rounded(column[n], 15)
      : rounded(column[n], 6);
  }

  function title(table, n) {
    if (table === "transfers") {
      const end = known.words.outcome[transfers.outcome[n]];
      const pair = `Device ${transfers.src[n]} to ${transfers.dst[n]}`;
      return `${pair}, round ${transfers.round[n]}: ${end}`;
    }
    return `Device ${rounds.device[n]}, round ${rounds.round[n]}`;
  }

  function where(table, n) {
    const row = scene[table].row?.[n];
    if (row === undefined) return `${table}.parquet`;
    return row < 0 ? "the round has not ended: no row yet" : `${table}.parquet, row ${row}`;
  }

  // The one before or after it, of the same sender.
  function beside(step) {
    const { n } = scene.chosen,
      src = transfers.src[n];
    for (let k = n + step; k >= 0 && k < transfers.src.length; k += step) {
      if (transfers.src[k] !== src) continue;
      scene.goTo(transfers.start_s[k]);
      scene.choose("transfers", k);
      return;
    }
  }

  function show() {
    const { table, n } = scene.chosen;
    const lines = known.columns[table].map((name) => {
      const unit = known.units[table][name];
      return element(
        "tr",
        {},
        element("td", {}, element("code", {}, name)),
        element("td", { "data-column": name }, `${value(table, name, n)}${unit ? ` ${unit}` : ""}`),
      );
    });
    const parts = [
      element("h3", {}, title(table, n)),
      element("p", { class: "note" }, where(table, n)),
      element("div", { class: "wide" }, element("table", {}, element("tbody", {}, ...lines))),
    ];
    if (table === "transfers") {
      parts.splice(
        2,
        0,
        element(
          "p",
          {},
          button("‹", "the sender's transmission before", () => beside(-1)),
          " ",
          button("›", "the sender's next transmission", () => beside(1)),
        ),
      );
    }
    holder.replaceChildren(...parts);
  }

  scene.watch((what) => {
    if (what === "chosen") show();
  });
}
