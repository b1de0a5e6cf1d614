// Elements, controls and numbers as text. Every string from a run goes through textContent or an attribute, never
// through HTML, so that a name is shown as it is.
"use strict";

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined).map((child) => (
    child instanceof Node ? child : document.createTextNode(String(child))
  )));
  return element;
}

// A labelled select; options are [value, text] or texts. A value that is not among them shows as none.
function choice(label, onchange) {
  const select = el("select", { onchange: () => onchange(select.value) });
  const element = el("label", { class: "field" }, el("span", {}, label), select);
  const fill = (options, value) => {
    const pairs = options.map((option) => (Array.isArray(option) ? option : [option, option]));
    const wanted = String(value ?? select.value);
    const same = pairs.length === select.options.length
      && pairs.every(([v, t], i) => select.options[i].value === String(v) && select.options[i].textContent === String(t));
    if (!same) select.replaceChildren(...pairs.map(([v, t]) => el("option", { value: v }, t)));
    if (value !== undefined || pairs.some(([v]) => String(v) === wanted)) select.value = wanted;
  };
  return { element, select, fill, get value() { return select.value; } };
}

function tick(label, checked, onchange, extra = {}) {
  const input = el("input", { type: "checkbox", onchange: () => onchange(input.checked), ...extra });
  input.checked = checked;
  return el("label", { class: "tick" }, input, el("span", {}, label));
}

// A path may be broken after a slash, nowhere else
const path = (text) => el("span", { class: "path" }, text.split("/").flatMap((part, i) => (i ? ["/", el("wbr"), part] : [part])));

// Classes of a column's cells: numeric, long text
const kind = (column) => ["number", "text"].filter((name) => column[name === "number" ? "numeric" : name]).join(" ") || null;

// columns: {title, cell(row) -> node or text, numeric, text}
function table(caption, columns, rows, attributes = {}) {
  const head = columns.map((column) => el("th", { scope: "col", class: kind(column) }, column.title));
  const body = rows.map((row) => el("tr", {}, columns.map((column) => el("td", { class: kind(column) }, column.cell(row)))));
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    el("table", attributes, el("caption", {}, el("span", {}, caption)), el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)));
}

const MISSING = "–";

function digits(value, count = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return MISSING;
  const size = Math.abs(value);
  if (value === 0) return "0";
  return size >= 1e5 || size < 1e-3 ? value.toExponential(count - 1).replace("e+", "e") : String(Number(value.toPrecision(count)));
}

function interval(value, low, high) {
  if (value === null || value === undefined) return MISSING;
  if (low === null || low === undefined) return digits(value);
  return el("span", {}, digits(value), " ", el("span", { class: "whole" }, `(${digits(low)} to ${digits(high)})`));
}

function seconds(value) {
  if (!value) return MISSING;
  if (value < 100) return `${value.toFixed(0)} s`;
  return value < 6000 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
}

const unique = (values) => [...new Set(values)];
const byNumber = (a, b) => a - b;
const ask = (view, parameters) => `#${view}?${new URLSearchParams(parameters)}`;
