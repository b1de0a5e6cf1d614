// Plotly in the page's own colours, light or dark; numbers are drawn as they come.
"use strict";

const darkScheme = window.matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map(); // element -> its last drawing, drawn again when the scheme changes
const colourOf = (line) => (darkScheme.matches ? line.dark : line.colour);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function chart(kind = "") {
  return el("div", { class: `chart ${kind}`, role: "img" });
}

// Nothing that sends a chart anywhere
const OPTIONS = {
  displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "sendChartToCloud"],
};

// Plotly finds a trace again by its uid, which it puts into CSS selectors: a number for each name keeps those plain.
const uids = new Map();
function withPlainUid(trace) {
  if (!uids.has(trace.uid)) uids.set(trace.uid, `trace${uids.size}`);
  return { ...trace, uid: uids.get(trace.uid) };
}

// make() -> {label, key, traces, layout} is called again when the colours change. Zoom and hidden lines stay while
// `key`, which says what the chart shows, and the kind of the axis stay. Plotly reads a little HTML in names: safe().
function draw(element, make) {
  drawn.set(element, make);
  const { label, key, traces, layout } = make();
  element.setAttribute("aria-label", label);
  const ink = css("--ink"), faint = css("--line"), clear = "rgba(0,0,0,0)";
  const axis = ({ title, ...own } = {}) => ({
    gridcolor: faint, zerolinecolor: faint, linecolor: faint, tickcolor: faint, automargin: true,
    ...own, uirevision: `${key} ${own.type}`, title: { text: title, font: { size: 12 }, standoff: 8 },
  });
  window.Plotly.react(element, traces.map(withPlainUid), {
    paper_bgcolor: clear, plot_bgcolor: clear, font: { color: ink, size: 12, family: "system-ui, sans-serif" },
    margin: { l: 56, r: 12, t: 30, b: 44 }, hovermode: "closest",
    hoverlabel: { bgcolor: css("--panel"), bordercolor: faint, font: { color: ink } },
    modebar: { bgcolor: clear, color: css("--soft"), activecolor: ink },
    legend: { orientation: "h", yref: "container", yanchor: "bottom", y: 0, x: 0, font: { size: 11 } },
    ...layout, uirevision: key, xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
    title: { text: safe(layout.title), font: { size: 14 }, x: 0.02, xanchor: "left", y: 0.98, yanchor: "top" },
  }, OPTIONS);
}

darkScheme.addEventListener("change", () => {
  for (const [element, make] of drawn) {
    if (element.isConnected) draw(element, make);
    else drawn.delete(element);
  }
});

function axisChoice(label, onchange, first = "log") {
  const axis = choice(label, onchange, [["log", "logarithmic"], ["linear", "linear"]]);
  axis.fromAddress = (value) => { axis.select.value = ["log", "linear"].includes(value) ? value : first; };
  axis.forAddress = () => (axis.value === first ? "" : axis.value);
  axis.fromAddress(null);
  return axis;
}

// A logarithmic axis has powers of ten, 1-2-5 or, below a decade, equal steps as its range asks; in plain decimals
const numberAxis = (kind) => ({ type: kind, ...(kind === "log" ? { nticks: 4, tickformat: "~g" } : {}) });

// Lines by update step, as make() gives them
function drawLines(element, { label, key, title, y = "mean cross-entropy, nats", axis, across }, make) {
  draw(element, () => ({
    label, key, traces: make(),
    layout: {
      title, showlegend: true, xaxis: { title: "update steps", ...numberAxis(across) },
      yaxis: { title: y, ...numberAxis(axis) },
    },
  }));
}

function withAlpha(colour, alpha) {
  const value = parseInt(colour.slice(1), 16);
  return `rgba(${value >> 16}, ${(value >> 8) & 255}, ${value & 255}, ${alpha})`;
}

// A line with its band and, thin, the first seed; one legend entry for all three.
function bandTraces(line, { band = true, first = false, value = "error" } = {}) {
  const colour = colourOf(line), name = safe(line.title), group = line.id, bounded = band && line.low;
  const mode = line.step.length > 1 ? "lines" : "markers";
  const common = { x: line.step, mode, legendgroup: group };
  const hidden = { ...common, hoverinfo: "skip", showlegend: false, line: { width: 0 } };
  const filled = { fill: "tonexty", fillcolor: withAlpha(colour, 0.2) };
  return [
    bounded && { ...hidden, uid: `${group} high`, y: line.high },
    bounded && { ...hidden, uid: `${group} low`, y: line.low, ...filled },
    first && line.first && { ...hidden, uid: `${group} first`, y: line.first, line: { width: 0.7, color: colour } },
    {
      ...common, uid: `${group} mean`, y: line.mean, name, line: { width: 2, color: colour, dash: line.dash },
      customdata: line.low?.map((low, i) => [low, line.high[i]]),
      hovertemplate: `${name}<br>step %{x}<br>${value} %{y:.5g}${
        line.low ? "<br>band %{customdata[0]:.4g} to %{customdata[1]:.4g}" : ""}<extra></extra>`,
    },
  ].filter(Boolean);
}

