// One run in full, or two beside each other: what they are, their errors, forks, layers' moments and configurations.
"use strict";

const LETTERS = ["A", "B"];
const PAIR = [{ colour: "#b3201f", dark: "#ff8c6b" }, { colour: "#0b57b0", dark: "#7fb8ea" }]; // runs A and B
const SOURCES = { // what copies of one state differ in -> title and line
  all: { title: "all sources", colour: "#1b1f24", dark: "#e8eaed" },
  order: { title: "batch order", colour: "#0b57b0", dark: "#7fb8ea" },
  masks: { title: "dropout masks", colour: "#b07700", dark: "#e8b13c" },
  statistics: { title: "batch statistics", colour: "#007a5a", dark: "#3fc79f" },
  evaluation: { title: "evaluation alone", colour: "#b3201f", dark: "#ff8c6b", dash: "dot" },
};

// titles: for each run that the address names, by its key there, the title of its choice
function runsView(name, label, titles) {
  const keys = Object.keys(titles), isPair = keys.length > 1;
  const chosen = Object.fromEntries(keys.map((key) => [key, ""]));
  const choose = (ids) => { location.hash = ask(name, { ...chosen, ...ids }); };
  const choices = keys.map((key) => choice(titles[key], (id) => choose({ [key]: id })));
  for (const { element } of choices) element.classList.add("long");
  const swap = () => choose({ a: chosen.b, b: chosen.a });
  const swapButton = isPair ? el("button", { type: "button", onclick: swap }, "Swap") : null;
  const axis = axisChoice("Error axis", () => drawErrors());
  const head = el("div"), numbers = el("div"), error = chart(), forks = chart(), moments = momentsPanel();
  const forksNote = note("Copies of one state are trained on: standard deviation over copies of log training error, "
    + "geometric mean over seeds, band of one sd. Open triangles are upper bounds: the copies of a seed are equal.");
  const spread = el("div", {}, forks, forksNote), tables = el("div", { class: isPair ? null : "panels" });
  const problem = el("p", { role: "alert" });
  const content = el("div", {}, head, el("div", { class: isPair ? "maps two" : "maps" }, error, numbers),
    spread, moments.element, tables);
  const element = el("section", { "aria-label": label },
    controls(choices.map((one) => one.element), swapButton, axis.element), problem, content);
  let subjects = []; // {title, prefix, row, document, style} of each run that is shown

  async function update() {
    const runs = newest(state.overview.runs), [first, second] = keys;
    chosen[first] ||= runs[0]?.id ?? "";
    if (isPair) chosen[second] ||= partner(rowOf(chosen[first]) ?? {}, runs)?.id ?? chosen[first];
    const ids = Object.values(chosen), missing = ids.filter((id) => !rowOf(id));
    choices.forEach((one, i) => one.fill(runs.map((row) => [row.id, runName(row)]), ids[i]));
    const isNew = ids.some((id, i) => id !== subjects[i]?.row.id); // a live update leaves the reader where he is
    if (missing.length || isNew) content.hidden = true;
    problem.textContent = missing.length ? notFound(missing) : "";
    if (missing.length) return;
    const documents = await Promise.all(ids.map(runDocument));
    if (ids.join() !== Object.values(chosen).join()) return; // another was chosen meanwhile
    const titled = documents.map((document, i) => {
      const title = isPair ? LETTERS[i] : "", prefix = isPair ? `${title}: ` : "";
      return { title, prefix, row: rowOf(ids[i]), document, style: PAIR[i] };
    });
    const faulty = titled.filter(({ document }) => document.problem);
    problem.textContent = faulty.map(({ prefix, document }) => prefix + document.problem).join("; ");
    content.hidden = faulty.length > 0;
    if (faulty.length) return;
    subjects = titled;
    fill();
  }

  function fill() {
    head.replaceChildren(...(isPair ? [] : heading(subjects[0])));
    drawErrors();
    drawForks();
    numbers.replaceChildren(statistics(subjects));
    moments.update(subjects);
    const parts = { Configuration: "config", Environment: "environment" };
    const all = Object.entries(parts).map(([title, part]) => [title, subjects.map(({ document }) => document[part])]);
    const differences = () => [el("h2", {}, "What differs"), ...all.map(([title, both]) => differing(title, both))];
    tables.replaceChildren(...(isPair ? differences() : all.map(([title, [mapping]]) => pairs(title, mapping))));
  }

  const shownIds = () => subjects.map(({ row }) => row.id).join();

  function drawErrors() {
    error.hidden = !subjects.some(({ document }) => document.curves.length);
    if (error.hidden) return;
    const label = `Training error by step: ${subjects.map(({ row }) => runTitle(row)).join("; ")}. Numbers in a table.`;
    drawLines(error, { label, key: shownIds(), title: "Training error", axis: axis.value }, () => {
      const lines = subjects.map(({ title, prefix, row, document: { band }, style }) => ({
        ...band, ...style, id: title || "mean",
        title: isPair ? prefix + runTitle(row) : "geometric mean, band of one sd of log error",
      }));
      const seeds = isPair ? [] : seedTraces(subjects[0].document.curves);
      return [...seeds, ...lines.filter((line) => line.step.length).flatMap((line) => bandTraces(line))];
    });
  }

  // One run has a line per source; each of two runs has its colour and the line of all sources together
  function drawForks() {
    const lines = subjects.flatMap(({ prefix, document, style }) => (
      (document.forks ?? []).filter(({ source }) => !isPair || source === "all").map((line) => {
        const known = SOURCES[line.source] ?? { ...SOURCES.evaluation, title: line.source };
        return { ...line, ...known, ...(isPair ? style : {}), id: prefix + line.source, title: prefix + known.title };
      })
    ));
    spread.hidden = !lines.length;
    if (spread.hidden) return;
    const title = `Spread between forks after ${Math.max(...lines.map((line) => line.update))} updates`;
    const label = `${title}, by step of the fork: ${lines.map((line) => line.title).join("; ")}`;
    const view = { label, key: shownIds(), title, y: "sd of log error over copies", axis: "log", across: "log" };
    drawLines(forks, view, () => lines.flatMap((line) => {
      const traces = bandTraces(line, { value: "sd" });
      const symbol = line.bound.map((bound) => (bound ? "triangle-down-open" : "circle"));
      Object.assign(traces.at(-1), { mode: "lines+markers", marker: { symbol, size: 7, color: colourOf(line) } });
      return traces;
    }));
  }

  function show(parameters) {
    for (const key of keys) chosen[key] = parameters.get(key) || chosen[key];
    return update();
  }
  const about = () => (subjects.length ? subjects.map(({ row }) => runTitle(row)).join(" and ") : label);
  return { element, update, show, about };
}

