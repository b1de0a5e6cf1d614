"""Everything a reader sees, from the tidy tables: pictures, tables (Markdown, CSV, LaTeX) and report.md.

In: a folder with committed tables. Out: files beside them. Equal tables give equal bytes.
"""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from selfnorm.analysis.causes import architectures, cause_sentences, causes, unmatched_cells
from selfnorm.analysis.comparison import ENDED, compare, describe_cells, speed_table, unequal_pairs, usable_cells
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.figures.errors import figure1
from selfnorm.analysis.figures.moments import moments_figure
from selfnorm.analysis.figures.ratios import causes_figure, fluctuation_figure
from selfnorm.analysis.figures.style import house_style, save
from selfnorm.analysis.figures.targets import constants_figure, targets_figure
from selfnorm.analysis.markup import latex_table, markdown_table
from selfnorm.analysis.report_text import (
    cells_view,
    controls_view,
    method,
    paired_view,
    provenance_lines,
)
from selfnorm.analysis.results import Tables, read_results, write_results
from selfnorm.analysis.selus import comparable_selus
from selfnorm.analysis.statistics import DEFAULTS, Settings
from selfnorm.analysis.targets import constants_sentences, learned_constants, target_sentences, targets
from selfnorm.analysis.verdict import verdicts


def make_report(tables: Tables, folder: Path, settings: Settings = DEFAULTS) -> list[str]:
    """Write the tables, then pictures, tables and report.md made from what was written. Returns the verdicts.

    Parts for which there are no runs are left out and named in the report. Raises ValueError when there is
    not one run that ended.
    """
    usable, left_out = usable_cells(tables)
    if usable.empty and tables.cells["state"].isin(ENDED).any():
        raise ValueError(f"no run that ended can be reported: {'; '.join(left_out)}")
    if usable.empty:
        states = ", ".join(sorted(tables.cells["state"].unique()))
        raise ValueError(f"no run has ended (states: {states}): let the sweep finish, then make the report")
    write_results(replace(tables, provenance=tables.provenance | {"skip": settings.skip}), folder)
    # What is shown comes from the committed tables, so that rebuilding from them gives the same bytes.
    tables = read_results(folder)
    sections: list[str] = []
    sentences: list[str] = []
    left_out = _left_out(tables)
    with house_style():
        for part in (_comparison_part, _targets_part, _moments_part, _causes_part, _architectures_part):
            try:
                text, found = part(tables, folder, settings)
                sections.append(text)
                sentences += found
            except ValueError as error:
                left_out.append(f"{part.__name__.strip('_').removesuffix('_part')}: {error}")
    sections.append(_cells_part(tables, folder, settings))
    _write_report(folder, sections, left_out, tables, settings)
    return sentences


_Part = tuple[str, list[str]]


def _comparison_part(tables: Tables, folder: Path, settings: Settings) -> _Part:
    comparison = compare(tables, settings)
    found = verdicts(comparison)
    ended = usable_cells(tables)[0]
    save(figure1(replace(tables, cells=ended)), folder, "figure1")
    save(fluctuation_figure(comparison), folder, "fluctuation")
    _write_table(comparison, paired_view(comparison, found), folder, "comparison")
    _csv(found, folder / "verdicts.csv")
    sentences = list(found["sentence"])
    text = "## Figure 1\n\n![Training error against update steps](figure1.png)\n\n"
    text += "Lines: geometric mean over seeds. Bands: one standard deviation of log error over seeds. "
    text += "Thin lines: one seed alone, since the mean hides roughness.\n\n"
    text += "## Does the claim hold?\n\n" + "".join(f"- {s}\n" for s in sentences)
    text += "\n![BN / SNN with 95 % intervals](fluctuation.png)\n\n"
    text += "BN / SNN, ratio (95 % interval):\n\n" + (folder / "comparison.md").read_text()
    return text, sentences


