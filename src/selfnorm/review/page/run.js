// One run in full: what it is, its files, its error by seed, the moments of its layers and its configuration.
"use strict";

const runView = (() => {
  const chosen = { id: "" };
  const run = choice("Run", (id) => { location.hash = ask("run", { id }); });
  run.element.classList.add("long");
  const head = el("div"), numbers = el("div"), error = chart("", ""), moments = momentsPanel(), tables = el("div", { class: "panels" });
  const axis = choice("Error axis", () => drawError());
  axis.fill([["log", "logarithmic"], ["linear", "linear"]]);
  const content = el("div", {}, head,
    el("form", { class: "controls", onsubmit: (event) => event.preventDefault() }, axis.element),
    el("div", { class: "maps" }, error, numbers), moments.element, tables);
  const problem = el("p", { role: "alert" });
  const element = el("section", { "aria-label": "One run" }, el("form", { class: "controls", onsubmit: (event) => event.preventDefault() }, run.element), problem, content);
  let document_ = null;

  async function update() {
    const { runs } = state.overview;
    chosen.id ||= newest(runs)[0]?.id ?? "";
    run.fill(newest(runs).map((row) => [row.id, runName(row)]), chosen.id);
    const row = rowOf(chosen.id);
    if (!row || document_?.id !== row.id) content.hidden = true; // a live update leaves the reader where he is
    problem.textContent = row ? "" : notThere(chosen.id);
    if (!row) return;
    const found = await runDocument(row.id);
    if (row.id !== chosen.id) return; // another was chosen meanwhile
    problem.textContent = found.problem ?? "";
    content.hidden = Boolean(found.problem);
    if (found.problem) return;
    document_ = found;
    head.replaceChildren(...heading(row, found));
    drawError();
    moments.update([{ title: "", document: found, style: PAIR[0] }]);
    numbers.replaceChildren(statistics([row], `Over n = ${row.n - row.diverged} seeds, with 95 % intervals${row.note ? `; ${row.note}` : ""}`));
    tables.replaceChildren(...[["Configuration", found.config], ["Environment", found.environment]].map(([name, mapping]) => el("div", {}, el("h2", {}, name), pairs(name, mapping))));
  }

  function heading(row, found) {
    const link = (name) => (source.file ? el("a", { href: source.file(row.id, name), target: "_blank", rel: "noopener" }, name) : name);
    const files = found.files.flatMap((name, i) => [i ? ", " : "", link(name)]);
    const others = newest(state.overview.runs).filter((one) => one.id !== row.id);
    return [
      el("h2", {}, runTitle(row)),
      el("p", { class: "note" }, overviewView.badge(row), row.reason ? `: ${row.reason}` : "", ` · tag ${row.tag} · scale ${row.scale} · ${row.n} seeds · ${seconds(row.seconds)}`),
      el("p", { class: "note" }, "Files: ", files, source.file ? "" : ", in ", source.file ? "" : el("span", { class: "path" }, row.id)),
      others.length ? el("p", { class: "note" }, el("a", { href: ask("compare", { a: row.id, b: partner(row, others).id }) }, "Compare with another run")) : null,
    ].filter(Boolean);
  }

  function drawError() {
    const { band, curves } = document_;
    const train = curves.filter((curve) => curve.split === "train");
    error.setAttribute("aria-label", `Training error by step over ${train.length} seeds`);
    error.hidden = !curves.length;
    if (error.hidden) return;
    draw(error, () => {
      const line = { ...band, ...PAIR[0], title: "geometric mean, band of one sd of log error", id: "mean" };
      const faint = withAlpha(colourOf(PAIR[0]), 0.55), traces = [];
      for (const split of unique(["train", ...curves.map((curve) => curve.split)])) {
        const ofSplit = curves.filter((curve) => curve.split === split), color = split === "train" ? faint : css("--soft");
        traces.push(...ofSplit.map((curve, i) => seedTrace(curve, color, i ? "" : `${split}, each seed`)));
      }
      if (band.step.length) traces.push(...bandTraces(line));
      return { traces, layout: { title: "Training error", showlegend: true, xaxis: { title: "update steps" }, yaxis: { title: "mean cross-entropy, nats", ...numberAxis(axis.value) } } };
    });
  }

  // Lines, but a marker where there is no second point to draw a line to: the test error, or a seed that diverged at once
  function seedTrace({ split, seed, step, loss }, color, legend) {
    const title = safe(`${split}, seed ${seed}`), alone = loss.filter((value) => value !== null).length < 2;
    return {
      x: step, y: loss, mode: alone ? "markers" : "lines", name: safe(legend || title), legendgroup: split, showlegend: Boolean(legend),
      line: { width: 1, color, dash: split === "train" ? "solid" : "dot" }, marker: { size: 6, color, symbol: split === "train" ? "circle" : "diamond-open" },
      hovertemplate: `${title}<br>step %{x}<br>error %{y:.5g}<extra></extra>`,
    };
  }

  return { element, update, show: (parameters) => { if (parameters.get("id")) chosen.id = parameters.get("id"); return update(); } };
})();

const notThere = (...ids) => (ids.some(Boolean) ? `Not here: run ${ids.filter(Boolean).join(", ")}. Choose another.` : "No run here yet.");
const newest = (runs) => [...runs].sort((a, b) => b.changed - a.changed || (a.id < b.id ? -1 : 1));

// The run that a comparison is most likely wanted with: same tag, data set and depth.
function partner(row, others) {
  const score = (one) => ["tag", "dataset", "depth"].filter((key) => one[key] === row[key]).length;
  return [...others].sort((a, b) => score(b) - score(a))[0];
}

function statistics(rows, caption) {
  const quantities = [
    ["training error, last step", (row) => overviewView.spread(row)],
    ["fluctuation of log error", (row) => interval(row.fluctuation, row.fluctuation_low, row.fluctuation_high)],
    ["fluctuation of the error itself", (row) => interval(row.fluctuation_error, row.fluctuation_error_low, row.fluctuation_error_high)],
    ["final error", (row) => interval(row.final_error, row.final_error_low, row.final_error_high)],
    ["test error rate", (row) => interval(row.test_error, row.test_error_low, row.test_error_high)],
    ["spread of log error over seeds", (row) => digits(row.spread)],
  ];
  return table(caption, [
    { title: "quantity", cell: ([name]) => name },
    ...rows.map((row, i) => ({ title: rows.length > 1 ? LETTERS[i] : "value", numeric: true, cell: ([, of]) => of(row) })),
  ], quantities, { class: "statistics" });
}

function flat(value, prefix = "") {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return [[prefix, value]];
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, prefix ? `${prefix}.${key}` : key));
}
const inWords = (value) => (value === undefined ? MISSING : typeof value === "string" ? value : JSON.stringify(value));

function pairs(caption, mapping) {
  const rows = flat(mapping);
  return table(caption, [{ title: "key", cell: ([key]) => el("span", { class: "path" }, key) }, { title: "value", cell: ([, value]) => inWords(value) }], rows, { class: "pairs" });
}
