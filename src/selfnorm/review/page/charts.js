// Plotly in the page's own colours, light or dark; numbers are drawn as they come.
"use strict";

const darkScheme = window.matchMedia("(prefers-color-scheme: dark)");
const drawn = new Map(); // element -> its last drawing, drawn again when the scheme changes
const colourOf = (line) => (darkScheme.matches ? line.dark : line.colour);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function chart(label, kind = "") {
  return el("div", { class: `chart ${kind}`, role: "img", "aria-label": label });
}

// Nothing that sends a chart anywhere
const OPTIONS = {
  displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "sendChartToCloud"],
};

// make() -> {traces, layout}: called again when the colours change. Plotly reads names as a little HTML, so names are
// escaped by safe().
function draw(element, make) {
  drawn.set(element, make);
  const { traces, layout } = make();
  const ink = css("--ink"), faint = css("--line");
  const axis = { gridcolor: faint, zerolinecolor: faint, linecolor: faint, tickcolor: faint, automargin: true };
  const dress = (own) => ({ ...axis, ...own, title: own?.title ? { text: own.title, font: { size: 12 }, standoff: 8 } : undefined });
  const base = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12, family: "system-ui, sans-serif" },
    margin: { l: 56, r: 12, t: 30, b: 44 }, hoverlabel: { bgcolor: css("--panel"), bordercolor: faint, font: { color: ink } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: css("--soft"), activecolor: css("--ink") },
    legend: { orientation: "h", yref: "container", yanchor: "bottom", y: 0, x: 0, font: { size: 11 } }, hovermode: "closest",
  };
  const whole = { ...base, ...layout, xaxis: dress(layout.xaxis), yaxis: dress(layout.yaxis) };
  whole.title = layout.title ? { text: safe(layout.title), font: { size: 14 }, x: 0.02, xanchor: "left", y: 0.98, yanchor: "top" } : undefined;
  window.Plotly.react(element, traces, whole, OPTIONS);
}

const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function redrawAll() {
  for (const [element, make] of drawn) {
    if (element.isConnected) draw(element, make);
    else drawn.delete(element);
  }
}
darkScheme.addEventListener("change", redrawAll);

function withAlpha(colour, alpha) {
  const value = parseInt(colour.slice(1), 16);
  return `rgba(${value >> 16}, ${(value >> 8) & 255}, ${value & 255}, ${alpha})`;
}

// A line with its band and, thin, the first seed; one legend entry for all three.
function bandTraces(line, { band = true, first = false, title = line.title } = {}) {
  const colour = colourOf(line), group = line.id ?? title, name = safe(title);
  const common = { x: line.step, mode: line.step.length > 1 ? "lines" : "markers", legendgroup: group };
  const hidden = { ...common, hoverinfo: "skip", showlegend: false };
  const traces = [];
  if (band && line.low) {
    traces.push({ ...hidden, y: line.high, line: { width: 0 } });
    traces.push({ ...hidden, y: line.low, line: { width: 0 }, fill: "tonexty", fillcolor: withAlpha(colour, 0.2) });
  }
  if (first && line.first) traces.push({ ...hidden, y: line.first, line: { width: 0.7, color: colour } });
  traces.push({
    ...common, y: line.mean, name, line: { width: 2, color: colour, dash: line.dash },
    customdata: line.low ? line.low.map((low, i) => [low, line.high[i]]) : line.mean.map(() => [null, null]),
    hovertemplate: `${name}<br>step %{x}<br>error %{y:.5g}${line.low ? "<br>band %{customdata[0]:.4g} to %{customdata[1]:.4g}" : ""}<extra></extra>`,
  });
  return traces;
}

const MOMENT_WORDS = { preactivation: "pre-activation", sd: "sd", gradient_second_moment: "gradient: mean square" };

function momentTitle(column) {
  if (MOMENT_WORDS[column]) return MOMENT_WORDS[column];
  const [stage, ...rest] = column.split("_");
  return rest.length ? `${MOMENT_WORDS[stage] ?? stage}: ${rest.join(" ")}` : column;
}

// A logarithmic axis has powers of ten, 1-2-5 or, below a decade, equal steps as its range asks; in plain decimals
const numberAxis = (kind) => ({ type: kind, ...(kind === "log" ? { nticks: 4, tickformat: "~g" } : {}) });

