"""Everything a reader sees, from the tidy tables: pictures, tables (Markdown, CSV, LaTeX) and report.md.

In: Tables. Out: files in one folder. Equal tables give equal bytes.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from selfnorm.analysis.comparison import ENDED, NETWORKS, chosen_of_several, unequal_pairs, usable_cells
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.figures.style import house_style, save
from selfnorm.analysis.inference import MIN_SEEDS_TEST
from selfnorm.analysis.results import Tables, read_results, write_results
from selfnorm.analysis.statistics import STATISTICS
from selfnorm.analysis.words import bullets, latex_table, markdown_table, provenance_lines
from selfnorm.runs.files import write_atomically
from selfnorm.studies import causes, cells, claim, fixed_points, learned_constants, moments, rates, rivals
from selfnorm.studies.section import Section

STUDIES: dict[str, Callable[[Tables, tuple[str, str]], Section]] = {
    "the claim": claim.section,
    "fixed points": fixed_points.section,
    "learned constants": learned_constants.section,
    "moments": moments.section,
    "causes": causes.section,
    "rates": rates.section,
    "rivals": rivals.section,
    "cells": cells.section,
}


METHOD = f"""## How the numbers were made

- The claim: docs/statistics.md defines spread of forks, fluctuation and updates to a level; docs/protocol.md is the
  plan. A verdict needs Holm's p below 0.05; one family of tests for each question: the cells of this report.
{bullets(f"{s.name}: {s.method}" for s in STATISTICS.values())}\
- Ratios are of geometric means over seeds. Their 95 % intervals are not corrected for the number of cells: studentized
  bootstrap over seeds on the log scale from {MIN_SEEDS_TEST} seeds up, Welch's t below.
- "≥" and "≤": the true ratio is at least, at most the number, because a seed does not reach the level, or a curve
  bends more than it fluctuates.
- p: exact two-sided permutation of the seeds, corrected by Holm; none below {MIN_SEEDS_TEST} seeds.
- A seed whose training error stops being finite is left out everywhere and listed.
"""


def make_report(tables: Tables, folder: Path, networks: tuple[str, str] = NETWORKS) -> list[str]:
    """Write the tables, what every study makes of them, and report.md. Returns the verdicts on the claim.

    A study that the runs do not answer is left out and named in the report. Raises ValueError when there is
    not one run that ended.
    """
    _check_that_a_run_ended(tables)
    write_results(replace(tables, provenance=tables.provenance | {"compare": list(networks)}), folder)
    # What is shown comes from the committed tables, so that rebuilding from them gives the same bytes.
    tables = read_results(folder)
    lines = ["# Report\n\n" + provenance_lines(tables.provenance, len(tables.cells))]
    sentences: list[str] = []
    left_out = _left_out(tables, networks)
    with house_style():
        for name, study in STUDIES.items():
            try:
                section = study(tables, networks)
            except ValueError as error:
                left_out.append(f"{name}: {error}")
            else:
                write_section(section, folder)
                lines.append(f"## {section.title}\n\n{section.text}")
                sentences += section.sentences
    if left_out:
        lines.append(f"## Left out, and why\n\n{bullets(left_out)}")
    write_atomically(folder / "report.md", "\n".join([*lines, METHOD]))
    return sentences


def _check_that_a_run_ended(tables: Tables) -> None:
    usable, left_out = usable_cells(tables)
    if usable.empty and tables.cells["state"].isin(ENDED).any():
        raise ValueError(f"no run that ended can be reported: {'; '.join(left_out)}")
    if usable.empty:
        states = ", ".join(sorted(tables.cells["state"].unique()))
        raise ValueError(f"no run has ended (states: {states}): let the sweep finish, then make the report")


def write_section(section: Section, folder: Path) -> None:
    """The pictures of a section; its full numbers as CSV, the readable views as Markdown and LaTeX."""
    for name, figure in section.pictures.items():
        save(figure, folder, name)
    for name, table in section.tables.items():
        _write_csv(table.numbers, folder / f"{name}.csv")
        if table.view is not None:
            write_atomically(folder / f"{name}.md", markdown_table(table.view))
            write_atomically(folder / f"{name}.tex", latex_table(table.view))


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    numbers = table.infer_objects()  # a column of objects would be written in full
    write_atomically(path, numbers.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def _left_out(tables: Tables, networks: tuple[str, str]) -> list[str]:
    """Skipped folders, runs that did not end, seeds that diverged and cells that no study compares."""
    lines = [f"{entry['path']}: {entry['reason']}" for entry in tables.skipped]
    ended, unfinished = usable_cells(tables)
    lines += unfinished
    for cell in ended["cell"]:
        for seed, step in sorted(seed_curves(tables, cell).diverged.items()):
            lines.append(f"{cell}: seed {seed} diverged at step {step}, left out of every number and picture")
    lines += unequal_pairs(ended, networks) + chosen_of_several(ended, networks)
    return lines + fixed_points.comparable_selus(tables)[1]
