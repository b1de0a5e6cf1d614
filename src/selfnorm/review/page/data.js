// Where documents come from: the server, or blocks of this very file where it was exported. A run's or a tag's document
// is kept until its version changes.
"use strict";

const source = (() => {
  const index = document.getElementById("index");
  return index ? exported(index) : served();
})();

function served() {
  const get = async (url) => {
    const answer = await fetch(url);
    if (answer.status === 204) return null;
    const document = await answer.json().catch(() => ({ problem: `${answer.status} ${answer.statusText}` }));
    if (!answer.ok) throw new Error(document.problem ?? `the server answered ${answer.status}`);
    return document;
  };
  return {
    charts: async () => {},
    overview: (known) => get(`/data/overview.json?${new URLSearchParams({ known })}`),
    run: (id) => get(`/data/run.json?${new URLSearchParams({ id })}`),
    group: (tag) => get(`/data/group.json?${new URLSearchParams({ tag })}`),
    file: (run, name) => `/file?${new URLSearchParams({ run, name })}`,
  };
}

function exported(index) {
  const unpack = async (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const names = unpack(index.id).then(JSON.parse);
  const get = async (name) => {
    const id = new Map(Object.entries(await names)).get(name);
    if (id === undefined) throw new Error("not in this file");
    return JSON.parse(await unpack(id));
  };
  return {
    charts: async () => {
      if (window.Plotly) return;
      const script = document.createElement("script");
      script.textContent = await unpack((await names).plotly); // allowed by its hash in the file's policy
      document.head.append(script);
    },
    overview: (known) => (known ? null : get("overview")),
    run: (id) => get(`run:${id}`),
    group: (tag) => get(`group:${tag}`),
    file: null,
  };
}

const state = { overview: { runs: [], shared: {}, problems: [] }, kept: new Map() };

async function kept(key, version, load) {
  const last = state.kept.get(key);
  if (last?.version === version) return last.document;
  const document = await load();
  if (state.kept.size > 24) state.kept.delete(state.kept.keys().next().value);
  state.kept.set(key, { version, document });
  return document;
}

const rowOf = (id) => state.overview.runs.find((row) => row.id === id);
const runDocument = (id) => kept(`run:${id}`, rowOf(id)?.version, () => source.run(id));
const rowsOfTag = (tag) => state.overview.runs.filter((row) => row.tag === tag);
function groupDocument(tag) {
  const version = rowsOfTag(tag).map((row) => row.version + row.state).join();
  return kept(`group:${tag}`, version, () => source.group(tag));
}
const datasetTitle = (name) => state.overview.runs.find((row) => row.dataset === name)?.dataset_title ?? name;
const runTitle = (row) => `${row.dataset_title}, ${row.name}, ${row.depth} layers`;
const timeLeft = (row) => (row.progress > 0 ? (row.seconds * (1 - row.progress)) / row.progress : 0);
const folderName = (row) => row.id.split("/").pop();
const runName = (row) => `${runTitle(row)} · ${row.tag} · ${folderName(row)}`;

// What every table of runs says of a run's training error, each with its interval over seeds
const MEASURED = {
  fluctuation: "fluctuation of log error",
  final_error: "final error",
  test_error: "test error rate",
};
const measured = (row, key) => interval(row[key], row[`${key}_low`], row[`${key}_high`]);

function lastError(row) {
  return row.error_sd === null ? digits(row.error) : `${digits(row.error)} ± ${digits(row.error_sd, 2)}`;
}
