// All runs in a table with filters, and what else lies in the folder.
"use strict";

const overviewView = (() => {
  const filters = { dataset: "", depth: "", network: "", tag: "", state: "" };
  const titles = { dataset: "Data set", depth: "Depth", network: "Network", tag: "Tag", state: "State" };
  let words = "", order = { key: "changed", up: false };
  const columns = [
    { key: "state", title: "state", cell: (row) => badge(row) },
    { key: "dataset", title: "data set", cell: (row) => row.dataset_title },
    { key: "network", title: "network", cell: (row) => [el("a", { href: ask("run", { id: row.id }) }, row.network), el("span", { class: "which" }, row.tag, " ", el("span", { class: "whole" }, row.id.split("/").pop()))] },
    { key: "depth", title: "depth", numeric: true, cell: (row) => row.depth },
    { key: "n", title: "n", numeric: true, cell: (row) => (row.diverged ? `${row.n - row.diverged} of ${row.n}` : row.n) },
    { key: "error", title: "training error", numeric: true, cell: (row) => spread(row) },
    { key: "fluctuation", title: "fluctuation of log error", numeric: true, cell: (row) => el("span", { title: row.note ?? "" }, interval(row.fluctuation, row.fluctuation_low, row.fluctuation_high)) },
    { key: "step", title: "steps", numeric: true, cell: (row) => row.step ?? MISSING },
    { key: "seconds", title: "time", numeric: true, cell: (row) => seconds(row.seconds) },
    { key: "tag", title: "tag", cell: (row) => row.tag },
    { key: "id", title: "run", cell: (row) => el("a", { href: ask("run", { id: row.id }), class: "path" }, row.id.split("/").pop()) },
  ];
  const choices = {};
  for (const key of Object.keys(filters)) choices[key] = choice(titles[key], (value) => { filters[key] = value; fill(); });
  const search = el("input", { type: "search", oninput: () => { words = search.value.toLowerCase(); fill(); }, placeholder: "any part of a name" });
  const count = el("p", { class: "note", role: "status" });
  const head = el("tr"), body = el("tbody");
  const place = el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Runs" },
    el("table", { id: "runs" }, el("caption", {}, el("span", {}, "Runs: training error is the mean ± standard deviation over seeds at the last step; fluctuation with its 95 % interval over seeds")), el("thead", {}, head), body));
  const problems = el("div");
  const element = el("section", { "aria-label": "Runs" },
    el("form", { class: "controls", onsubmit: (event) => event.preventDefault() },
      Object.values(choices).map((one) => one.element),
      el("label", { class: "field" }, el("span", {}, "Search"), search),
      el("button", { type: "button", onclick: clear }, "Clear")),
    count, place, problems);

  function clear() {
    for (const key of Object.keys(filters)) { filters[key] = ""; choices[key].select.value = ""; }
    search.value = words = "";
    fill();
  }

  function badge(row) {
    const known = ["running", "finished", "crashed", "interrupted", "failed", "diverged"];
    const kind = known.includes(row.state) ? row.state : "other";
    return el("span", { class: `state ${kind}`, title: row.reason || null }, row.state);
  }

  function spread(row) {
    if (row.error === null) return MISSING;
    return row.error_sd === null ? digits(row.error) : `${digits(row.error)} ± ${digits(row.error_sd, 2)}`;
  }

  function matches(row) {
    if (Object.entries(filters).some(([key, wanted]) => wanted !== "" && String(row[key]) !== wanted)) return false;
    return words === "" || `${row.id} ${row.dataset_title} ${row.network} ${row.tag} ${row.state} ${row.activation} ${row.normalization}`.toLowerCase().includes(words);
  }

  function compare(a, b) {
    const [x, y] = [a[order.key], b[order.key]];
    if (x === y) return a.id < b.id ? -1 : 1;
    if (x === null || x === undefined) return 1;
    if (y === null || y === undefined) return -1;
    return (x < y ? -1 : 1) * (order.up ? 1 : -1);
  }

  function header(column) {
    const sorted = order.key === column.key;
    const onclick = () => { order = { key: column.key, up: sorted ? !order.up : true }; fill(); head.querySelector(`[data-key="${column.key}"]`).focus(); };
    return el("th", { scope: "col", class: kind(column), "aria-sort": sorted ? (order.up ? "ascending" : "descending") : null },
      el("button", { type: "button", "data-key": column.key, onclick }, column.title, el("span", { "aria-hidden": "true" }, sorted ? (order.up ? " ↑" : " ↓") : "")));
  }

  function fill() {
    const { runs } = state.overview;
    const shown = runs.filter(matches).sort(compare);
    count.textContent = shown.length === runs.length ? `${runs.length} runs` : `${shown.length} of ${runs.length} runs`;
    head.replaceChildren(...columns.map(header));
    body.replaceChildren(...shown.map((row) => el("tr", { "data-id": row.id },
      columns.map((column) => el("td", { class: kind(column) }, column.cell(row))))));
    if (!shown.length) body.append(el("tr", {}, el("td", { colspan: columns.length }, runs.length ? "No run matches the filter." : "No run here yet: train first, for example make figure1 DATASETS=digits.")));
  }

  function update() {
    const { runs } = state.overview;
    for (const key of Object.keys(filters)) {
      const values = unique(runs.map((row) => row[key])).sort(key === "depth" ? byNumber : undefined);
      const named = values.map((value) => [value, key === "dataset" ? runs.find((row) => row.dataset === value).dataset_title : value]);
      choices[key].fill([["", "all"], ...named], filters[key]);
    }
    fill();
    const others = state.overview.problems;
    problems.replaceChildren(...(others.length ? [
      el("h2", {}, "Not shown"),
      table(`${others.length} folders that hold no readable run`, [
        { title: "folder", cell: (row) => path(row.path) }, { title: "reason", text: true, cell: (row) => row.reason },
      ], others, { id: "problems" }),
    ] : []));
  }
  return { element, update, show: update, badge, spread };
})();