const runView = runsView("run", "One run", { id: "Run" });
const compareView = runsView("compare", "Compare two runs", { a: "Run A", b: "Run B" });

// Why a run that did not end stopped, and the command that goes on from its last checkpoint
const ENDS = {
  crashed: "its process is gone without a word: it was killed, or the machine went down",
  interrupted: "it was asked to stop",
  failed: "it ended with an error",
};
function goesOn({ row, document: { environment } }) {
  if (!(row.state in ENDS)) return null;
  const command = environment?.command;
  const again = command ? [" The same command goes on: ", el("code", {}, command)] : [];
  return note(`${row.state}: ${row.reason || ENDS[row.state]}.`, ...again);
}

function heading(subject) {
  const { row, document: { files } } = subject;
  const link = (name) => el("a", { href: source.file(row.id, name), target: "_blank", rel: "noopener" }, name);
  const names = files.flatMap((name, i) => [i ? ", " : "", source.file ? link(name) : name]);
  const other = partner(row, state.overview.runs);
  const facts = ` · tag ${row.tag} · scale ${row.scale} · ${row.n} seeds · ${seconds(row.seconds)}`;
  return [
    el("h2", {}, runTitle(row)),
    note(badge(row), row.reason && !(row.state in ENDS) ? `: ${row.reason}` : "", facts),
    goesOn(subject),
    note("Files: ", names, ...(source.file ? [] : [", in ", el("span", { class: "path" }, row.id)])),
    other && note(el("a", { href: ask("compare", { a: row.id, b: other.id }) }, "Compare with another run")),
  ].filter(Boolean);
}

