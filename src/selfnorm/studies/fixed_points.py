"""Is (0, 1) the best fixed point? SELUs of other fixed points, and of learned constants, against the paper's.

In: Tables of +sweep=fixed_points. Out: a row per SELU and statistic with the ratio to the SELU of (0, 1), at equal
learning rate and each at its own best; the section of the report.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.comparison import compare_pair, corrected, usable_cells
from selfnorm.analysis.coordinates import PAPERS, axis_of, changed_axes, paper_order
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.results import Tables
from selfnorm.analysis.statistics import FINAL, FLUCTUATION, SPEED, TEST
from selfnorm.analysis.words import bullets, markdown_table
from selfnorm.studies.figures.fixed_points import fixed_points_figure
from selfnorm.studies.fixed_point_words import OWN_BEST, fixed_point_sentences
from selfnorm.studies.section import Section, Table, ratio_view

COMPARED = (FLUCTUATION, SPEED, FINAL, TEST)
_VARIED = ("activation", "learning rate")


def fixed_points(tables: Tables) -> pd.DataFrame:
    """The ratio SELU / SELU of (0, 1) of each statistic, per data set, depth and learning rate.

    Columns: dataset, depth, lr (a number as text, or `own best`: both at the rate of the lowest mean validation
    error), fixed_point, cell, and those of `compare_pair`, p corrected over the SELUs that one (0, 1) network is
    compared with. Raises ValueError if there is nothing to compare.
    """
    rows: list[dict[str, Any]] = []
    for (dataset, depth), cells in comparable_selus(tables)[0].items():
        for lr, chosen in _at_each_rate(tables, cells):
            if PAPERS not in chosen.index:
                continue
            base = seed_curves(tables, chosen.pop(PAPERS))
            for fixed_point, cell in chosen.items():
                names = {"dataset": dataset, "depth": depth, "lr": lr, "fixed_point": fixed_point, "cell": cell}
                pair = (seed_curves(tables, str(cell)), base)
                rows += [names | row for row in compare_pair(*pair, COMPARED)]
    if not rows:
        raise ValueError("no SELU of another fixed point beside that of (0, 1): run +sweep=fixed_points")
    return corrected(pd.DataFrame(rows), within=["statistic", "dataset", "depth", "lr"])


def _at_each_rate(tables: Tables, cells: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """The cell of each fixed point, at every learning rate and then at each one's own best."""
    for lr, group in cells.groupby("lr"):
        yield f"{lr:g}", group.set_index("fixed_point")["cell"].copy()
    if cells["lr"].nunique() > 1:
        score = cells["cell"].map(lambda cell: _validation_error(tables, cell))
        best = cells.assign(score=score).sort_values(["score", "cell"]).drop_duplicates("fixed_point")
        yield OWN_BEST, best.set_index("fixed_point")["cell"].sort_index().copy()


def _validation_error(tables: Tables, cell: str) -> float:
    """Mean over seeds of the last validation error; infinite where a seed diverged."""
    curves = seed_curves(tables, cell, "validation")
    return np.inf if curves.diverged else float(curves.errors_RT[:, -1].mean())


def comparable_selus(tables: Tables) -> tuple[dict[tuple[str, int], pd.DataFrame], list[str]]:
    """The SELUs to compare: for each data set and depth the plain SELU networks that differ in nothing else than the
    fixed point and the learning rate, one of each; and a sentence for each other plain SELU network.

    The setting is the one with the most fixed points, the paper's among them; of equal networks (other seeds) the
    one of most seeds stands, then the first by name.
    """
    cells, _ = usable_cells(tables)
    settings = [column for column in cells if axis_of(column) not in (None, *_VARIED)]
    plain = (cells["activation"] == "selu") & (cells["normalization"] == "none") & (cells["block"] == "plain")
    plain &= cells["dropout"] == "none"
    groups = {(str(d), int(str(k))): group for (d, k), group in cells[plain].groupby(["dataset", "depth"])}
    chosen, left_out = {}, []
    for key in sorted(groups, key=lambda key: (paper_order(key[0]), key[1])):
        here = groups[key]
        if here["fixed_point"].nunique() < 2:
            continue  # nothing was asked
        setting = max((group for _, group in here.groupby(settings, dropna=False)), key=_completeness)
        by_seeds = setting.sort_values(["num_seeds", "cell"], ascending=[False, True])
        compared = by_seeds.drop_duplicates(["lr", "fixed_point"]).sort_values("cell")
        left_out += [_why_left_out(cell, compared) for _, cell in here[~here["cell"].isin(compared["cell"])].iterrows()]
        if compared["fixed_point"].nunique() > 1:
            chosen[key] = compared
    return chosen, left_out


def _completeness(setting: pd.DataFrame) -> tuple[bool, int, int]:
    fixed_points = setting["fixed_point"]
    return bool((fixed_points == PAPERS).any()), fixed_points.nunique(), len(setting)


def _why_left_out(cell: pd.Series, compared: pd.DataFrame) -> str:
    if differ := [axis for axis in changed_axes(compared.iloc[0], cell) if axis not in _VARIED]:
        return f"{cell['cell']}: not among the fixed points, it differs from the others in {', '.join(differ)}"
    twin = compared[(compared["lr"] == cell["lr"]) & (compared["fixed_point"] == cell["fixed_point"])].iloc[0]
    return f"{cell['cell']}: not among the fixed points, {twin['cell']} is the same network and stands there"


def section(tables: Tables, networks: tuple[str, str]) -> Section:
    """Raises ValueError when no SELU of another fixed point stands beside that of (0, 1)."""
    table = fixed_points(tables)
    view = ratio_view(table, ["lr", "fixed_point"])
    sentences = fixed_point_sentences(table)
    text = f"""![Ratio to the SELU of (0, 1)](fixed_points.png)

Counted as lower or higher: the 95 % interval of the ratio excludes 1 and the permutation p, corrected by \
Holm over the SELUs that one (0, 1) network is compared with, is below 0.05.

{bullets(sentences)}
Ratio to the SELU of (0, 1) (95 % interval):

{markdown_table(view)}"""
    files = {"fixed_points": Table(table, view)}
    pictures = {"fixed_points": fixed_points_figure(table)}
    return Section("Is (0, 1) the best fixed point?", text, files, pictures, sentences)
