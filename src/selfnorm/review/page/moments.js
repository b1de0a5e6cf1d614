// Any recorded moment of one or two runs: layer by step as heat maps on one colour scale, and beside them the layers
// at the step of the slider with the theory's curves.
"use strict";

const LETTERS = ["A", "B"];
const PAIR = [{ colour: "#b3201f", dark: "#ff8c6b" }, { colour: "#0b57b0", dark: "#7fb8ea" }];
// Unlike in width too: where both maps agree, the dots are seen on the wide line
const THEORY_LINE = { second_moment: { width: 5, opacity: 0.35 }, paper: { width: 2, dash: "dot" } };

// subjects: {title, document, style}; those without moments are left out with a note.
function momentsPanel() {
  const chosen = { step: null, column: "activation_variance", seed: "mean" };
  const column = choice("Moment", (value) => { chosen.column = value; paint(); });
  const seed = choice("Seed", (value) => { chosen.seed = value; paint(); });
  const slider = el("input", { type: "range", min: 0, id: "step", oninput: () => { chosen.step = Number(slider.value); paint(); } });
  const said = el("output", { for: "step" });
  const maps = el("div", { class: "maps" }), notes = el("div"), values = el("div");
  const profile = chart("", "profile");
  const body = el("div", {},
    el("form", { class: "controls", onsubmit: (event) => event.preventDefault() }, column.element, seed.element,
      el("label", { class: "field long" }, el("span", {}, "Step ", said), slider)),
    maps, el("details", {}, el("summary", {}, "Numbers at this step"), values));
  const element = el("section", { "aria-label": "Moments" }, el("h2", {}, "Moments of every layer"), body, notes);
  let shown = [], steps = [];

  function update(subjects) {
    shown = subjects.filter(({ document }) => document.moments);
    notes.replaceChildren(...subjects.flatMap(remarks).map((text) => el("p", { class: "note" }, text)));
    body.hidden = !shown.length;
    if (!shown.length) return;
    const atEnd = chosen.step === null || chosen.step >= steps.length - 1; // a live run is followed
    steps = unique(shown.flatMap(({ document }) => document.moments.steps)).sort(byNumber);
    slider.max = steps.length - 1;
    if (atEnd || chosen.step >= steps.length) chosen.step = steps.length - 1;
    const columns = unique(shown.flatMap(({ document }) => document.moments.columns));
    if (!columns.includes(chosen.column)) [chosen.column] = columns;
    column.fill(columns.map((name) => [name, momentTitle(name)]), chosen.column);
    const seeds = unique(shown.flatMap(({ document }) => document.moments.seeds)).sort(byNumber).map(String);
    const noMean = shown.every(({ document }) => !document.moments.in_mean.length);
    if (!seeds.includes(chosen.seed)) chosen.seed = noMean ? seeds[0] : "mean";
    seed.fill([["mean", "mean over seeds"], ...seeds], chosen.seed);
    while (maps.children.length > shown.length + 1) maps.firstChild.remove();
    while (maps.children.length < shown.length) maps.prepend(chart(""));
    maps.append(profile);
    maps.classList.toggle("two", shown.length > 1);
    paint();
  }

  function remarks({ title, document }) {
    const { moments, theory } = document, prefix = title ? `${title}: ` : "";
    if (!moments) return [`${prefix}no moments to show${document.moments_note ? `: ${document.moments_note}` : ""}.`];
    const lost = moments.seeds.filter((one) => !moments.in_mean.includes(one));
    const parts = moments.all_steps > moments.steps.length ? `${moments.steps.length} of ${moments.all_steps} recorded steps are shown.` : "";
    return [theory?.note, parts, lost.length ? `Seeds that diverged are not in the mean: ${lost.join(", ")}.` : ""]
      .filter(Boolean).map((text) => prefix + text);
  }

  // A click on a heat map moves the slider there.
  function listen(map) {
    if (map.dataset.listening) return;
    map.dataset.listening = "yes";
    map.on("plotly_click", ({ points: [{ customdata: [step] }] }) => { chosen.step = steps.indexOf(step); paint(); });
  }

  function valuesOf({ moments }) {
    if (chosen.seed === "mean") return moments.mean[chosen.column];
    const at = moments.seeds.map(String).indexOf(chosen.seed);
    return at < 0 ? undefined : moments.by_seed[chosen.column]?.[at];
  }

  // The last record of a run at or before the slider's step, its first one otherwise
  const recordAt = ({ moments }, step) => Math.max(0, moments.steps.findLastIndex((one) => one <= step));

  function paint() {
    if (!shown.length) return;
    const step = steps[chosen.step], name = momentTitle(chosen.column);
    slider.value = chosen.step;
    slider.setAttribute("aria-valuetext", `step ${step}`);
    said.textContent = String(step);
    const parts = shown.map((subject) => ({ ...subject, values: valuesOf(subject.document), at: recordAt(subject.document, step) }))
      .filter((part) => part.values);
    const all = parts.flatMap((part) => flatFinite(part.values));
    if (!all.length) { values.replaceChildren(el("p", {}, "No finite value.")); return; }
    const scale = colourScale(all, chosen.column, parts[0].document.theory?.fixed_point);
    parts.forEach((part, i) => {
      const { steps: own, layers } = part.document.moments, map = maps.children[i];
      map.setAttribute("aria-label", `${name} by layer and step, ${part.title || "this run"}. Numbers below.`);
      heatMap(map, { title: part.title ? `${part.title}: ${name}` : name, column: chosen.column, steps: own, layers, values_TL: part.values, scale, at: part.at, below: below(parts) });
      listen(map);
    });
    profile.setAttribute("aria-label", `${name} by layer at step ${step}, with the theory where there is one. Numbers below.`);
    drawProfile(profile, { parts, column: chosen.column, step, all, log: scale.log });
    values.replaceChildren(numbersTable(parts, chosen.column, `${name} at step ${step}`));
  }

  return { element, update };
}

