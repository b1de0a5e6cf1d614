// Figure 1, interactive, with the variance table and the verdicts of one tag.
"use strict";

const figureView = (() => {
  const tag = choice("Tag", (value) => { chosen = value; update(); });
  const axis = axisChoice("Error axis", paint), across = axisChoice("Step axis", paint, "linear");
  const options = { band: true, first: true };
  const option = (label, key) => tick(label, true, (on) => { options[key] = on; paint(); });
  const networks = el("fieldset", { class: "ticks" }), depths = el("fieldset", { class: "ticks" });
  const panels = el("div", { class: "panels" }), tables = el("div");
  const element = el("section", { "aria-label": "Figure 1" },
    controls(tag.element, axis.element, across.element, option("bands", "band"), option("first seed", "first")),
    networks, depths,
    note("Lines: geometric mean over seeds of the training error (mean cross-entropy, nats). Bands: one standard "
      + "deviation of log error over seeds. Thin lines: the first seed alone."),
    panels, tables);
  const hidden = new Set(); // `network SNN`, `depth 8`
  let group = { lines: [] }, chosen = "", seen = "";

  function ticks(fieldset, legend, key, values) {
    const set = (value, on) => (on ? hidden.delete(`${key} ${value}`) : hidden.add(`${key} ${value}`));
    const all = () => { values.forEach((value) => set(value, true)); update(); };
    fieldset.replaceChildren(el("legend", {}, legend),
      ...values.map((value) => tick(value, !hidden.has(`${key} ${value}`), (on) => { set(value, on); paint(); }, {
        "data-key": `${key} ${value}`,
      })),
      ...(values.length > 3 ? [el("button", { type: "button", class: "small", onclick: all }, "all")] : []));
  }

  function paint() {
    if (element.isConnected) {
      remember("figure", { tag: chosen, axis: axis.forAddress(), across: across.forAddress() });
    }
    const datasets = unique(group.lines.map((line) => line.dataset));
    // All panels before any chart: a panel alone in its row would be drawn as wide as the row
    const charts = [...panels.querySelectorAll(".chart")].slice(0, datasets.length);
    while (charts.length < datasets.length) charts.push(chart("tall"));
    const nothing = el("p", {}, group.note ?? "No run of this tag has a curve yet.");
    if (charts.some((one, i) => one !== panels.children[i]) || panels.children.length !== charts.length) {
      panels.replaceChildren(...(charts.length ? charts : [nothing]));
    }
    datasets.forEach((dataset, i) => {
      const lines = group.lines.filter((line) => line.dataset === dataset), title = lines[0].dataset_title;
      const shown = lines.filter((line) => !["network", "depth"].some((key) => hidden.has(`${key} ${line[key]}`)));
      const names = shown.map((line) => line.title).join("; ");
      const label = `Training error by step, ${title}: ${names}. Numbers in the table below.`;
      const view = { label, key: `${chosen} ${dataset}`, title, axis: axis.value, across: across.value };
      drawLines(charts[i], view, () => (
        shown.filter((line) => line.step.length).flatMap((line) => bandTraces(line, options))
      ));
    });
  }

  const place = [column("data set", (row) => datasetTitle(row.dataset)), numeric("depth", (row) => row.depth)];
  const cellColumns = [
    ...place,
    column("network", (row) => el("a", { href: ask("run", { id: row.cell }) }, row.label)),
    numeric("n", (row) => row.n),
    ...Object.entries(MEASURED).map(([key, title]) => numeric(title, (row) => measured(row, key))),
    numeric("spread over seeds", (row) => digits(row.spread)),
    wordy("note", (row) => [row.diverged, row.note].filter(Boolean).join("; ")),
  ];
  const ratioColumns = [
    ...place,
    column("statistic", (row) => row.statistic),
    numeric("BN", (row) => digits(row.value_a)),
    numeric("SNN", (row) => digits(row.value_b)),
    numeric("BN / SNN", (row) => interval(row.ratio, row.low, row.high)),
    numeric("p", (row) => digits(row.p_holm, 2)),
    numeric("n", (row) => `${row.n_a} / ${row.n_b}`),
    wordy("note", (row) => row.note),
  ];
  const COLOURS = { holds: "yes", "does not hold": "no" };
  const verdictColumns = [
    column("verdict", (row) => el("span", { class: `verdict ${COLOURS[row.verdict] ?? "open"}` }, row.verdict)),
    wordy("with the numbers it rests on", (row) => row.sentence),
  ];

  function showTables() {
    const caption = "Per cell, geometric mean over n seeds with 95 % intervals; runs that have ended";
    tables.replaceChildren(
      el("h2", {}, "Variance of the training error"), table(caption, cellColumns, group.cells, { id: "variance" }),
      el("h2", {}, "Does the claim hold?"), ...(group.verdicts.length ? verdictTables() : [note(group.note ?? "")]));
  }

  function verdictTables() {
    const ratios = "Every ratio BN / SNN, geometric means over seeds, 95 % intervals, p corrected by Holm";
    return [
      table("The two parts of the claim, BN against SNN", verdictColumns, group.verdicts, { id: "verdicts" }),
      ...group.chosen.map((sentence) => el("p", { class: "note chosen" }, `${sentence}.`)),
      table(ratios, ratioColumns, group.ratios, { id: "ratios" }),
    ];
  }

  // More than four networks start with the paper's two alone, or with three if neither is among them.
  function firstChoice(names) {
    hidden.clear();
    const papers = names.filter((name) => name === "SNN" || name === "BN");
    const shown = names.length <= 4 ? names : papers.length ? papers : names.slice(0, 3);
    for (const name of names) if (!shown.includes(name)) hidden.add(`network ${name}`);
  }

  async function update() {
    const tags = unique(state.overview.runs.map((row) => row.tag)).sort();
    chosen ||= best(tags);
    tag.fill(tags, chosen);
    if (!tags.includes(chosen)) {
      for (const part of [networks, depths, tables]) part.replaceChildren();
      const reason = chosen ? `Not here: tag ${chosen}. Choose another.` : "No run here yet.";
      panels.replaceChildren(el("p", { role: "alert" }, reason));
      return;
    }
    const wanted = chosen, found = await groupDocument(wanted);
    if (wanted !== chosen) return; // another was chosen meanwhile
    group = found;
    const names = unique(group.lines.map((line) => line.network)).sort();
    if (seen !== chosen) { firstChoice(names); seen = chosen; }
    ticks(networks, "Networks", "network", names);
    ticks(depths, "Depths", "depth", unique(group.lines.map((line) => line.depth)).sort(byNumber));
    paint();
    showTables();
  }

  // The tag with most runs of Figure 1's networks
  function best(tags) {
    const score = (name) => rowsOfTag(name).filter((row) => row.network === "SNN" || row.network === "BN").length;
    return [...tags].sort((a, b) => score(b) - score(a))[0] ?? "";
  }

  function show(parameters) {
    chosen = parameters.get("tag") || chosen;
    for (const [key, one] of Object.entries({ axis, across })) one.fromAddress(parameters.get(key));
    return update();
  }
  return { element, update, show, about: () => `Figure 1, ${chosen}` };
})();