// A line per seed and split, but a marker where a line has no second point: the test error, or a seed that diverged at
// once. The first seed of a split stands for all in the legend.
function seedTraces(curves) {
  return unique(["train", ...curves.map((curve) => curve.split)]).flatMap((split) => {
    const isTrain = split === "train", color = isTrain ? withAlpha(colourOf(PAIR[0]), 0.55) : css("--soft");
    return curves.filter((curve) => curve.split === split).map(({ seed, step, loss }, i) => {
      const title = safe(`${split}, seed ${seed}`), alone = loss.filter((value) => value !== null).length < 2;
      return {
        x: step, y: loss, uid: title, mode: alone ? "markers" : "lines", legendgroup: split, showlegend: !i,
        name: i ? title : safe(`${split}, each seed`), line: { width: 1, color, dash: isTrain ? "solid" : "dot" },
        marker: { size: 6, color, symbol: isTrain ? "circle" : "diamond-open" },
        hovertemplate: `${title}<br>step %{x}<br>error %{y:.5g}<extra></extra>`,
      };
    });
  });
}

const newest = (runs) => [...runs].sort((a, b) => b.changed - a.changed || (a.id < b.id ? -1 : 1));
const notFound = (ids) => (
  ids.some(Boolean) ? `Not here: run ${ids.filter(Boolean).join(", ")}. Choose another.` : "No run here yet."
);

// The run that a comparison is most likely wanted with: another of the same tag, data set and depth.
function partner(row, runs) {
  const score = (one) => ["tag", "dataset", "depth"].filter((key) => one[key] === row[key]).length;
  return newest(runs).filter((one) => one.id !== row.id).sort((a, b) => score(b) - score(a))[0];
}

function statistics(subjects) {
  const quantities = [
    ["training error, last step", lastError],
    ...Object.entries(MEASURED).map(([key, title]) => [title, (row) => measured(row, key)]),
    ["spread of log error over seeds", (row) => digits(row.spread)],
  ];
  const values = subjects.map(({ title, row }) => numeric(title || "value", ([, value]) => value(row)));
  const caption = subjects.map(({ prefix, row }) => (
    `${prefix}${runTitle(row)}, n = ${row.n - row.diverged} seeds${row.note ? `, ${row.note}` : ""}`
  )).join("; ");
  const columns = [column("quantity", ([title]) => title), ...values];
  return table(`${caption}; 95 % intervals`, columns, quantities, { class: "statistics" });
}

function flat(value, prefix = "") {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return [[prefix, value]];
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, prefix ? `${prefix}.${key}` : key));
}
const inWords = (value) => (value === undefined ? MISSING : typeof value === "string" ? value : JSON.stringify(value));
const keyColumn = column("key", ([key]) => el("span", { class: "path" }, key));

function pairs(title, mapping) {
  const columns = [keyColumn, column("value", ([, value]) => inWords(value))];
  return el("div", {}, el("h2", {}, title), table(title, columns, flat(mapping), { class: "pairs" }));
}

function differing(title, mappings) {
  const [left, right] = mappings.map((mapping) => new Map(flat(mapping)));
  const keys = unique([...left.keys(), ...right.keys()]);
  const both = keys.map((key) => [key, inWords(left.get(key)), inWords(right.get(key))]);
  const rows = both.filter(([, one, other]) => one !== other);
  if (!rows.length) return note(`${title}: no difference in ${keys.length} keys.`);
  const columns = [keyColumn, column("A", ([, value]) => value), column("B", ([, , value]) => value)];
  return table(`${title}: ${rows.length} of ${keys.length} keys differ`, columns, rows, { class: "difference" });
}