const curvesOf = (document, column) => Object.entries(document.theory?.curves?.[column] ?? {});

// Room for the legend of a profile, and as much under the heat map beside it: a layer is at one height in both
const below = (parts) => (parts.length > 1 || window.innerWidth <= 760 ? 44 : 100);

// Layers upwards as in the heat map; the value axis stays while the slider moves.
function drawProfile(element, { parts, column, step, all, log }) {
  draw(element, () => {
    const traces = parts.flatMap((part) => {
      const colour = colourOf(part.style), { layers, steps } = part.document.moments, prefix = part.title ? `${part.title}: ` : "";
      const own = { y: layers, type: "scatter" };
      const measured = {
        ...own, x: part.values[part.at], mode: "lines+markers", name: safe(`${prefix}measured, step ${steps[part.at]}`),
        marker: { size: 5, color: colour }, line: { width: 1.5, color: colour }, hovertemplate: `layer %{y}<br>${safe(momentTitle(column))} %{x:.4g}<extra></extra>`,
      };
      const theory = curvesOf(part.document, column).map(([name, x]) => ({
        ...own, x, mode: "lines", name: safe(prefix + part.document.theory.titles[name]), opacity: THEORY_LINE[name].opacity,
        line: { width: THEORY_LINE[name].width, dash: THEORY_LINE[name].dash, color: colour },
        hovertemplate: `layer %{y}<br>theory %{x:.4g}<extra></extra>`,
      }));
      return [measured, ...theory];
    });
    const whole = [...all, ...parts.flatMap((part) => curvesOf(part.document, column).flatMap(([, x]) => x))];
    return {
      traces, layout: {
        title: `Step ${step}`, margin: { l: 56, r: 12, t: 30, b: below(parts) }, showlegend: true, yaxis: layerAxis(unique(parts.flatMap((part) => part.document.moments.layers)).sort(byNumber)),
        xaxis: { title: momentTitle(column), ...numberAxis(log ? "log" : "linear"), range: wholeRange(whole, log), zeroline: false },
      },
    };
  });
}

function wholeRange(values, log) {
  const used = values.filter((value) => value !== null && (!log || value > 0)).map((value) => (log ? Math.log10(value) : value));
  const low = used.reduce((a, b) => Math.min(a, b)), high = used.reduce((a, b) => Math.max(a, b));
  const edge = 0.05 * (high - low) || 0.1 * Math.abs(high) || 0.1;
  return [low - edge, high + edge];
}

function numbersTable(parts, column, caption) {
  const layers = unique(parts.flatMap((part) => part.document.moments.layers)).sort(byNumber);
  const columns = [{ title: "layer", numeric: true, cell: (layer) => layer }];
  for (const part of parts) {
    const at = (values, layer) => digits(values[part.document.moments.layers.indexOf(layer)], 4);
    const prefix = part.title ? `${part.title}: ` : "";
    columns.push({ title: `${prefix}measured`, numeric: true, cell: (layer) => at(part.values[part.at], layer) });
    for (const [name, curve] of curvesOf(part.document, column)) {
      columns.push({ title: prefix + part.document.theory.titles[name], numeric: true, cell: (layer) => at(curve, layer) });
    }
  }
  return table(caption, columns, layers, { class: "numbers" });
}
