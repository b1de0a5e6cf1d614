"""The runs of one tag together: the lines of Figure 1, the variance table and the verdicts.

In: the folders of the runs. Out: a dictionary of JSON values.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.comparison import chosen_of_several, describe_cells, usable_cells
from selfnorm.analysis.coordinates import dataset_title, paper_order, settings_of
from selfnorm.analysis.curves import SeedCurves, seed_curves
from selfnorm.analysis.pooling import pool_seeds
from selfnorm.analysis.results import Tables
from selfnorm.analysis.runs import as_tables
from selfnorm.review.colours import line_style
from selfnorm.review.compact import numbers, plain, spread_evenly
from selfnorm.review.names import told_apart
from selfnorm.runs.finding import Folder
from selfnorm.runs.reading import readable
from selfnorm.studies.claim import answers

MOST_POINTS = 400  # of a line: about as many as a chart has pixels for
VERDICT_COLUMNS = ["dataset", "depth", "claim", "verdict", "sentence"]
RATIO_COLUMNS = [
    "dataset", "depth", "statistic", "value_a", "value_b", "ratio", "low", "high", "p_holm", "n_a", "n_b", "note",
]  # fmt: skip


def make_group(folders: Sequence[Folder]) -> dict[str, Any]:
    """Return `lines` (geometric mean over seeds, band of one sd of log error), `cells`, `verdicts`, `ratios`."""
    runs = readable(list(folders))
    if not runs:
        return {"lines": [], "cells": [], "verdicts": [], "ratios": [], "note": "no run of this tag has a curve yet"}
    tables = pool_seeds(as_tables(runs))
    lines = _lines(tables)
    labels = {line["id"]: line["label"] for line in lines}
    cells = [plain(row) | {"label": labels[row["cell"]]} for row in describe_cells(tables).to_dict("records")]
    return {"lines": lines, "cells": cells} | _comparison(tables)


def _lines(tables: Tables) -> list[dict[str, Any]]:
    cells = [{str(key): value for key, value in cell.items()} for cell in tables.cells.to_dict("records")]
    cells.sort(key=lambda cell: (paper_order(cell["dataset"]), cell["depth"], cell["network"], cell["cell"]))
    networks, depths = sorted({cell["network"] for cell in cells}), sorted({cell["depth"] for cell in cells})
    names = told_apart([cell | {"id": cell["cell"], "settings": settings_of(cell)} for cell in cells])
    seen: Counter[tuple[Any, ...]] = Counter()
    lines = []
    for cell, label in zip(cells, names, strict=True):
        dataset, network, depth, name = (cell[key] for key in ("dataset", "network", "depth", "cell"))
        line = {"id": name, "title": f"{label}, {depth} layers", "label": label}
        line |= {"dataset": dataset, "dataset_title": dataset_title(dataset), "network": network, "depth": int(depth)}
        line |= line_style(network, networks, depth, depths, copy=seen[dataset, network, depth])
        seen[dataset, network, depth] += 1
        try:
            lines.append(line | band(seed_curves(tables, name)))
        except ValueError as error:
            lines.append(line | {"note": str(error), "step": []})
    return lines


def band(curves: SeedCurves) -> dict[str, Any]:
    """Return step, mean, low, high, first (the first seed alone), or a note on why there is no line."""
    if not curves.seeds or not len(curves.steps_T):
        return {"step": [], "note": "every seed diverged" if curves.diverged else "nothing recorded yet"}
    shown = spread_evenly(len(curves.steps_T), MOST_POINTS)
    line = {"step": curves.steps_T[shown].tolist(), "first": numbers(curves.errors_RT[0, shown])}
    return line | mean_and_band(pd.DataFrame(curves.logs_RT[:, shown]))


def mean_and_band(logs_RT: pd.DataFrame) -> dict[str, Any]:
    """Return the geometric mean over seeds (rows), and low and high, one sd of the log away (None for one seed)."""
    mean_T, sd_T = logs_RT.mean(), logs_RT.std()
    low, high = (None, None) if len(logs_RT) < 2 else (numbers(np.exp(mean_T + sign * sd_T)) for sign in (-1, 1))
    return {"mean": numbers(np.exp(mean_T)), "low": low, "high": high}


def _comparison(tables: Tables) -> dict[str, Any]:
    try:
        table, _ = answers(tables)
    except ValueError as error:
        return {"verdicts": [], "ratios": [], "note": f"No verdict: {error}"}
    bounds = {"≥": "the ratio is at least this", "≤": "the ratio is at most this"}
    ratios = table.assign(statistic=table["question"], ratio=table["value"], note=table["kind"].map(bounds).fillna(""))
    return {
        "verdicts": plain(table[VERDICT_COLUMNS].to_dict("records")),
        "ratios": plain(ratios[RATIO_COLUMNS].to_dict("records")),
        "chosen": chosen_of_several(usable_cells(tables)[0]),
    }
