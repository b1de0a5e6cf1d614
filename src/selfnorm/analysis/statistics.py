"""The statistics by which the curves of two networks are compared, and their registry.

In: two SeedCurves. Out: an Estimate of the ratio and a note. A new statistic is a function and an entry in STATISTICS.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from selfnorm.analysis.bounds import Estimate, kind_of, ratio
from selfnorm.analysis.curves import SeedCurves
from selfnorm.analysis.levels import record_to_record
from selfnorm.analysis.speed import at_reported_level, compare_speed

SKIP = 0.2  # of the updates come before the window: there even the third differences of a curve are mostly its bend


class Statistic(NamedTuple):
    """compare: a ratio and what it stands for. method: how it is made, in words."""

    name: str
    compare: Callable[[SeedCurves, SeedCurves], tuple[Estimate, str]]
    method: str


def fluctuation(curves: SeedCurves) -> tuple[np.ndarray, bool]:
    """Log of the record-to-record sd of log error behind the first fifth, shape (R,); is it an upper bound?

    Raises ValueError if the records are not equally spaced or too few.
    """
    gaps = np.unique(np.diff(curves.steps_T))
    if len(gaps) > 1:
        raise ValueError(f"steps are {gaps[0]} to {gaps[-1]} apart, not equally spaced: record once per epoch")
    return record_to_record(curves.window(SKIP).logs_RT)


def _fluctuation(a: SeedCurves, b: SeedCurves) -> tuple[Estimate, str]:
    (log_a, bound_a), (log_b, bound_b) = fluctuation(a), fluctuation(b)
    window = a.window(SKIP).steps_T
    return ratio(log_a, log_b, kind_of(at_least=bound_b, at_most=bound_a)), f"from step {window[0]} to {window[-1]}"


def _speed(a: SeedCurves, b: SeedCurves) -> tuple[Estimate, str]:
    row = at_reported_level(compare_speed(a.errors_RT, a.steps_T, b.errors_RT, b.steps_T))
    if row is None:
        raise ValueError("no level below the first errors is reached: train longer")
    note = (
        f"error {row['level']:g}, reached by {row['reached_a']} of {row['n_a']} and {row['reached_b']} of {row['n_b']}"
    )
    return Estimate(**{name: row[name] for name in Estimate.__dataclass_fields__}), f"{note} seeds"


def _final_error(a: SeedCurves, b: SeedCurves) -> tuple[Estimate, str]:
    step = int(min(a.steps_T[-1], b.steps_T[-1]))
    return ratio(a.until(step).logs_RT[:, -1], b.until(step).logs_RT[:, -1]), f"at step {step}"


def _test_error(a: SeedCurves, b: SeedCurves) -> tuple[Estimate, str]:
    for curves in (a, b):
        if not np.isfinite(curves.test_errors_R).all():
            raise ValueError(f"{curves.name} has no test accuracy: let the run finish")
        if curves.test_errors_R.min() == 0:
            raise ValueError(f"a seed of {curves.name} answers every test sample right: no ratio to that")
    return ratio(np.log(a.test_errors_R), np.log(b.test_errors_R)), "after training"


FLUCTUATION, SPEED, FINAL, TEST = "fluctuation of log error", "updates to level", "final error", "test error rate"
STATISTICS = {
    statistic.name: statistic
    for statistic in (
        Statistic(
            FLUCTUATION,
            _fluctuation,
            "sd² = mean((third difference of log error)²) / 20, from record to record, without the first "
            f"{100 * SKIP:g} % of the updates.",
        ),
        Statistic(
            SPEED,
            _speed,
            "updates to the lowest error level that every seed of the slower network reaches, else to the highest one "
            "that it does not reach, as a bound.",
        ),
        Statistic(FINAL, _final_error, "training error at the last step that both networks have."),
        Statistic(TEST, _test_error, "fraction of test samples answered wrongly after training."),
    )
}
