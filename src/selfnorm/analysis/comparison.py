"""Cells side by side: which can be used, which two are compared, and the ratios of their curves.

In: Tables. Out: tidy tables with a row per pair and statistic; where no number can be given the note says why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.bounds import Estimate
from selfnorm.analysis.coordinates import NETWORK_AXES, changed_axes, dataset_title, paper_order, reference_cells
from selfnorm.analysis.curves import SeedCurves, seed_curves
from selfnorm.analysis.inference import holm, mean_interval, rate_interval
from selfnorm.analysis.results import Tables
from selfnorm.analysis.statistics import SKIP, STATISTICS, fluctuation

ENDED = ("finished", "diverged")  # the states of a run whose curve is whole
NETWORKS = ("BN", "SNN")  # what is compared unless other names are given; ratios are the first over the second


def usable_cells(tables: Tables) -> tuple[pd.DataFrame, list[str]]:
    """The cells whose runs ended and whose curves can be read, and a sentence for each of the others."""
    usable, left_out = [], []
    for cell, state in zip(tables.cells["cell"], tables.cells["state"], strict=True):
        try:
            if state not in ENDED:
                raise ValueError(f"{cell}: {state}, not in the statistics")
            seed_curves(tables, cell)
            usable.append(cell)
        except ValueError as error:
            left_out.append(str(error))
    return tables.cells[tables.cells["cell"].isin(usable)], left_out


def pairs(tables: Tables, networks: tuple[str, str] = NETWORKS) -> pd.DataFrame:
    """The two cells that are compared per data set and depth: dataset, depth, cell_a, cell_b.

    Raises ValueError when no data set and depth has both networks.
    """
    a, b = networks
    if a == b:
        raise ValueError(f"{a} cannot be compared with itself: name two networks")
    cells, _ = usable_cells(tables)
    keys = ["dataset", "depth"]
    sides = [reference_cells(cells, network)[[*keys, "cell"]] for network in networks]
    table = sides[0].merge(sides[1], on=keys, suffixes=("_a", "_b"), validate="one_to_one")
    if table.empty:
        present = ", ".join(sorted(cells["network"].unique())) or "no run that ended"
        raise ValueError(f"no data set and depth has both {a} and {b}; there: {present}: run the missing network")
    return table


def compare_pair(a: SeedCurves, b: SeedCurves, names: Iterable[str]) -> list[dict[str, Any]]:
    """One row per statistic: the fields of Estimate for a / b and a note, which says why where there is no number."""
    rows = []
    for name in names:
        try:
            for curves in (a, b):
                if not curves.seeds:
                    raise ValueError(f"every seed of {curves.name} diverged: lower the learning rate")
            estimate, note = STATISTICS[name].compare(a, b)
        except ValueError as error:
            estimate, note = Estimate.unknown(len(a.seeds), len(b.seeds)), str(error)
        rows.append({"statistic": name, **asdict(estimate), "note": note})
    return rows


def corrected(table: pd.DataFrame, within: Sequence[str]) -> pd.DataFrame:
    """The table with p_holm and num_cells: Holm's correction over the rows that are equal in `within`."""
    groups = table.groupby(list(within))["p"]
    return table.assign(
        p_holm=groups.transform(lambda p: holm(p.to_numpy())), num_cells=groups.transform("count").astype(int)
    )


def unequal_pairs(cells: pd.DataFrame, networks: tuple[str, str] = NETWORKS) -> list[str]:
    """A sentence for each data set and depth at which the two networks' cells differ in more than the network."""
    sentences = []
    a, b = networks
    references = reference_cells(cells, b)
    for _, cell in reference_cells(cells, a).iterrows():
        alike = references[(references["dataset"] == cell["dataset"]) & (references["depth"] == cell["depth"])]
        for _, reference in alike.iterrows():
            more = set(changed_axes(reference, cell)) - NETWORK_AXES
            if more:
                where = f"{dataset_title(cell['dataset'])}, depth {cell['depth']}"
                sentences.append(f"{where}: {a} and {b} also differ in {', '.join(sorted(more))}")
    return sentences


