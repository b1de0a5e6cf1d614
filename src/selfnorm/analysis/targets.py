"""Is (0, 1) the best target? SELUs of other fixed points, and of learned constants, against the paper's.

In: Tables of +sweep=fixed_points. Out: a row per SELU and statistic with the ratio to the SELU of (0, 1), at equal
learning rate and each at its own best; what the learned constants became; sentences.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.comparison import compare_pair, corrected, usable_cells
from selfnorm.analysis.coordinates import PAPERS, dataset_title, paper_order
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.results import Tables
from selfnorm.analysis.selus import comparable_selus
from selfnorm.analysis.statistics import DEFAULTS, FINAL, FLUCTUATION, OF_ERROR, SECOND, SPEED, TEST, Settings
from selfnorm.analysis.verdict import ALPHA

TARGET_STATISTICS = (FLUCTUATION, OF_ERROR, SECOND, SPEED, FINAL, TEST)
OWN_BEST = "own best"


def targets(tables: Tables, settings: Settings = DEFAULTS) -> pd.DataFrame:
    """The ratio SELU / SELU of (0, 1) of each statistic, per data set, depth and learning rate.

    Columns: dataset, depth, lr (a number as text, or `own best`: both at the rate of the lowest mean validation
    error), target, cell, and those of `compare_pair`, p corrected over the SELUs that one (0, 1) network is compared
    with. Raises ValueError if there is nothing to compare.
    """
    rows: list[dict[str, Any]] = []
    for (dataset, depth), cells in comparable_selus(tables)[0].items():
        for lr, chosen in _at_each_rate(tables, cells):
            if PAPERS not in chosen.index:
                continue
            base = seed_curves(tables, chosen.pop(PAPERS))
            for target, cell in chosen.items():
                own = {"dataset": dataset, "depth": depth, "lr": lr, "target": target, "cell": cell}
                rows += [
                    own | row for row in compare_pair(seed_curves(tables, str(cell)), base, settings, TARGET_STATISTICS)
                ]
    if not rows:
        raise ValueError("no SELU of another fixed point beside that of (0, 1): run +sweep=fixed_points")
    return corrected(pd.DataFrame(rows), within=["dataset", "depth", "lr"])


def _at_each_rate(tables: Tables, cells: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """The cell of each target, at every learning rate and then at each target's own best one."""
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


def target_sentences(table: pd.DataFrame) -> list[str]:
    """The answer, then how often each target is surely lower or higher than (0, 1), with the range of its ratios."""
    sentences = []
    for rates, group in _by_rates(table):
        sentences.append(f"{rates.capitalize()}, {_answer(group)}")
    for rates, group in _by_rates(table):
        for target, rows in group.groupby("target", sort=False):
            counts = "; ".join(_counted(rows, statistic) for statistic in (FINAL, TEST, SPEED, FLUCTUATION))
            sentences.append(f"{target}, {rates}: {counts}.")
    return sentences


