"""The sentences of the study of fixed points, for the report and for the page of all studies.

In: the table of fixed_points.fixed_points. Out: strings. A fixed point counts as lower or higher where that is sure.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from selfnorm.analysis.coordinates import PAPERS
from selfnorm.analysis.inference import ALPHA
from selfnorm.analysis.statistics import FINAL, FLUCTUATION, SPEED, TEST
from selfnorm.analysis.words import bullets, markdown_table

OWN_BEST = "own best"


def fixed_point_sentences(table: pd.DataFrame) -> list[str]:
    """The answer, then how often each fixed point is surely lower or higher than (0, 1), with its ratios."""
    sentences = []
    for rates, group in _by_rates(table):
        sentences.append(f"{rates.capitalize()}, {_answer(group)}")
    for rates, group in _by_rates(table):
        for fixed_point, rows in group.groupby("fixed_point", sort=False):
            counts = "; ".join(_counted(rows, statistic) for statistic in (FINAL, TEST, SPEED, FLUCTUATION))
            sentences.append(f"{fixed_point}, {rates}: {counts}.")
    return sentences


def own_best_summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row per SELU of held constants, at its own best learning rate: where its training and test error are lower."""
    groups = table[(table["lr"] == OWN_BEST) & ~table["fixed_point"].str.startswith("learned")].groupby("fixed_point")
    return pd.DataFrame(
        [
            {"SELU": fixed_point} | {name: _counted(rows, name).removeprefix(f"{name} ") for name in (FINAL, TEST)}
            for fixed_point, rows in groups
        ]
    )


def both_errors(table: pd.DataFrame) -> list[str]:
    """Each at its own best rate and at equal rates: who is better in both errors, and what learning constants does."""
    sentences = []
    for rates, group in _by_rates(table):
        learned = group[group["fixed_point"] == f"learned from {PAPERS}"]
        counts = "; ".join(_counted(learned, statistic) for statistic in (FINAL, TEST))
        both = _named(_better_in_both(group[~group["fixed_point"].str.startswith("learned")]))
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
    """Names the fixed points that are somewhere better than (0, 1) and nowhere worse: in either error, and in both."""
    better = {name: _better(group[group["statistic"] == name]) for name in (FINAL, TEST)}
    both = _better_in_both(group)
    parts = [f"in {name} {_named(counts)}" for name, counts in better.items()]
    return f"surely lower than (0, 1) somewhere and higher nowhere: {'; '.join(parts)}; in both {_named(both)}."


def _better_in_both(group: pd.DataFrame) -> list[str]:
    final, test = (_better(group[group["statistic"] == name]) for name in (FINAL, TEST))
    return [fixed_point for fixed_point in final if fixed_point in test]


def _better(rows: pd.DataFrame) -> dict[str, str]:
    """Fixed point -> where it is surely lower, such as `3 of 4`, for those that are nowhere surely higher."""
    counts = {}
    for fixed_point, group in rows.groupby("fixed_point"):
        lower, higher = (int(_surely(group, below=side).sum()) for side in (True, False))
        if lower and not higher:
            counts[str(fixed_point)] = f"{lower} of {len(group)}"
    return counts


def _named(fixed_points: dict[str, str] | list[str]) -> str:
    if isinstance(fixed_points, dict):
        fixed_points = [f"{fixed_point} (in {count})" for fixed_point, count in fixed_points.items()]
    return ", ".join(fixed_points) or "none"


def _surely(rows: pd.DataFrame, *, below: bool) -> pd.Series:
    """The interval excludes 1 on that side and Holm's p is below ALPHA."""
    return (rows["p_holm"] < ALPHA) & ((rows["high"] < 1) if below else (rows["low"] > 1))


def _counted(rows: pd.DataFrame, statistic: str) -> str:
    """`final error lower in 3 and higher in 1 of 8 (ratios 0.70 to 0.90)`; a count is of what is sure."""
    given = rows[rows["statistic"] == statistic].dropna(subset="value")
    if given.empty:
        return f"{statistic}: no number"
    lower, higher = (_surely(given, below=side).sum() for side in (True, False))
    reach = f"ratios {given['value'].min():.2f} to {given['value'].max():.2f}"
    return f"{statistic} lower in {lower} and higher in {higher} of {len(given)} ({reach})"


def summary(folder: Path) -> str:
    """The answer from a folder of committed tables, at each SELU's own best rate and at equal rates."""
    table = pd.read_csv(folder / "fixed_points.csv", dtype={"lr": str})
    return f"{markdown_table(own_best_summary(table))}\n{bullets(both_errors(table))}"
