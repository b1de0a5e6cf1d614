"""Two networks side by side: every statistic as a ratio with interval and p-value, per data set and depth.

In: Tables. Out: tidy tables with a row per pair and statistic; where no number can be given the note says
why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.coordinates import changed_axes, dataset_title, paper_order, reference_cells
from selfnorm.analysis.curves import SeedCurves, seed_curves
from selfnorm.analysis.fluctuation import noise_sd, safe_log, settled_order, spread, steps_to_level
from selfnorm.analysis.inference import compare_logs, holm, mean_interval
from selfnorm.analysis.results import Tables
from selfnorm.analysis.statistics import DEFAULTS, SPREADS, STATISTICS, Settings

ENDED = ("finished", "diverged")  # the states of a run whose curve is whole

_NO_NUMBER = dict.fromkeys(("value_a", "value_b", "ratio", "low", "high", "p", "smallest_p"), np.nan) | {
    "interval": "none"
}


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


def compare_pair(a: SeedCurves, b: SeedCurves, settings: Settings, names: Iterable[str]) -> list[dict[str, Any]]:
    """One row per statistic: geometric means value_a and value_b, ratio a / b, interval, p, n and a note.

    A statistic that these curves cannot give has NaN for its numbers and the reason in `note`.
    """
    rows = []
    for name in names:
        row: dict[str, Any] = {"statistic": name, "n_a": len(a.seeds), "n_b": len(b.seeds)}
        try:
            for curves in (a, b):
                if not curves.seeds:
                    raise ValueError(f"every seed of {curves.name} diverged: lower the learning rate")
            log_a, log_b, note = STATISTICS[name](a, b, settings)
            values = {"value_a": float(np.exp(np.mean(log_a))), "value_b": float(np.exp(np.mean(log_b)))}
            row |= values | asdict(compare_logs(log_a, log_b, settings.confidence, bootstrap=name not in SPREADS))
            row["note"] = note
        except ValueError as error:
            row |= _NO_NUMBER | {"note": str(error)}
        rows.append(row)
    return rows


def compare(tables: Tables, settings: Settings = DEFAULTS, a: str = "BN", b: str = "SNN") -> pd.DataFrame:
    """The ratio a / b of every statistic per data set and depth, p corrected over each statistic's cells.

    Columns: dataset, depth, a, b, statistic, value_a, value_b, ratio, low, high, interval, p, smallest_p,
    p_holm, num_cells (the family of the correction), n_a, n_b, note. Raises ValueError when no data set and
    depth has both.
    """
    cells, _ = usable_cells(tables)
    pairs = reference_cells(cells, a).merge(
        reference_cells(cells, b), on=["dataset", "depth"], suffixes=("_a", "_b"), validate="one_to_one"
    )
    rows: list[dict[str, Any]] = []
    for _, pair in pairs.iterrows():
        curves = (seed_curves(tables, pair["cell_a"]), seed_curves(tables, pair["cell_b"]))
        own = {"dataset": pair["dataset"], "depth": int(pair["depth"]), "a": a, "b": b}
        rows += [own | row for row in compare_pair(*curves, settings, STATISTICS)]
    if not rows:
        there = ", ".join(sorted(cells["network"].unique())) or "no run that ended"
        raise ValueError(f"no data set and depth has both {a} and {b}; there: {there}: run the missing network")
    return corrected(pd.DataFrame(rows))


def unequal_pairs(cells: pd.DataFrame, a: str = "BN", b: str = "SNN") -> list[str]:
    """A sentence for each data set and depth whose cells of a and b differ in more than the network itself."""
    sentences = []
    references = reference_cells(cells, b)
    for _, cell in reference_cells(cells, a).iterrows():
        here = references[(references["dataset"] == cell["dataset"]) & (references["depth"] == cell["depth"])]
        for _, reference in here.iterrows():
            more = set(changed_axes(reference, cell)) - {"activation", "normalization", "initialization"}
            if more:
                where = f"{dataset_title(cell['dataset'])}, depth {cell['depth']}"
                sentences.append(f"{where}: {a} and {b} also differ in {', '.join(sorted(more))}")
    return sentences


def chosen_of_several(cells: pd.DataFrame, networks: Sequence[str] = ("BN", "SNN")) -> list[str]:
    """A sentence for each data set, depth and network of which one cell of several stands in the comparison."""
    sentences = []
    for network in networks:
        for _, chosen in reference_cells(cells, network).iterrows():
            same_kind = (cells[["dataset", "depth", "network"]] == chosen[["dataset", "depth", "network"]]).all(axis=1)
            if same_kind.sum() > 1:
                where = f"{dataset_title(chosen['dataset'])}, depth {chosen['depth']}"
                sentences.append(f"{where}: of {same_kind.sum()} {network} runs, {chosen['cell']} is compared")
    return sentences


def corrected(table: pd.DataFrame, within: Sequence[str] = ()) -> pd.DataFrame:
    """The table with p_holm and num_cells: Holm's correction over the rows of each statistic (and of `within`)."""
    groups = table.groupby(["statistic", *within])["p"]
    return table.assign(
        p_holm=groups.transform(lambda p: holm(p.to_numpy())), num_cells=groups.transform("count").astype(int)
    )