def own_best_summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row per SELU of held constants, at its own best learning rate: where its training and test error are lower."""
    groups = table[(table["lr"] == OWN_BEST) & ~table["target"].str.startswith("learned")].groupby("target")
    return pd.DataFrame(
        [
            {"SELU": target} | {name: _counted(rows, name).removeprefix(f"{name} ") for name in (FINAL, TEST)}
            for target, rows in groups
        ]
    )


def both_errors(table: pd.DataFrame) -> list[str]:
    """Each at its own best rate and at equal rates: who is better in both errors, and what learning constants does."""
    sentences = []
    for rates, group in _by_rates(table):
        learned = group[group["target"] == f"learned from {PAPERS}"]
        counts = "; ".join(_counted(learned, statistic) for statistic in (FINAL, TEST))
        both = _named(_better_in_both(group[~group["target"].str.startswith("learned")]))
        sentences.append(
            f"{rates.capitalize()}, lower in both errors somewhere and higher nowhere: {both}; "
            f"alpha and lambda learned from {PAPERS}: {counts}."
        )
    return sentences


def _by_rates(table: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    own = table["lr"] == OWN_BEST
    if own.any():
        yield "each at its own best learning rate", table[own]
    yield "at equal learning rates", table[~own]


def _answer(group: pd.DataFrame) -> str:
    """Which targets are somewhere better than (0, 1) and nowhere worse: in training error, in test error, in both."""
    better = {name: _better(group[group["statistic"] == name]) for name in (FINAL, TEST)}
    both = _better_in_both(group)
    parts = [f"in {name} {_named(counts)}" for name, counts in better.items()]
    return f"surely lower than (0, 1) somewhere and higher nowhere: {'; '.join(parts)}; in both {_named(both)}."


def _better_in_both(group: pd.DataFrame) -> list[str]:
    final, test = (_better(group[group["statistic"] == name]) for name in (FINAL, TEST))
    return [target for target in final if target in test]


def _better(rows: pd.DataFrame) -> dict[str, str]:
    """Target -> where it is surely lower, such as `3 of 4`, for the targets that are nowhere surely higher."""
    counts = {}
    for target, group in rows.groupby("target"):
        lower, higher = (int(_surely(group, below=side).sum()) for side in (True, False))
        if lower and not higher:
            counts[str(target)] = f"{lower} of {len(group)}"
    return counts


def _named(targets: dict[str, str] | list[str]) -> str:
    if isinstance(targets, dict):
        targets = [f"{target} (in {count})" for target, count in targets.items()]
    return ", ".join(targets) or "none"


def _surely(rows: pd.DataFrame, *, below: bool) -> pd.Series:
    """The interval excludes 1 on that side and Holm's p is below ALPHA."""
    return (rows["p_holm"] < ALPHA) & ((rows["high"] < 1) if below else (rows["low"] > 1))


def _counted(rows: pd.DataFrame, statistic: str) -> str:
    """`final error lower in 3 and higher in 1 of 8 (ratios 0.70 to 0.90)`; a count is of what is sure."""
    given = rows[rows["statistic"] == statistic].dropna(subset="ratio")
    if given.empty:
        return f"{statistic}: no number"
    lower, higher = (_surely(given, below=side).sum() for side in (True, False))
    reach = f"ratios {given['ratio'].min():.2f} to {given['ratio'].max():.2f}"
    return f"{statistic} lower in {lower} and higher in {higher} of {len(given)} ({reach})"


def learned_constants(tables: Tables) -> pd.DataFrame:
    """alpha and lambda of every layer after training, where they were learned: one row per cell, seed and layer.

    Columns: cell, dataset, depth, lr, start (the fixed point that the constants began at), seed, layer, alpha, lambda,
    and alpha_start, lambda_start.
    """
    if "alpha" not in tables.moments:
        raise ValueError("no learned constants: run +sweep=fixed_points")
    rows = tables.moments.dropna(subset="alpha").drop(columns=["dataset", "network", "depth"])
    first, last = (rows[rows["step"] == rows.groupby("cell")["step"].transform(end)] for end in ("min", "max"))
    keys, names = ["cell", "seed", "layer"], ["alpha", "lambda"]
    last = last.merge(first[keys + names], on=keys, suffixes=("", "_start"))
    named = usable_cells(tables)[0][["cell", "dataset", "depth", "lr", "fixed_point"]].astype({"depth": "int64"})
    joined = last.merge(named, on="cell")
    joined["start"] = joined["fixed_point"].str.removeprefix("learned from ")
    return joined[["cell", "dataset", "depth", "lr", "start", *keys[1:], *names, "alpha_start", "lambda_start"]]


def constants_sentences(constants: pd.DataFrame) -> list[str]:
    """Where the learned constants ended: mean over layers and seeds for each start, and the range over all."""
    sentences = []
    groups = constants.groupby(["dataset", "depth", "lr"])
    for (dataset, depth, lr), group in sorted(groups, key=lambda group: (paper_order(str(group[0][0])), *group[0][1:])):
        seeds = group["seed"].nunique()
        parts = [f"{dataset_title(str(dataset))}, depth {depth}, lr {lr:g} (n = {seeds} seeds a start)"]
        for name in ("alpha", "lambda"):
            means = ", ".join(f"{mean:.2f} from {start}" for start, mean in group.groupby("start")[name].mean().items())
            parts.append(f"mean {name} {means} (layers {group[name].min():.2f} to {group[name].max():.2f})")
        sentences.append("; ".join(parts) + ".")
    return sentences