def chosen_of_several(cells: pd.DataFrame, networks: tuple[str, str] = NETWORKS) -> list[str]:
    """A sentence for each data set, depth and network of which one cell of several stands in the comparison."""
    sentences = []
    for network in networks:
        for _, chosen in reference_cells(cells, network).iterrows():
            same_kind = (cells[["dataset", "depth", "network"]] == chosen[["dataset", "depth", "network"]]).all(axis=1)
            if same_kind.sum() > 1:
                where = f"{dataset_title(chosen['dataset'])}, depth {chosen['depth']}"
                sentences.append(f"{where}: of {same_kind.sum()} {network} runs, {chosen['cell']} is compared")
    return sentences


def describe_cells(tables: Tables) -> pd.DataFrame:
    """One row per ended cell: n, the seeds that diverged, the numbers of describe_curves and of lowest_validation."""
    rows = []
    for _, cell in usable_cells(tables)[0].iterrows():
        curves = seed_curves(tables, cell["cell"])
        row: dict[str, Any] = {key: cell[key] for key in ("cell", "dataset", "network", "depth")}
        row |= {"n": len(curves.seeds), "diverged": diverged_text(curves)}
        rows.append(row | describe_curves(curves) | lowest_validation(tables, str(cell["cell"])))
    rows.sort(key=lambda row: (paper_order(row["dataset"]), row["depth"], row["network"], row["cell"]))
    return pd.DataFrame(rows)


def lowest_validation(tables: Tables, cell: str) -> dict[str, float]:
    """lowest_validation: the smallest recorded validation error, mean over the seeds that count; its epoch beside it.

    Empty where no validation error was recorded, or every seed diverged.
    """
    rows = tables.curves_by_cell.get((cell, "validation"))
    if rows is None or rows.empty:
        return {}
    means = rows[rows["seed"].isin(seed_curves(tables, cell).seeds)].groupby("epoch")["loss"].mean()
    if means.empty:
        return {}
    lowest = int(means.argmin())
    return {"lowest_validation": float(means.iloc[lowest]), "lowest_validation_epoch": float(means.index[lowest])}


def diverged_text(curves: SeedCurves) -> str:
    """The seeds that diverged, each with its step; empty if none did."""
    return ", ".join(f"seed {seed} at step {step}" for seed, step in sorted(curves.diverged.items()))


def describe_curves(curves: SeedCurves) -> dict[str, Any]:
    """Means over seeds of fluctuation, final_error and test_error (fraction of wrong answers), and a note.

    Each has _low and _high: geometric means with 95 % t intervals on the log scale (NaN for a single seed), of the
    test error the mean on the logit scale (see `rate_interval`). spread: standard deviation of
    log error over seeds at equal step, root mean square over the window.
    """
    if not curves.seeds:
        return {"note": "every seed diverged: lower the learning rate"}
    values: dict[str, Any] = {"note": ""}
    try:
        log_sd_R, bound = fluctuation(curves)
        values |= _with_interval("fluctuation", log_sd_R)
        if bound:
            values["note"] = "the fluctuation is an upper bound: the curve bends more than it fluctuates"
    except ValueError as error:
        values["note"] = str(error)
    values |= _with_interval("final_error", curves.logs_RT[:, -1])
    if np.isfinite(curves.test_errors_R).all():
        names = ("test_error", "test_error_low", "test_error_high")
        values |= dict(zip(names, rate_interval(curves.test_errors_R), strict=True))
    few = len(curves.seeds) < 2
    return values | {"spread": np.nan if few else np.sqrt(curves.window(SKIP).logs_RT.var(axis=0, ddof=1).mean())}


def _with_interval(key: str, logs: np.ndarray) -> dict[str, float]:
    return dict(zip((key, f"{key}_low", f"{key}_high"), mean_interval(logs), strict=True))
