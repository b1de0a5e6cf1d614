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
  const progress = (row) => {
    const left = timeLeft(row), share = `${Math.floor(100 * row.progress)} %`;
    return row.state === "running" ? el("span", { class: "progress" }, share, left ? `, ${seconds(left)} left` : "") : "";
  };
  const columns = {
    state: column("state", (row) => [badge(row), progress(row)]),
    network: column("network", (row) => [runLink(row, row.name), tagAndFolder(row)]),
    error: numeric("training error", lastError),
    dataset: column("data set", (row) => row.dataset_title),
    depth: numeric("depth", (row) => row.depth),
    width: numeric("width", (row) => row.width ?? MISSING),
    lr: numeric("learning rate", (row) => digits(row.lr)),
    n: numeric("n", (row) => (row.diverged ? `${row.n - row.diverged} of ${row.n}` : row.n)),
    test_accuracy: numeric("test accuracy", (row) => digits(row.test_accuracy)),
    fluctuation: numeric(MEASURED.fluctuation, (row) => el("span", { title: row.note }, measured(row, "fluctuation"))),
    step: numeric("steps", (row) => row.step ?? MISSING),
    seconds: numeric("time", (row) => seconds(row.seconds)),
    changed: column("last record", (row) => el("span", { class: "whole" }, moment(row.changed))),
    tag: column("tag", (row) => row.tag),
    id: column("run", (row) => runLink(row, folderName(row), "path")),
  };
  const NOT_AT_FIRST = ["width", "lr"]; // columns that are shown when asked for
  let hidden = new Set(NOT_AT_FIRST), wanted = {}; // wanted: filters that the address names
  const titles = { dataset: "Data set", depth: "Depth", network: "Network", tag: "Tag", state: "State" };
  const filters = Object.entries(titles).map(([key, title]) => ({ key, ...choice(title, () => fill()) }));
  const search = el("input", { type: "search", oninput: () => fill(), placeholder: "snn 8 lr=1e-5" });
  const count = el("p", { class: "note", role: "status" });
  const head = el("tr"), body = el("tbody"), problems = el("div");
  const WORDS = {
    "training error": "mean cross-entropy in nats over the training samples, in training mode, as in the paper's figure",
    fluctuation: "how much the log of the training error moves from record to record, without its trend; 0.01 is 1 %",
    "spread of forks": "how far copies of one trained network lie apart after an epoch that differs in one source of noise",
    seeds: "each seed is a network of its own; all of a run are trained together, and intervals are over them",
    crashed: "says that it is running, but no process trains it any more; the same command goes on",
    diverged: "the training error stopped being finite, for every seed (state) or for some (n)",
  };
  const glossary = () => el("details", { id: "words" }, el("summary", {}, "Words"),
    el("dl", {}, Object.entries(WORDS).flatMap(([word, meaning]) => [el("dt", {}, word), el("dd", {}, meaning)])));
  const caption = "Runs: training error is the mean ± standard deviation over seeds at the last step; fluctuation with "
    + "its 95 % interval over seeds";
  const element = el("section", { "aria-label": "Runs" },
    controls(filters.map((one) => one.element), el("label", { class: "field" }, el("span", {}, "Search"), search),
      el("button", { type: "button", onclick: clear }, "Clear")),
    columnChoice(), glossary(), count, scrolling("Runs", caption, el("thead", {}, head), body, { id: "runs" }), problems);
  const NEWEST = { key: "changed", up: false };
  let order = NEWEST;

  function columnChoice() {
    const set = (key, on) => { hidden[on ? "delete" : "add"](key); fill(); };
    const ticks = Object.entries(columns).filter(([key]) => key !== "network").map(([key, { title }]) => (
      tick(title, !hidden.has(key), (on) => set(key, on), { "data-column": key })));
    return el("details", { id: "columns" }, el("summary", {}, "Columns"), el("fieldset", { class: "ticks" }, ticks));
  }

  function clear() {
    for (const { select } of filters) select.value = "";
    search.value = "";
    fill();
  }

  // Everything that the address says, and the usual for what it does not
  function restore(parameters) {
    search.value = parameters.get("q") ?? "";
    wanted = Object.fromEntries(filters.map(({ key }) => [key, parameters.get(key) ?? ""]));
    const sort = parameters.get("sort");
    order = sort ? { key: sort.replace(/^-/, ""), up: !sort.startsWith("-") } : NEWEST;
    const chosen = parameters.get("columns")?.split(",");
    hidden = new Set(chosen ? Object.keys(columns).filter((key) => !chosen.includes(key)) : NOT_AT_FIRST);
    for (const input of element.querySelectorAll("[data-column]")) input.checked = !hidden.has(input.dataset.column);
  }

  function rememberChoices() {
    if (!element.isConnected) return;
    const chosen = Object.fromEntries(filters.map(({ key, select }) => [key, select.value]));
    const usual = hidden.size === NOT_AT_FIRST.length && NOT_AT_FIRST.every((key) => hidden.has(key));
    const shown = Object.keys(columns).filter((key) => !hidden.has(key));
    const sort = order === NEWEST ? "" : `${order.up ? "" : "-"}${order.key}`;
    remember("runs", { q: search.value, ...chosen, sort, columns: usual ? "" : shown.join(",") });
  }

  function matches(row) {
    if (filters.some(({ key, select }) => select.value && String(row[key]) !== select.value)) return false;
    const names = [row.id, row.dataset_title, row.name, row.depth, row.tag, row.state, row.activation, row.normalization];
    const text = names.join(" ").toLowerCase();
    return search.value.toLowerCase().split(/\s+/).every((word) => (
      word.includes("=") ? hasSetting(row, ...word.split("=", 2)) : text.includes(word)));
  }

  // A setting by its name, its value as a number or as a text: lr=1e-5, batch_size=32, dataset=mnist
  function hasSetting(row, key, value) {
    const name = key.replaceAll("_", " "), found = row.settings[name] ?? state.overview.shared[name] ?? row[key];
    if (found === undefined || found === null) return false;
    return String(found).toLowerCase() === value || (value !== "" && Number(found) === Number(value));
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
    const { runs } = state.overview, chosen = Object.entries(columns).filter(([key]) => !hidden.has(key));
    const all = chosen.map(([, one]) => one);
    rememberChoices();
    const shown = runs.filter(matches).sort(compare);
    count.textContent = shown.length === runs.length ? `${runs.length} runs` : `${shown.length} of ${runs.length} runs`;
    head.replaceChildren(...chosen.map(header));
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
      offer([["", "all"], ...named], wanted[key] ?? select.value);
    }
    wanted = {};
    fill();
    const folder = column("folder", (row) => path(row.path)), reason = wordy("reason", (row) => row.reason);
    problems.replaceChildren(...(others.length ? [
      el("h2", {}, "Not shown"),
      table(`${others.length} folders that hold no readable run`, [folder, reason], others, { id: "problems" }),
    ] : []));
  }
  const show = (parameters) => { restore(parameters); update(); };
  return { element, update, show, about: () => "Runs" };
})();
