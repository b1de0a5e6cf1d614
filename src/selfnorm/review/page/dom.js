// Elements, controls, tables and numbers as text. Every string from a run goes through textContent or an attribute,
// never through HTML, so that a name is shown as it is.
"use strict";

function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const controls = (...children) => el("div", { class: "controls" }, ...children);
const note = (...children) => el("p", { class: "note" }, ...children);

// A labelled select; options are [value, text] or texts. A value that is not among them shows as none.
function choice(label, onchange, options = []) {
  const select = el("select", { onchange: () => onchange(select.value) });
  const element = el("label", { class: "field" }, el("span", {}, label), select);
  const fill = (shown, value) => {
    const pairs = shown.map((option) => [option].flat().map(String)).map(([v, text = v]) => [v, text]);
    const wanted = String(value ?? select.value);
    const before = [...select.options].map((option) => [option.value, option.textContent]);
    if (JSON.stringify(before) !== JSON.stringify(pairs)) { // else an open select would close
      select.replaceChildren(...pairs.map(([v, text]) => el("option", { value: v }, text)));
    }
    if (value !== undefined || pairs.some(([v]) => v === wanted)) select.value = wanted;
  };
  fill(options);
  return { element, select, fill, get value() { return select.value; } };
}

function tick(label, checked, onchange, extra = {}) {
  const input = el("input", { type: "checkbox", checked, onchange: () => onchange(input.checked), ...extra });
  return el("label", { class: "tick" }, input, el("span", {}, label));
}

// A path may be broken after a slash, nowhere else
function path(text) {
  const parts = text.split("/").flatMap((part, i) => (i ? ["/", el("wbr"), part] : [part]));
  return el("span", { class: "path" }, parts);
}

// Columns of a table; cell(row) gives a node, a text or a list of both. `kind` is a class of the column's cells.
const column = (title, cell, kind = null) => ({ title, cell, kind });
const numeric = (title, cell) => column(title, cell, "number");
const wordy = (title, cell) => column(title, cell, "text");
const cells = (columns, row) => columns.map((one) => el("td", { class: one.kind }, one.cell(row)));

function table(caption, columns, rows, attributes = {}) {
  const head = el("tr", {}, columns.map((one) => el("th", { scope: "col", class: one.kind }, one.title)));
  const body = el("tbody", {}, rows.map((row) => el("tr", {}, cells(columns, row))));
  return scrolling(caption, caption, el("thead", {}, head), body, attributes);
}

function scrolling(label, caption, head, body, attributes) {
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    el("table", attributes, el("caption", {}, el("span", {}, caption)), head, body));
}

const MISSING = "–";

function digits(value, count = 3) {
  if (!Number.isFinite(value)) return MISSING;
  const size = Math.abs(value);
  if (size >= 1e5 || (size < 1e-3 && size > 0)) return value.toExponential(count - 1).replace("e+", "e");
  return String(Number(value.toPrecision(count)));
}

function interval(value, low, high) {
  if (!Number.isFinite(low)) return digits(value);
  return el("span", {}, digits(value), " ", el("span", { class: "whole" }, `(${digits(low)} to ${digits(high)})`));
}

function seconds(value) {
  if (!value) return MISSING;
  if (value < 100) return `${value.toFixed(0)} s`;
  return value < 6000 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
}

// The day and minute of a time in seconds, in the reader's own clock; a published study has no times
function moment(value) {
  if (value < 86400) return MISSING;
  const date = new Date(1000 * value), two = (number) => String(number).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

const unique = (values) => [...new Set(values)];
const byNumber = (a, b) => a - b;
const ask = (view, parameters) => `#${view}?${new URLSearchParams(parameters)}`;

// What is shown goes into the address, without what is empty, so that a link shows it to a colleague and Back leads to it
function remember(view, parameters) {
  const chosen = Object.entries(parameters).filter(([, value]) => value);
  const address = chosen.length ? ask(view, chosen) : `#${view}`;
  if (location.hash !== address) history.replaceState(null, "", address);
}
