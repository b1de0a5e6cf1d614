// Any recorded moment of one or two runs: layer by step as heat maps on one colour scale, and beside them the layers
// at the step of the slider with the theory's curves.
"use strict";

// Unlike in width too: where both maps agree, the dots are seen on the wide line
const THEORY_LINE = { second_moment: { width: 5, opacity: 0.35 }, paper: { width: 2, dash: "dot" } };

// subjects: {title, prefix, document, style}; those without moments are left out with a note.
function momentsPanel() {
  const column = choice("Moment", () => paint()), seed = choice("Seed", () => paint());
  const move = (place) => { at = place; paint(); };
  const slider = el("input", { type: "range", min: 0, id: "step", oninput: () => move(Number(slider.value)) });
  const said = el("output", { for: "step" });
  const maps = el("div", { class: "maps" }), notes = el("div"), values = el("div"), profile = chart("profile");
  const stepField = el("label", { class: "field long" }, el("span", {}, "Step ", said), slider);
  const body = el("div", {}, controls(column.element, seed.element, stepField), maps,
    el("details", {}, el("summary", {}, "Numbers at this step"), values));
  const element = el("section", { "aria-label": "Moments" }, el("h2", {}, "Moments of every layer"), body, notes);
  let shown = [], steps = [], at = null; // at: the slider's place among the steps

  function update(subjects) {
    shown = subjects.filter(({ document }) => document.moments);
    notes.replaceChildren(...subjects.flatMap(remarks).map((text) => note(text)));
    body.hidden = !shown.length;
    if (!shown.length) return;
    const recorded = shown.map(({ document }) => document.moments);
    const all = (key) => unique(recorded.flatMap((moments) => moments[key]));
    const atEnd = at === null || at >= steps.length - 1; // a live run is followed
    steps = all("steps").sort(byNumber);
    slider.max = steps.length - 1;
    if (atEnd || at >= steps.length) at = steps.length - 1;
    const columns = all("columns"), seeds = all("seeds").sort(byNumber).map(String);
    const noMean = recorded.every((moments) => !moments.in_mean.length);
    offer(column, columns.map((name) => [name, momentTitle(name)]), "activation_variance", columns[0]);
    offer(seed, [["mean", "mean over seeds"], ...seeds.map((name) => [name, name])], noMean ? seeds[0] : "mean");
    while (maps.children.length > shown.length + 1) maps.firstChild.remove();
    while (maps.children.length < shown.length) maps.prepend(chart());
    maps.append(profile);
    maps.classList.toggle("two", shown.length > 1);
    paint();
  }

  // Keeps what is chosen, else takes the first of `wanted` that is offered
  function offer(control, options, ...wanted) {
    const isOffered = (value) => options.some(([name]) => name === value);
    control.fill(options, [control.value, ...wanted].find(isOffered));
  }

  function remarks({ prefix, document: { moments, moments_note: reason, theory } }) {
    if (!moments) return [`${prefix}no moments to show${reason ? `: ${reason}` : ""}.`];
    const lost = moments.seeds.filter((one) => !moments.in_mean.includes(one));
    const thinned = moments.all_steps > moments.steps.length;
    return [
      theory?.note,
      thinned && `${moments.steps.length} of ${moments.all_steps} recorded steps are shown.`,
      lost.length && `Seeds that diverged are not in the mean: ${lost.join(", ")}.`,
    ].filter(Boolean).map((text) => prefix + text);
  }

  // A click on a heat map moves the slider there.
  function listen(map) {
    if (map.dataset.listening) return;
    map.dataset.listening = "yes";
    map.on("plotly_click", ({ points: [{ x }] }) => move(steps.indexOf(Number(x))));
  }

  function valuesOf({ moments }) {
    if (seed.value === "mean") return moments.mean[column.value];
    return moments.by_seed[column.value]?.[moments.seeds.indexOf(Number(seed.value))];
  }

  function paint() {
    const step = steps[at], key = column.value, name = momentTitle(key);
    slider.value = at;
    slider.setAttribute("aria-valuetext", `step ${step}`);
    said.textContent = String(step);
    const parts = shown.map((subject) => {
      const { document } = subject, theory = Object.entries(document.theory?.curves?.[key] ?? {});
      // The last record of a run at or before the slider's step, its first one otherwise
      const record = Math.max(0, document.moments.steps.findLastIndex((one) => one <= step));
      return { ...subject, ...document.moments, theory, record, values: valuesOf(document) };
    }).filter((part) => part.values);
    const all = parts.flatMap((part) => part.values.flat()).filter((value) => value !== null);
    if (!all.length) { values.replaceChildren(el("p", {}, "No finite value.")); return; }
    const scale = colourScale(all, key, parts[0].document.theory?.fixed_point);
    parts.forEach((part, i) => {
      const label = `${name} by layer and step, ${part.title || "this run"}. Numbers below.`;
      heatMap(maps.children[i], {
        label, key: `${part.document.id} ${key}`, title: part.prefix + name, column: key, steps: part.steps,
        layers: part.layers, values_TL: part.values, scale, at: part.record, below: below(parts),
      });
      listen(maps.children[i]);
    });
    drawProfile(profile, { parts, key, step, all, log: scale.log });
    values.replaceChildren(numbersTable(parts, `${name} at step ${step}`));
  }

  return { element, update };
}

