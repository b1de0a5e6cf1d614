// Two runs side by side: errors, statistics, moments on one colour scale, and in what their configurations differ.
"use strict";

const compareView = (() => {
  const chosen = { a: "", b: "" };
  const go = () => { location.hash = ask("compare", chosen); };
  const a = choice("Run A", (id) => { chosen.a = id; go(); }), b = choice("Run B", (id) => { chosen.b = id; go(); });
  for (const one of [a, b]) one.element.classList.add("long");
  const axis = choice("Error axis", () => drawErrors());
  axis.fill([["log", "logarithmic"], ["linear", "linear"]]);
  const swap = el("button", { type: "button", onclick: () => { [chosen.a, chosen.b] = [chosen.b, chosen.a]; go(); } }, "Swap");
  const error = chart("", ""), numbers = el("div"), moments = momentsPanel(), difference = el("div"), problem = el("p", { role: "alert" });
  const content = el("div", {}, el("div", { class: "maps two" }, error, numbers), moments.element, difference);
  const element = el("section", { "aria-label": "Compare two runs" },
    el("form", { class: "controls", onsubmit: (event) => event.preventDefault() }, a.element, b.element, swap, axis.element), problem, content);
  let documents = [];

  async function update() {
    const runs = newest(state.overview.runs);
    chosen.a ||= runs[0]?.id ?? "";
    chosen.b ||= runs.length > 1 ? partner(rowOf(chosen.a) ?? {}, runs.filter((row) => row.id !== chosen.a)).id : chosen.a;
    a.fill(runs.map((row) => [row.id, runName(row)]), chosen.a);
    b.fill(runs.map((row) => [row.id, runName(row)]), chosen.b);
    const wanted = chosen.a + chosen.b, ids = [chosen.a, chosen.b], missing = ids.filter((id) => !rowOf(id)), rows = missing.length ? [] : ids.map(rowOf);
    if (!rows.length || rows.some((row, i) => row.id !== documents[i]?.id)) content.hidden = true; // not for a live update
    problem.textContent = rows.length ? "" : notThere(...missing);
    if (!rows.length) return;
    const found = await Promise.all(rows.map((row) => runDocument(row.id)));
    if (wanted !== chosen.a + chosen.b) return;
    problem.textContent = found.map((one, i) => (one.problem ? `${LETTERS[i]}: ${one.problem}` : "")).filter(Boolean).join("; ");
    content.hidden = found.some((one) => one.problem);
    if (content.hidden) return;
    documents = found;
    drawErrors();
    numbers.replaceChildren(statistics(rows, rows.map((row, i) => `${LETTERS[i]}: ${runTitle(row)}, n = ${row.n - row.diverged} seeds`).join("; ")));
    moments.update(found.map((one, i) => ({ title: LETTERS[i], document: one, style: PAIR[i] })));
    difference.replaceChildren(
      el("h2", {}, "What differs"), differing("Configuration", found.map((one) => one.config)), differing("Environment", found.map((one) => one.environment)),
    );
  }

  function drawErrors() {
    error.setAttribute("aria-label", "Training error of both runs by step. Numbers in the table below.");
    draw(error, () => ({
      traces: documents.flatMap(({ band, id }, i) => (band.step.length ? bandTraces({ ...band, ...PAIR[i], id: `${LETTERS[i]}`, title: `${LETTERS[i]}: ${runTitle(rowOf(id))}` }) : [])),
      layout: { title: "Training error", showlegend: true, xaxis: { title: "update steps" }, yaxis: { title: "mean cross-entropy, nats", ...numberAxis(axis.value) } },
    }));
  }

  function differing(title, [one, other]) {
    const left = new Map(flat(one)), right = new Map(flat(other)), keys = unique([...left.keys(), ...right.keys()]);
    const rows = keys.filter((key) => inWords(left.get(key)) !== inWords(right.get(key)));
    if (!rows.length) return el("p", { class: "note" }, `${title}: no difference in ${keys.length} keys.`);
    return table(`${title}: ${rows.length} of ${keys.length} keys differ`, [
      { title: "key", cell: (key) => el("span", { class: "path" }, key) }, { title: "A", cell: (key) => inWords(left.get(key)) }, { title: "B", cell: (key) => inWords(right.get(key)) },
    ], rows, { class: "difference" });
  }

  function show(parameters) {
    for (const key of ["a", "b"]) if (parameters.get(key)) chosen[key] = parameters.get(key);
    return update();
  }
  return { element, update, show };
})();
