"""The ratio of two networks as an estimate that may be a bound.

In: one log value per seed and network, or tables of them. Out: Estimate; a table with one estimate a row.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
import pandas as pd

from selfnorm.analysis.inference import MIN_SEEDS, permutation_p, ratio_interval

Kind = Literal["=", "≥", "≤", "?"]
RESOLUTION = 2.0**-23  # spacing of float32 numbers near 1: a spread of log error at or below it is rounding
VISIBLE = 0.01  # floor of relevance: nobody sees a curve on a log axis move by less than one per cent


@dataclass(frozen=True)
class Estimate:
    """A ratio of geometric means over seeds, its 95 % interval (low, high), and what it says of the true ratio.

    kind: "=" is the ratio itself; "≥" and "≤" say that the true ratio is at least, at most `value`, and one end of
    the interval is then open; "?" says that nothing is known, and `value` is NaN. n_a, n_b: seeds in numerator and
    denominator. p: two-sided permutation p-value; NaN below five seeds; 1 where a bound leaves both answers open.

    >>> print(Estimate(3273.4, 2796.1, 3835.2, "=", 6, 6, 0.00216))
    3270 (2800 to 3840)
    >>> print(Estimate(59.04, 41.0, float("inf"), "≥", 6, 6, 0.00216))
    ≥ 59
    """

    value: float
    low: float
    high: float
    kind: Kind
    n_a: int
    n_b: int
    p: float

    @classmethod
    def of(cls, row: pd.Series) -> Estimate:
        """The Estimate in a row of a table of ratios."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})

    @classmethod
    def unknown(cls, num_a: int, num_b: int) -> Estimate:
        """A ratio of which nothing is known."""
        return cls(np.nan, np.nan, np.nan, "?", num_a, num_b, np.nan)

    def __str__(self) -> str:
        if self.kind == "?":
            return "–"
        value = three_digits(self.value)
        if self.kind == "=":
            return f"{value} ({three_digits(self.low)} to {three_digits(self.high)})"
        return f"{self.kind} {value}"


def three_digits(value: float) -> str:
    """Three significant digits, never with an exponent."""
    return np.format_float_positional(value, precision=3, fractional=False, trim="-")


def kind_of(*, at_least: bool, at_most: bool) -> Kind:
    """The kind of a ratio, a side of which is a bound; two bounds that point apart say nothing."""
    return "?" if at_least and at_most else "≥" if at_least else "≤" if at_most else "="


def ratio(log_a: np.ndarray, log_b: np.ndarray, kind: Kind = "=") -> Estimate:
    """exp(mean(log_a) - mean(log_b)) over seeds, with studentized bootstrap interval and exact permutation p.

    Seeds are compared unpaired, although the same seed gives both networks the same stream of initial weights and
    the same batches. What pairs share makes the unpaired interval and test conservative, never too bold (shared
    luck adds to the variance that they assume and cancels from the difference). A sign-flip test over six pairs
    cannot get below p = 2/64, which Holm's correction over two cells already lifts above 0.05; 6 against 6 reach
    2/924. Raises ValueError below two seeds, for values that are not finite, or if every seed has the same value.

    >>> print(ratio(np.log([8.0, 9.0, 10.0, 11.0, 12.0]), np.log([1.0, 0.9, 1.1, 1.2, 0.8]), "≥").kind)
    ≥
    """
    num_a, num_b = len(log_a), len(log_b)
    if min(num_a, num_b) < MIN_SEEDS:
        raise ValueError(f"{min(num_a, num_b)} seeds give no ratio: at least {MIN_SEEDS} are needed, run more seeds")
    if kind == "?":
        return Estimate.unknown(num_a, num_b)
    value, p = float(np.exp(np.mean(log_a) - np.mean(log_b))), permutation_p(log_a, log_b)
    if kind != "=" and np.ptp(log_a) == 0 == np.ptp(log_b):  # every seed of both stands at its bound
        low = high = value
    else:
        low, high = ratio_interval(log_a, log_b)
    if kind == "≥":
        high = np.inf
    if kind == "≤":
        low = 0.0
    if (kind == "≥" and value <= 1) or (kind == "≤" and value >= 1):
        p = float(np.maximum(p, 1.0))  # NaN stays NaN
    return Estimate(value, low, high, kind, num_a, num_b, p)


def compare(a: pd.DataFrame, b: pd.DataFrame, *, by: str, at: str) -> pd.DataFrame:
    """Ratio of the spreads of networks a and b at every point that both visit, and over all of these points.

    a, b: one row per `by` (a source, a statistic), point `at` (a step, a level) and seed, with log_sd and bound (is
    it an upper bound?). Rows whose log_sd is NaN do not count. The row whose `at` is NaN takes the geometric mean
    over points first, then over seeds. It holds the points that every seed visits; those at which the spread of a
    is the bound only if there are no others.
    Columns: by, at, points, those of Estimate, percent_a, percent_b (geometric mean of the spread, per cent of the
    error), visible (one of them reaches one per cent).
    """
    rows = []
    for name in sorted(set(a[by]) & set(b[by])):
        sides = [table[(table[by] == name) & table["log_sd"].notna()] for table in (a, b)]
        kinds: dict[float, Kind] = {}  # of the points that every seed visits
        for point in sorted(set(sides[0][at]) & set(sides[1][at])):
            here = [side[side[at] == point] for side in sides]
            if min(map(len, here)) >= MIN_SEEDS:
                rows.append({by: name, at: point, "points": 1, **_ratio_of(here)})
                if all(len(h) == side["seed"].nunique() for h, side in zip(here, sides, strict=True)):
                    kinds[point] = rows[-1]["kind"]
        chosen = [point for point in kinds if kinds[point] in "=≥"] or [p for p in kinds if kinds[p] == "≤"]
        if chosen:
            there = [side[side[at].isin(chosen)] for side in sides]
            rows.append({by: name, at: np.nan, "points": len(chosen), **_ratio_of(there)})
    estimate = [field.name for field in fields(Estimate)]
    return pd.DataFrame(rows, columns=[by, at, "points", *estimate, "percent_a", "percent_b", "visible"])


def _ratio_of(sides: list[pd.DataFrame]) -> dict[str, Any]:
    """The columns of a ratio, from one row per seed and point for each of the two networks."""
    log_a, log_b = (side.groupby("seed")["log_sd"].mean().to_numpy() for side in sides)
    bound_a, bound_b = (bool(side["bound"].any()) for side in sides)
    percent_a, percent_b = (float(100 * np.exp(np.mean(logs))) for logs in (log_a, log_b))
    visible = max(percent_a, percent_b) >= 100 * VISIBLE
    estimate = ratio(log_a, log_b, kind_of(at_least=bound_b, at_most=bound_a))
    return {**asdict(estimate), "percent_a": percent_a, "percent_b": percent_b, "visible": visible}