// Room for the legend of a profile, and as much under the heat map beside it: a layer is at one height in both
const below = (parts) => (parts.length > 1 || window.innerWidth <= 760 ? 44 : 100);
const layersOf = (parts) => unique(parts.flatMap((part) => part.layers)).sort(byNumber);

// Layers upwards as in the heat map; the value axis stays while the slider moves.
function drawProfile(element, { parts, key, step, all, log }) {
  const name = momentTitle(key);
  const label = `${name} by layer at step ${step}, with the theory where there is one. Numbers below.`;
  const whole = wholeRange([...all, ...parts.flatMap(({ theory }) => theory.flatMap(([, x]) => x))], log);
  draw(element, () => ({
    label, key: `${parts.map((part) => part.document.id)} ${key}`,
    traces: parts.flatMap((part) => profileTraces(part, safe(name))),
    layout: {
      title: `Step ${step}`, margin: { l: 56, r: 12, t: 30, b: below(parts) }, showlegend: true,
      xaxis: { title: name, ...numberAxis(log ? "log" : "linear"), range: whole, zeroline: false },
      yaxis: layerAxis(layersOf(parts)),
    },
  }));
}

function profileTraces({ prefix, document, style, steps, layers, theory, record, values }, name) {
  const color = colourOf(style);
  const measured = {
    x: values[record], y: layers, uid: `${prefix}measured`, mode: "lines+markers",
    name: safe(`${prefix}measured, step ${steps[record]}`), marker: { size: 5, color }, line: { width: 1.5, color },
    hovertemplate: `layer %{y}<br>${name} %{x:.4g}<extra></extra>`,
  };
  return [measured, ...theory.map(([map, x]) => {
    const { opacity, ...line } = THEORY_LINE[map];
    return {
      x, y: layers, uid: prefix + map, mode: "lines", name: safe(prefix + document.theory.titles[map]), opacity,
      line: { ...line, color }, hovertemplate: "layer %{y}<br>theory %{x:.4g}<extra></extra>",
    };
  })];
}

function wholeRange(values, log) {
  const used = values.filter((value) => value !== null && (!log || value > 0));
  const [low, high] = extent(used.map((value) => (log ? Math.log10(value) : value)));
  const edge = 0.05 * (high - low) || 0.1 * Math.abs(high) || 0.1;
  return [low - edge, high + edge];
}

function numbersTable(parts, caption) {
  const columns = parts.flatMap(({ prefix, document, layers, theory, record, values }) => {
    const byLayer = (title, x) => numeric(prefix + title, (layer) => digits(x[layers.indexOf(layer)], 4));
    return [
      byLayer("measured", values[record]), ...theory.map(([map, x]) => byLayer(document.theory.titles[map], x)),
    ];
  });
  const layer = numeric("layer", (number) => number);
  return table(caption, [layer, ...columns], layersOf(parts), { class: "numbers" });
}
