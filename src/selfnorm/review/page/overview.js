// All runs in a table with filters, and what else lies in the folder.
"use strict";

const STATES = ["running", "finished", "crashed", "interrupted", "failed", "diverged"]; // those with a colour

function badge(row) {
  const kind = STATES.includes(row.state) ? row.state : "other";
  return el("span", { class: `state ${kind}`, title: row.reason || null }, row.state);
}

const overviewView = (() => {
  const runLink = (row, text, kind = null) => el("a", { href: ask("run", { id: row.id }), class: kind }, text);
  const whole = (text) => el("span", { class: "whole" }, text);
  const tagAndFolder = (row) => el("span", { class: "which" }, row.tag, " ", whole(folderName(row)));
  const columns = {
    state: column("state", badge),
    dataset: column("data set", (row) => row.dataset_title),
    network: column("network", (row) => [runLink(row, row.network), tagAndFolder(row)]),
    depth: numeric("depth", (row) => row.depth),
    n: numeric("n", (row) => (row.diverged ? `${row.n - row.diverged} of ${row.n}` : row.n)),
    error: numeric("training error", lastError),
    fluctuation: numeric(MEASURED.fluctuation, (row) => el("span", { title: row.note }, measured(row, "fluctuation"))),
    step: numeric("steps", (row) => row.step ?? MISSING),
    seconds: numeric("time", (row) => seconds(row.seconds)),
    tag: column("tag", (row) => row.tag),
    id: column("run", (row) => runLink(row, folderName(row), "path")),
  };
  const titles = { dataset: "Data set", depth: "Depth", network: "Network", tag: "Tag", state: "State" };
  const filters = Object.entries(titles).map(([key, title]) => ({ key, ...choice(title, () => fill()) }));
  const search = el("input", { type: "search", oninput: () => fill(), placeholder: "any part of a name" });
  const count = el("p", { class: "note", role: "status" });
  const head = el("tr"), body = el("tbody"), problems = el("div");
  const caption = "Runs: training error is the mean ± standard deviation over seeds at the last step; fluctuation with "
    + "its 95 % interval over seeds";
  const element = el("section", { "aria-label": "Runs" },
    controls(filters.map((one) => one.element), el("label", { class: "field" }, el("span", {}, "Search"), search),
      el("button", { type: "button", onclick: clear }, "Clear")),
    count, scrolling("Runs", caption, el("thead", {}, head), body, { id: "runs" }), problems);
  let order = { key: "changed", up: false };

  function clear() {
    for (const { select } of filters) select.value = "";
    search.value = "";
    fill();
  }

  function matches(row) {
    if (filters.some(({ key, select }) => select.value && String(row[key]) !== select.value)) return false;
    const names = [row.id, row.dataset_title, row.network, row.tag, row.state, row.activation, row.normalization];
    return names.join(" ").toLowerCase().includes(search.value.toLowerCase());
  }

  // Rows without a value come last in both directions
  function compare(a, b) {
    const [x, y] = [a[order.key] ?? null, b[order.key] ?? null];
    if (x === y) return a.id < b.id ? -1 : 1;
    if (x === null || y === null) return x === null ? 1 : -1;
    return (x < y) === order.up ? -1 : 1;
  }

  function header([key, { title, kind }]) {
    const sorted = order.key === key, arrow = sorted ? (order.up ? " ↑" : " ↓") : "";
    const onclick = () => {
      order = { key, up: sorted ? !order.up : true };
      fill();
      head.querySelector(`[data-key="${key}"]`).focus();
    };
    const direction = sorted ? (order.up ? "ascending" : "descending") : null;
    return el("th", { scope: "col", class: kind, "aria-sort": direction },
      el("button", { type: "button", "data-key": key, onclick }, title, el("span", { "aria-hidden": "true" }, arrow)));
  }

  function fill() {
    const { runs } = state.overview, all = Object.values(columns);
    const shown = runs.filter(matches).sort(compare);
    count.textContent = shown.length === runs.length ? `${runs.length} runs` : `${shown.length} of ${runs.length} runs`;
    head.replaceChildren(...Object.entries(columns).map(header));
    body.replaceChildren(...shown.map((row) => el("tr", { "data-id": row.id }, cells(all, row))));
    if (shown.length) return;
    const reason = runs.length ? "No run matches the filter."
      : "No run here yet: train first, for example make figure1 DATASETS=digits.";
    body.append(el("tr", {}, el("td", { colspan: all.length }, reason)));
  }

  function update() {
    const { runs, problems: others } = state.overview;
    for (const { key, fill: offer, select } of filters) {
      const values = unique(runs.map((row) => row[key])).sort(key === "depth" ? byNumber : undefined);
      const named = values.map((value) => [value, key === "dataset" ? datasetTitle(value) : value]);
      offer([["", "all"], ...named], select.value);
    }
    fill();
    const folder = column("folder", (row) => path(row.path)), reason = wordy("reason", (row) => row.reason);
    problems.replaceChildren(...(others.length ? [
      el("h2", {}, "Not shown"),
      table(`${others.length} folders that hold no readable run`, [folder, reason], others, { id: "problems" }),
    ] : []));
  }
  return { element, update, show: update };
})();
