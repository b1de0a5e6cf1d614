// Figure 1, interactive, with the variance table and the verdicts of one tag.
"use strict";

const figureView = (() => {
  const chosen = { tag: "", hidden: new Set(), seen: "" };
  const tag = choice("Tag", (value) => { chosen.tag = value; update(); });
  const axis = choice("Error axis", paint);
  const across = choice("Step axis", paint);
  axis.fill([["log", "logarithmic"], ["linear", "linear"]]);
  across.fill([["linear", "linear"], ["log", "logarithmic"]]);
  const options = { band: true, first: true };
  const networks = el("fieldset", { class: "ticks" }), depths = el("fieldset", { class: "ticks" });
  const panels = el("div", { class: "panels" }), tables = el("div");
  const element = el("section", { "aria-label": "Figure 1" },
    el("form", { class: "controls", onsubmit: (event) => event.preventDefault() }, tag.element, axis.element, across.element,
      tick("bands", true, (on) => { options.band = on; paint(); }), tick("first seed", true, (on) => { options.first = on; paint(); })),
    networks, depths,
    el("p", { class: "note" }, "Lines: geometric mean over seeds of the training error (mean cross-entropy, nats). Bands: one standard deviation of log error over seeds. Thin lines: the first seed alone."),
    panels, tables);
  let group = { lines: [] };

  function ticks(fieldset, legend, values, letter) {
    const all = el("button", { type: "button", class: "small", onclick: () => { values.forEach((v) => chosen.hidden.delete(letter + v)); update(); } }, "all");
    fieldset.replaceChildren(el("legend", {}, legend), ...values.map((value) => tick(value, !chosen.hidden.has(letter + value), (on) => {
      if (on) chosen.hidden.delete(letter + value); else chosen.hidden.add(letter + value);
      paint();
    }, { "data-key": letter + value })), ...(values.length > 3 ? [all] : []));
  }

  function paint() {
    const visible = group.lines.filter((line) => !chosen.hidden.has(`n${line.network}`) && !chosen.hidden.has(`d${line.depth}`));
    const datasets = unique(group.lines.map((line) => line.dataset));
    while (panels.children.length > datasets.length) panels.lastChild.remove();
    datasets.forEach((dataset, i) => {
      const here = visible.filter((line) => line.dataset === dataset), title = group.lines.find((line) => line.dataset === dataset).dataset_title;
      if (!panels.children[i]) panels.append(chart("", "tall"));
      panels.children[i].setAttribute("aria-label", `Training error by step, ${title}: ${here.map((line) => line.title).join("; ")}. Numbers in the table below.`);
      draw(panels.children[i], () => ({
        traces: here.filter((line) => line.step.length).flatMap((line) => bandTraces(line, options)),
        layout: {
          title, xaxis: { title: "update steps", ...numberAxis(across.value) }, yaxis: { title: "training error", ...numberAxis(axis.value) },
          showlegend: true,
        },
      }));
    });
    if (!group.lines.length) panels.replaceChildren(el("p", {}, group.note ?? "No run of this tag has a curve yet."));
  }

  function showTables() {
    const columns = [
      { title: "data set", cell: (row) => datasetTitle(row.dataset) }, { title: "depth", numeric: true, cell: (row) => row.depth },
      { title: "network", cell: (row) => el("a", { href: ask("run", { id: row.cell }) }, row.label) }, { title: "n", numeric: true, cell: (row) => row.n },
      { title: "fluctuation of log error", numeric: true, cell: (row) => interval(row.fluctuation, row.fluctuation_low, row.fluctuation_high) },
      { title: "of the error itself", numeric: true, cell: (row) => interval(row.fluctuation_error, row.fluctuation_error_low, row.fluctuation_error_high) },
      { title: "final error", numeric: true, cell: (row) => interval(row.final_error, row.final_error_low, row.final_error_high) },
      { title: "test error rate", numeric: true, cell: (row) => interval(row.test_error, row.test_error_low, row.test_error_high) },
      { title: "spread over seeds", numeric: true, cell: (row) => digits(row.spread) },
      { title: "note", text: true, cell: (row) => [row.diverged, row.note].filter(Boolean).join("; ") },
    ];
    const parts = [el("h2", {}, "Variance of the training error"), table("Per cell, geometric mean over n seeds with 95 % intervals; runs that have ended", columns, group.cells, { id: "variance" })];
    parts.push(el("h2", {}, "Does the claim hold?"));
    if (group.verdicts.length) {
      parts.push(table("The two parts of the claim, BN against SNN", [
        { title: "verdict", cell: (row) => el("span", { class: `verdict ${{ holds: "yes", "does not hold": "no" }[row.verdict] ?? "open"}` }, row.verdict) },
        { title: "with the numbers it rests on", text: true, cell: (row) => row.sentence },
      ], group.verdicts, { id: "verdicts" }), ...group.chosen.map((sentence) => el("p", { class: "note chosen" }, `${sentence}.`)));
      parts.push(table("Every ratio BN / SNN, geometric means over seeds, 95 % intervals, p corrected by Holm", ratioColumns(), group.ratios, { id: "ratios" }));
    } else parts.push(el("p", { class: "note" }, group.note ?? ""));
    tables.replaceChildren(...parts);
  }

  function ratioColumns() {
    return [
      { title: "data set", cell: (row) => datasetTitle(row.dataset) }, { title: "depth", numeric: true, cell: (row) => row.depth },
      { title: "statistic", cell: (row) => row.statistic },
      { title: "BN", numeric: true, cell: (row) => digits(row.value_a) }, { title: "SNN", numeric: true, cell: (row) => digits(row.value_b) },
      { title: "BN / SNN", numeric: true, cell: (row) => interval(row.ratio, row.low, row.high) },
      { title: "p", numeric: true, cell: (row) => digits(row.p_holm, 2) }, { title: "n", numeric: true, cell: (row) => `${row.n_a} / ${row.n_b}` },
      { title: "note", text: true, cell: (row) => row.note },
    ];
  }

  // With more than eight networks or lines without end nobody sees anything: start with the paper's two, if they are there.
  function firstChoice(names) {
    chosen.hidden.clear();
    const papers = names.filter((name) => name === "SNN" || name === "BN");
    if (names.length > 4) names.filter((name) => (papers.length ? !papers.includes(name) : names.indexOf(name) > 2)).forEach((name) => chosen.hidden.add(`n${name}`));
  }

  async function update() {
    const tags = unique(state.overview.runs.map((row) => row.tag)).sort();
    chosen.tag ||= best(tags);
    tag.fill(tags, chosen.tag);
    if (!tags.includes(chosen.tag)) {
      for (const part of [networks, depths, tables]) part.replaceChildren();
      panels.replaceChildren(el("p", { role: "alert" }, chosen.tag ? `Not here: tag ${chosen.tag}. Choose another.` : "No run here yet."));
      return;
    }
    group = await groupDocument(chosen.tag);
    const names = unique(group.lines.map((line) => line.network)).sort();
    if (chosen.seen !== chosen.tag) { firstChoice(names); chosen.seen = chosen.tag; }
    ticks(networks, "Networks", names, "n");
    ticks(depths, "Depths", unique(group.lines.map((line) => line.depth)).sort(byNumber), "d");
    if (panels.firstChild && !panels.firstChild.classList.contains("chart")) panels.replaceChildren();
    paint();
    showTables();
  }

  // The tag with most of Figure 1's own networks
  function best(tags) {
    const score = (name) => rowsOfTag(name).filter((row) => row.network === "SNN" || row.network === "BN").length;
    return [...tags].sort((a, b) => score(b) - score(a))[0] ?? "";
  }

  return { element, update, show: (parameters) => { if (parameters.get("tag")) chosen.tag = parameters.get("tag"); return update(); } };
})();
