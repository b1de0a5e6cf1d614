// Which view is shown, after the address's hash, and following the runs: the overview is asked for again and again,
// and a view is filled anew when something in it changed.
"use strict";

const EVERY = 2000; // ms between questions; the server answers 204 while nothing has changed
const views = { runs: overviewView, figure: figureView, run: runView, compare: compareView };
const main = document.getElementById("main"), status = document.getElementById("status");
let current = null;

function say(text, bad = false) {
  if (status.textContent !== text) status.textContent = text;
  status.classList.toggle("bad", bad);
}

// Filling anew replaces elements: the focus goes to the one of the same key or address, else to the one in its place.
async function keepingFocus(work) {
  const all = () => [...main.querySelectorAll("a[href], button, [tabindex]")];
  const before = document.activeElement, place = all().indexOf(before);
  const { key } = before.dataset, href = before.getAttribute("href");
  await work();
  if (before.isConnected) return;
  const same = (element) => (key ? element.dataset.key === key : href && element.getAttribute("href") === href);
  (all().find(same) ?? all()[place])?.focus({ preventScroll: true });
}

async function show() {
  const [name, query] = location.hash.slice(1).split("?");
  const view = views[name] ?? overviewView, moved = view !== current;
  for (const link of document.querySelectorAll("nav a")) {
    if (views[link.hash.slice(1)] === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (moved) { main.replaceChildren(view.element); current = view; window.scrollTo(0, 0); }
  await guarded(async () => {
    if (view !== overviewView) await source.charts();
    await view.show(new URLSearchParams(query ?? ""));
    document.title = `${view.about()} · selfnorm`;
  });
}

async function guarded(work) {
  try { await work(); return true; } catch (error) { say(`could not show this: ${error.message}`, true); return false; }
}

function describe() {
  const { runs, problems, live, root } = state.overview;
  const running = runs.filter((row) => row.state === "running").length;
  const others = problems.length ? `, ${problems.length} not shown` : "";
  document.getElementById("root").textContent = root;
  say(live ? `${runs.length} runs, ${running} running${others} · live` : `${runs.length} runs${others} · a copy`);
}

async function follow() {
  try {
    const next = await source.overview(state.overview.version ?? "");
    if (next) {
      state.overview = next;
      describe();
      await keepingFocus(() => current.update());
      document.title = `${current.about()} · selfnorm`;
    } else if (status.classList.contains("bad")) describe();
  } catch (error) { say(`not live (${error.message}): this is what was last seen; make review starts it again`, true); }
  setTimeout(follow, document.hidden ? 5 * EVERY : EVERY);
}

async function start() {
  try {
    state.overview = await source.overview("");
    describe();
  } catch (error) { say(`could not load: ${error.message}`, true); }
  window.addEventListener("hashchange", show);
  await show();
  document.documentElement.dataset.ready = "yes";
  if (source.file) setTimeout(follow, EVERY);
}

document.getElementById("skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
start();