const MOMENT_WORDS = { preactivation: "pre-activation", sd: "sd", gradient_second_moment: "gradient: mean square" };

function momentTitle(column) {
  if (MOMENT_WORDS[column]) return MOMENT_WORDS[column];
  const [stage, ...rest] = column.split("_");
  return rest.length ? `${MOMENT_WORDS[stage] ?? stage}: ${rest.join(" ")}` : column;
}

// Where the theory puts a column: the colour scale is centred there.
function centre(column, [mu, nu]) {
  if (column.endsWith("activation_mean")) return column.startsWith("pre") ? 0 : mu;
  return column === "activation_variance" ? nu : null;
}

// Blue below, red above; the middle is the page's own ground, light or dark
const DIVERGING = [
  [[0, "#053061"], [0.25, "#4393c3"], [0.5, "#f7f7f7"], [0.75, "#d6604d"], [1, "#67001f"]],
  [[0, "#9fd0ff"], [0.25, "#3d7fc4"], [0.5, "#20242b"], [0.75, "#c4503f"], [1, "#ffb3a0"]],
];

const extent = (values) => [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];

// Colours by value, or by its logarithm where positive values span more than a factor of 30.
function colourScale(values, column, fixedPoint) {
  const [low, high] = extent(values), log = low > 0 && high / low > 30;
  const to = log ? Math.log10 : (value) => value;
  const middle = centre(column, fixedPoint ?? [0, 1]);
  if (middle === null || (log && middle <= 0)) return { log, zmin: to(low), zmax: to(high), colorscale: "Cividis" };
  const half = Math.max(to(high) - to(middle), to(middle) - to(low), 1e-6);
  return { log, zmin: to(middle) - half, zmax: to(middle) + half, colorscale: DIVERGING[darkScheme.matches ? 1 : 0] };
}

// The same for a heat map and the profile beside it
const layerAxis = (layers) => ({
  title: "layer", dtick: layers.length > 16 ? 8 : layers.length > 8 ? 4 : 1, tick0: 0, zeroline: false,
  range: [layers[0] - 0.5, layers.at(-1) + 0.5],
});

// Records are spaced by the logarithm of the step: a column each, a few of them named. `at`: the column that is framed.
function heatMap(element, { label, key, title, column, steps, layers, values_TL, scale, at, below }) {
  const byLayer = (cell) => layers.map((_, l) => values_TL.map((row) => cell(row[l])));
  draw(element, () => ({
    label, key,
    traces: [{
      type: "heatmap", x: steps, y: layers, hoverongaps: false, customdata: byLayer((value) => value),
      z: byLayer((value) => (value !== null && scale.log ? Math.log10(value) : value)),
      zmin: scale.zmin, zmax: scale.zmax, colorscale: scale.colorscale,
      hovertemplate: `step %{x}<br>layer %{y}<br>${safe(momentTitle(column))} %{customdata:.4g}<extra></extra>`,
      colorbar: { thickness: 10, outlinewidth: 0, ...(scale.log ? logTicks(scale.zmin, scale.zmax) : {}) },
    }],
    layout: {
      title, margin: { l: 56, r: 12, t: 30, b: below }, yaxis: { ...layerAxis(layers), showgrid: false },
      xaxis: { title: "step", type: "category", nticks: window.innerWidth < 600 ? 4 : 7, showgrid: false },
      shapes: [{
        type: "rect", x0: at - 0.5, x1: at + 0.5, y0: layers[0] - 0.5, y1: layers.at(-1) + 0.5,
        line: { color: css("--mark"), width: 2 },
      }],
    },
  }));
}

function logTicks(low, high) {
  const first = Math.ceil(low), count = Math.floor(high) - first + 1;
  const powers = Array.from({ length: Math.max(count, 0) }, (_, i) => first + i);
  const gap = Math.ceil(powers.length / 6);
  const shown = powers.length > 1 ? powers.filter((_, i) => i % gap === 0) : [low, (low + high) / 2, high];
  return { tickvals: shown, ticktext: shown.map((power) => digits(10 ** power, 2)) };
}
