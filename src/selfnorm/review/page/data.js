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
    const letters = atob(document.getElementById(id).textContent), bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i += 1) bytes[i] = letters.charCodeAt(i);
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

const state = { overview: { runs: [], problems: [] }, kept: new Map() };

async function kept(key, version, load) {
  const found = state.kept.get(key);
  if (found && found.version === version) return found.document;
  const document = await load();
  if (state.kept.size > 24) state.kept.delete(state.kept.keys().next().value);
  state.kept.set(key, { version, document });
  return document;
}

const rowOf = (id) => state.overview.runs.find((row) => row.id === id);
const runDocument = (id) => kept(`run:${id}`, rowOf(id)?.version, () => source.run(id));
const rowsOfTag = (tag) => state.overview.runs.filter((row) => row.tag === tag);
const groupDocument = (tag) => kept(
  `group:${tag}`, rowsOfTag(tag).map((row) => row.version + row.state).join(), () => source.group(tag),
);
const datasetTitle = (name) => state.overview.runs.find((row) => row.dataset === name)?.dataset_title ?? name;
const runTitle = (row) => `${row.dataset_title}, ${row.network}, ${row.depth} layers`;
const runName = (row) => `${runTitle(row)} · ${row.tag} · ${row.id.split("/").pop()}`;
