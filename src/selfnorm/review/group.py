"""The runs of one tag together: the lines of Figure 1, the variance table and the verdicts.

In: the runs' readings. Out: a dictionary of JSON values.
"""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.comparison import chosen_of_several, compare, describe_cells, usable_cells
from selfnorm.analysis.coordinates import dataset_title, paper_order
from selfnorm.analysis.curves import SeedCurves, seed_curves
from selfnorm.analysis.results import Tables
from selfnorm.analysis.verdict import verdicts
from selfnorm.review.colours import line_style
from selfnorm.review.compact import numbers, plain
from selfnorm.review.reading import Reading, as_tables

MOST_POINTS = 400  # of a line: about as many as a chart has pixels for


def make_group(readings: list[Reading]) -> dict[str, Any]:
    """`lines` (geometric mean over seeds, band of one sd of log error), `cells`, `verdicts`, `ratios`."""
    readings = [r for r in readings if r.curves is not None]
    if not readings:
        return {"lines": [], "cells": [], "verdicts": [], "ratios": [], "note": "no run of this tag has a curve yet"}
    tables = as_tables(readings)
    lines = _lines(tables)
    described = describe_cells(tables)
    labels = {line["id"]: line["label"] for line in lines}
    rows = [] if described.empty else described.to_dict("records")
    cells = [plain(row) | {"label": labels[row["cell"]]} for row in rows]
    return {"lines": lines, "cells": cells} | _comparison(tables)


def _lines(tables: Tables) -> list[dict[str, Any]]:
    cells = tables.cells.sort_values(["depth", "network", "cell"])
    networks, depths = sorted(set(cells["network"])), sorted(set(map(int, cells["depth"])))
    copies = Counter(zip(cells["dataset"], cells["network"], cells["depth"], strict=True))
    seen: Counter[tuple[str, str, int]] = Counter()
    lines = []
    for _, cell in cells.iterrows():
        network, depth, name = str(cell["network"]), int(cell["depth"]), str(cell["cell"])
        kind = (str(cell["dataset"]), network, depth)
        # Equal but for a setting: told apart by the folder's hash, and by the dash
        apart = f" ({name.rsplit('-', 1)[-1]})" if copies[kind] > 1 else ""
        own = {
            "id": name,
            "title": f"{network}, {depth} layers{apart}",
            "label": network + apart,
            "dataset": str(cell["dataset"]),
            "network": network,
            "depth": depth,
        }
        own |= {"dataset_title": dataset_title(str(cell["dataset"])), "state": str(cell["state"])}
        own |= line_style(network, networks, depth, depths, copy=seen[kind])
        seen[kind] += 1
        try:
            lines.append(own | band(seed_curves(tables, name)))
        except ValueError as error:
            lines.append(own | {"note": str(error), "step": []})
    return sorted(lines, key=lambda row: (paper_order(row["dataset"]), row["depth"], row["network"]))


def band(curves: SeedCurves) -> dict[str, Any]:
    """step, mean, low, high (None for one seed), first (the first seed alone), n and the seeds that diverged."""
    count = {"n": len(curves.seeds), "diverged": len(curves.diverged)}
    if not curves.seeds or not len(curves.steps_T):
        return count | {"step": [], "note": "every seed diverged" if curves.diverged else "nothing recorded yet"}
    kept = np.unique(np.linspace(0, len(curves.steps_T) - 1, MOST_POINTS).round().astype(int))
    logs_RT = curves.logs_RT[:, kept]
    mean_T = logs_RT.mean(axis=0)
    line = {"step": curves.steps_T[kept].tolist(), "mean": numbers(np.exp(mean_T)), "low": None, "high": None}
    line["first"] = numbers(curves.errors_RT[0, kept])
    if len(curves.seeds) > 1:
        sd_T = logs_RT.std(axis=0, ddof=1)
        line |= {"low": numbers(np.exp(mean_T - sd_T)), "high": numbers(np.exp(mean_T + sd_T))}
    return count | line


def _comparison(tables: Tables) -> dict[str, Any]:
    try:
        table = compare(tables)
        found = {"verdicts": [plain(row) for row in verdicts(table).to_dict("records")], "ratios": _ratios(table)}
        return found | {"chosen": chosen_of_several(usable_cells(tables)[0])}
    except ValueError as error:
        return {"verdicts": [], "ratios": [], "note": f"No verdict: {error}"}


def _ratios(table: pd.DataFrame) -> list[dict[str, Any]]:
    shown = ["dataset", "depth", "a", "b", "statistic", "value_a", "value_b", "ratio", "low", "high", "p_holm", "note"]
    return [plain(row) for row in table[[*shown, "n_a", "n_b"]].to_dict("records")]