def _targets_part(tables: Tables, folder: Path, settings: Settings) -> _Part:
    table = targets(tables, settings)
    save(targets_figure(table), folder, "targets")
    _write_table(table, controls_view(table, ["lr", "target"]), folder, "targets")
    sentences = target_sentences(table)
    text = "## Is (0, 1) the best target?\n\n![Ratio to the SELU of (0, 1)](targets.png)\n\n"
    text += "Counted as lower or higher: the 95 % interval of the ratio excludes 1 and the permutation p, corrected by "
    text += "Holm over the SELUs that one (0, 1) network is compared with, is below 0.05.\n\n"
    text += "".join(f"- {sentence}\n" for sentence in sentences)
    with suppress(ValueError):  # constants may all have been held
        constants = learned_constants(tables)
        save(constants_figure(constants), folder, "constants")
        text += "\n## What the learned constants became\n\n![alpha and lambda by layer](constants.png)\n\n"
        text += "Thin lines: the values they started at.\n\n"
        text += "".join(f"- {sentence}\n" for sentence in constants_sentences(constants))
    text += "\nRatio to the SELU of (0, 1) (95 % interval):\n\n" + (folder / "targets.md").read_text()
    return text, sentences


def _moments_part(tables: Tables, folder: Path, settings: Settings) -> _Part:
    save(moments_figure(tables), folder, "moments")
    return "## Moments\n\n![Mean and variance of the activations, layer by step](moments.png)\n", []


def _causes_part(tables: Tables, folder: Path, settings: Settings) -> _Part:
    table = causes(tables, settings)
    if not table.empty and (folder / "targets.csv").exists() and set(table["axis"]) == {"learning rate"}:
        raise ValueError("nothing but the learning rate, at each of which the targets are compared")
    save(causes_figure(table), folder, "causes")
    _write_table(table, controls_view(table, ["reference", "control"]), folder, "causes")
    text = "## Which perturbation carries how much\n\n![Control / reference](causes.png)\n\n"
    text += "".join(f"- {sentence}\n" for sentence in cause_sentences(table))
    text += "\nControl / reference, ratio (95 % interval); below 1 the change takes fluctuation away:\n\n"
    return text + (folder / "causes.md").read_text(), []


def _architectures_part(tables: Tables, folder: Path, settings: Settings) -> _Part:
    if not tables.cells["network"].isin(["LN", "WN", "Highway", "ResNet"]).any():
        raise ValueError("no network besides SNN, BN, MSRA and controls: run +sweep=architectures")
    table = architectures(tables, settings)
    if table.empty:
        raise ValueError("no SNN to compare the other networks with: run the missing network")
    _write_table(table, controls_view(table, ["network"]), folder, "architectures")
    text = "## The paper's other networks\n\nNetwork / SNN, ratio (95 % interval):\n\n"
    return text + (folder / "architectures.md").read_text(), []


def _cells_part(tables: Tables, folder: Path, settings: Settings) -> str:
    described = describe_cells(tables, settings)
    _write_table(described, cells_view(described), folder, "networks")
    _csv(speed_table(tables, settings), folder / "speed.csv")
    text = "## Every cell\n\nGeometric mean over seeds (95 % interval); steps to each level: speed.csv.\n\n"
    return text + (folder / "networks.md").read_text()


def _write_table(table: pd.DataFrame, view: pd.DataFrame, folder: Path, name: str) -> None:
    """The full numbers as CSV, the readable view as Markdown and LaTeX."""
    _csv(table, folder / f"{name}.csv")
    (folder / f"{name}.md").write_text(markdown_table(view))
    (folder / f"{name}.tex").write_text(latex_table(view))


def _csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")


def _left_out(tables: Tables) -> list[str]:
    """Skipped folders, runs that did not end, seeds that diverged and cells that are nobody's control."""
    lines = [f"{entry['path']}: {entry['reason']}" for entry in tables.skipped]
    ended, unfinished = usable_cells(tables)
    lines += unfinished
    for cell in ended["cell"]:
        for seed, step in sorted(seed_curves(tables, cell).diverged.items()):
            lines.append(f"{cell}: seed {seed} diverged at step {step}, left out of every number and picture")
    return lines + unequal_pairs(ended) + unmatched_cells(tables) + comparable_selus(tables)[1]


def _write_report(folder: Path, sections: list[str], left_out: list[str], tables: Tables, settings: Settings) -> None:
    parts: list[Any] = ["# Report\n\n" + provenance_lines(tables.provenance, len(tables.cells)), *sections]
    if left_out:
        parts.append("## Left out, and why\n\n" + "".join(f"- {line}\n" for line in left_out))
    parts.append(method(settings))
    (folder / "report.md").write_text("\n".join(parts))