def describe_cells(tables: Tables, settings: Settings = DEFAULTS) -> pd.DataFrame:
    """One row per ended cell: n, diverged seeds, geometric means with interval, spread, note.

    Columns fluctuation, fluctuation_error, final_error and test_error (fraction of wrong answers) each come with
    _low and _high (t interval over seeds on the log scale; NaN for a single seed), the first two with the order of
    their differences.
    """
    rows = []
    for _, cell in usable_cells(tables)[0].iterrows():
        curves = seed_curves(tables, cell["cell"])
        row: dict[str, Any] = {key: cell[key] for key in ("cell", "dataset", "network", "depth")}
        row |= {"n": len(curves.seeds), "diverged": diverged_text(curves)}
        row |= describe_curves(curves, settings)
        rows.append(row)
    rows.sort(key=lambda row: (paper_order(row["dataset"]), row["depth"], row["network"], row["cell"]))
    return pd.DataFrame(rows)


def diverged_text(curves: SeedCurves) -> str:
    """Which seeds diverged and at which step; empty if none did."""
    return ", ".join(f"seed {seed} at step {step}" for seed, step in sorted(curves.diverged.items()))


def describe_curves(curves: SeedCurves, settings: Settings = DEFAULTS) -> dict[str, Any]:
    """The numbers of describe_cells for one cell."""
    values: dict[str, Any] = {}
    if not curves.seeds:
        return {"note": "every seed diverged: lower the learning rate"}
    window = curves.window(settings.skip)
    try:
        for key, y_RT in (("fluctuation", window.logs_RT), ("fluctuation_error", window.errors_RT)):
            order, (sd_R,) = settled_order(lambda k, y=y_RT: [noise_sd(y, k)])  # type: ignore[misc]
            values |= _with_interval(key, safe_log(sd_R), settings) | {f"{key}_order": order}
    except ValueError as error:
        values["note"] = str(error)
    values |= _with_interval("final_error", curves.logs_RT[:, -1], settings)
    if (curves.test_errors_R > 0).all():
        values |= _with_interval("test_error", np.log(curves.test_errors_R), settings)
    return values | {"spread": spread(window.logs_RT) if len(curves.seeds) > 1 else np.nan}


def _with_interval(key: str, logs: np.ndarray, settings: Settings) -> dict[str, float]:
    return dict(zip((key, f"{key}_low", f"{key}_high"), mean_interval(logs, settings.confidence), strict=True))


def speed_table(tables: Tables, settings: Settings = DEFAULTS) -> pd.DataFrame:
    """Updates to each error level per ended cell: n seeds, how many reached it, median, fastest and slowest.

    Seeds that did not reach a level are censored, so median and slowest are given only when all reached it.
    """
    rows = []
    for _, cell in usable_cells(tables)[0].iterrows():
        curves = seed_curves(tables, cell["cell"])
        for level in settings.levels if curves.seeds else ():
            steps = steps_to_level(curves.steps_T, curves.logs_RT, float(np.log(level)))
            reached = int((~np.isnan(steps)).sum())
            if level < curves.errors_RT[:, 0].min() and reached:
                whole = reached == len(steps)
                row = {key: cell[key] for key in ("dataset", "network", "depth", "cell")}
                summary = {"median": np.median(steps), "fastest": np.nanmin(steps), "slowest": np.max(steps)}
                rows.append(row | {"level": level, "n": len(steps), "reached": reached} | summary)
                if not whole:
                    break
    return pd.DataFrame(rows)
