"""The updates that two networks need to fixed error levels, seeds that do not get there included.

In: errors of each network, (R seeds, T records), and their steps. Out: one row per level with the ratio of updates,
and the level at which the two networks are compared.
"""

from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pandas as pd

from selfnorm.analysis.bounds import kind_of, ratio

LEVELS = (2, 1.5, 1.2, 1, 0.6, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


def updates_to(level: float, errors_RT: np.ndarray, steps_T: np.ndarray) -> np.ndarray:
    """Updates until each curve is first at or below `level`, shape (R,); inf where it never is.

    Log error is linear between the two records around the crossing, since an epoch is long for a fast network.

    >>> updates_to(0.1, np.array([[1.0, 0.01, 0.02], [1.0, 0.5, 0.2]]), np.array([0, 100, 200])).tolist()
    [50.0, inf]
    """
    below = errors_RT <= level
    after = np.maximum(below.argmax(axis=1), 1)
    rows = np.arange(len(errors_RT))
    y0, y1 = np.log(errors_RT[rows, after - 1]), np.log(errors_RT[rows, after])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((y0 - np.log(level)) / (y0 - y1), 0, 1)
    crossing = steps_T[after - 1] + share * (steps_T[after] - steps_T[after - 1])
    return np.where(below.any(axis=1), np.where(below[:, 0], steps_T[0], crossing), np.inf)


def compare_speed(
    errors_a: np.ndarray,
    steps_a: np.ndarray,
    errors_b: np.ndarray,
    steps_b: np.ndarray,
    levels: tuple[float, ...] = LEVELS,
) -> pd.DataFrame:
    """Updates of network a over those of b at every level that lies below each first error and that someone reaches.

    Columns: level, reached_a, reached_b (seeds), updates_a, updates_b (geometric mean over seeds), those of Estimate,
    diverged_a, diverged_b (seeds left out). A seed that has not arrived by the last step that both networks were
    trained to counts with that step: the ratio is then a bound, and a permutation of seeds stays exact.
    Raises ValueError below two seeds.
    """
    end = min(steps_a[-1], steps_b[-1])
    sides = []
    for errors_RT, steps_T in ((errors_a, steps_a), (errors_b, steps_b)):
        valid_R = (np.isfinite(errors_RT) & (errors_RT > 0)).all(axis=1)
        sides.append((errors_RT[valid_R][:, steps_T <= end], steps_T[steps_T <= end], int((~valid_R).sum())))
    start = min(errors_RT[:, 0].min(initial=np.inf) for errors_RT, _, _ in sides)
    rows = []
    for level in sorted((level for level in levels if level < start), reverse=True):
        times = [updates_to(level, errors_RT, steps_T) for errors_RT, steps_T, _ in sides]
        reached_a, reached_b = (int(np.isfinite(time_R).sum()) for time_R in times)
        if reached_a + reached_b == 0:
            break
        log_a, log_b = (np.log(np.minimum(time_R, end)) for time_R in times)
        kind = kind_of(at_least=reached_a < len(log_a), at_most=reached_b < len(log_b))
        row = {"level": level, "reached_a": reached_a, "reached_b": reached_b}
        row |= {
            "updates_a": np.exp(log_a.mean()),
            "updates_b": np.exp(log_b.mean()),
            **asdict(ratio(log_a, log_b, kind)),
        }
        rows.append({**row, "diverged_a": sides[0][2], "diverged_b": sides[1][2]})
    return pd.DataFrame(rows)


def at_reported_level(table: pd.DataFrame) -> pd.Series | None:
    """The row of the lowest level that every seed of the slower network reaches (the faster one has reached it too).

    Where there is none, the row of the highest level that the slower network has not reached: its ratio is a bound.
    None if there is no such level either.
    """
    if table.empty:
        return None
    reached, bounds = table[table["kind"] == "="], table[table["kind"].isin(["≥", "≤"])]
    return reached.iloc[-1] if len(reached) else bounds.iloc[0] if len(bounds) else None


def crossing(table: pd.DataFrame) -> tuple[float, float] | None:
    """The two levels between which the faster network becomes the slower one; None if it stays ahead.

    A network is ahead at a level where the interval leaves 1 out, so that noise about 1 is no crossing.
    """
    side = np.where(table["low"] > 1, 1, 0) - np.where(table["high"] < 1, 1, 0) if len(table) else np.zeros(0)
    decided = np.flatnonzero(side)
    for first, second in pairwise(decided):
        if side[first] != side[second]:
            return float(table["level"].iloc[first]), float(table["level"].iloc[second])
    return None