// Where the theory puts a column: the colour scale is centred there.
function centre(column, fixedPoint) {
  const [mu, nu] = fixedPoint ?? [0, 1];
  if (/activation_mean$/.test(column)) return column.startsWith("pre") ? 0 : mu;
  return /activation_variance$/.test(column) ? (column.startsWith("pre") ? null : nu) : null;
}

function flatFinite(values_TL) {
  return values_TL.flat().filter((value) => value !== null);
}

// Colours by value, or by its logarithm where positive values span more than a factor of 30.
function colourScale(all, column, fixedPoint) {
  const low = all.reduce((a, b) => Math.min(a, b), Infinity), high = all.reduce((a, b) => Math.max(a, b), -Infinity);
  const log = low > 0 && high / low > 30;
  const to = log ? Math.log10 : (value) => value;
  const middle = centre(column, fixedPoint);
  if (middle === null || (log && middle <= 0)) return { log, zmin: to(low), zmax: to(high), colorscale: "Cividis" };
  const half = Math.max(to(high) - to(middle), to(middle) - to(low), 1e-6);
  return { log, zmin: to(middle) - half, zmax: to(middle) + half, colorscale: DIVERGING[darkScheme.matches ? 1 : 0] };
}

// Blue below, red above; the middle is the page's own ground
const DIVERGING = [
  [[0, "#053061"], [0.25, "#4393c3"], [0.5, "#f7f7f7"], [0.75, "#d6604d"], [1, "#67001f"]],
  [[0, "#9fd0ff"], [0.25, "#3d7fc4"], [0.5, "#20242b"], [0.75, "#c4503f"], [1, "#ffb3a0"]],
];

// The same for a heat map and the profile beside it
const layerAxis = (layers) => ({
  title: "layer", dtick: layers.length > 16 ? 8 : layers.length > 8 ? 4 : 1, tick0: 0, zeroline: false, range: [layers[0] - 0.5, layers.at(-1) + 0.5],
});

function heatMap(element, { title, column, steps, layers, values_TL, scale, at, below }) {
  draw(element, () => {
    const shown = (value) => (value === null ? null : scale.log ? Math.log10(value) : value);
    const ticks = scale.log ? logTicks(scale.zmin, scale.zmax) : {};
    return {
      traces: [{
        type: "heatmap", x: steps.map((_, i) => i), y: layers, z: layers.map((_, l) => values_TL.map((row) => shown(row[l]))),
        customdata: layers.map((_, l) => values_TL.map((row, t) => [steps[t], row[l]])),
        zmin: scale.zmin, zmax: scale.zmax, colorscale: scale.colorscale, hoverongaps: false,
        hovertemplate: `step %{customdata[0]}<br>layer %{y}<br>${safe(momentTitle(column))} %{customdata[1]:.4g}<extra></extra>`,
        colorbar: { thickness: 10, outlinewidth: 0, ...ticks },
      }],
      layout: {
        title, margin: { l: 56, r: 12, t: 30, b: below }, xaxis: { title: "step", ...stepTicks(steps), showgrid: false, zeroline: false },
        yaxis: { ...layerAxis(layers), showgrid: false },
        shapes: [{ type: "rect", x0: at - 0.5, x1: at + 0.5, y0: layers[0] - 0.5, y1: layers.at(-1) + 0.5, line: { color: css("--mark"), width: 2 } }],
      },
    };
  });
}

// Records are spaced by the logarithm of the step: a column each, a few of them named.
function stepTicks(steps) {
  const most = window.innerWidth < 600 ? 4 : 7;
  const gap = Math.max(1, Math.ceil(steps.length / most));
  const shown = steps.map((_, i) => i).filter((i) => i % gap === 0);
  return { tickvals: shown, ticktext: shown.map((i) => String(steps[i])) };
}

function logTicks(low, high) {
  const whole = [];
  for (let power = Math.ceil(low); power <= Math.floor(high); power += 1) whole.push(power);
  const kept = whole.length > 1 ? whole.filter((_, i) => i % Math.ceil(whole.length / 6) === 0) : [low, (low + high) / 2, high];
  return { tickvals: kept, ticktext: kept.map((power) => digits(10 ** power, 2)) };
}
