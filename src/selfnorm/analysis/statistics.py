"""The statistics by which two networks are compared: each gives one log value per seed for both of them.

In: two SeedCurves and Settings. Out: log values (numerator, denominator) and a note on what they stand for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from selfnorm.analysis.curves import SeedCurves
from selfnorm.analysis.fluctuation import (
    check_even,
    common_band,
    levels,
    noise_sd,
    noise_sd_in_band,
    safe_log,
    settled_order,
    spread_pseudovalues,
    steps_to_level,
)

LogValues = tuple[np.ndarray, np.ndarray, str]

# 1-2-5 series: about as far apart as a reader tells two levels on the log axis.
LEVELS = tuple(sorted((m * 10.0**e for e in range(-6, 2) for m in (1, 2, 5)), reverse=True))


@dataclass(frozen=True)
class Settings:
    """skip: fraction of the updates left out at the start of the window.

    The first fifth, because log error bends there: a power law e ~ 1 / t adds 1 / (6 t^4) to the squared
    second difference, so nearly all of a trend's share comes from the first records. confidence: of the
    intervals. levels: the error levels (nats) at which speed may be compared.
    """

    skip: float = 0.2
    confidence: float = 0.95
    levels: tuple[float, ...] = LEVELS

    def __post_init__(self) -> None:
        if not 0 <= self.skip < 1:
            raise ValueError(f"skip must be from 0 to below 1, not {self.skip}: 0.2 leaves out the first fifth")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence must be between 0 and 1, not {self.confidence}: 0.95 is usual")


def _windows(a: SeedCurves, b: SeedCurves, settings: Settings) -> tuple[list[SeedCurves], str]:
    windows = [curves.window(settings.skip) for curves in (a, b)]
    for curves in windows:
        check_even(curves.steps_T)
    return windows, f"from step {windows[0].steps_T[0]} to {windows[0].steps_T[-1]}"


def fluctuation_of_log(a: SeedCurves, b: SeedCurves, settings: Settings) -> LogValues:
    """Fluctuation of log error over the window, from the lowest order of differences that is free of the trend."""
    windows, where = _windows(a, b, settings)
    order, (sd_a, sd_b) = settled_order(lambda k: [noise_sd(w.logs_RT, k) for w in windows])
    return safe_log(sd_a), safe_log(sd_b), f"differences of order {order} {where}"


def fluctuation_of_error(a: SeedCurves, b: SeedCurves, settings: Settings) -> LogValues:
    """The same of the error itself: a slower curve sits at a higher error."""
    windows, where = _windows(a, b, settings)
    order, (sd_a, sd_b) = settled_order(lambda k: [noise_sd(w.errors_RT, k) for w in windows])
    return safe_log(sd_a), safe_log(sd_b), f"differences of order {order} {where}"


def second_differences(a: SeedCurves, b: SeedCurves, settings: Settings) -> LogValues:
    """Fluctuation of log error over the window by the second-difference estimator, trend or not."""
    windows, where = _windows(a, b, settings)
    log_a, log_b = (safe_log(noise_sd(w.logs_RT)) for w in windows)
    return log_a, log_b, f"differences of order 2 {where}"


def matched_fluctuation(a: SeedCurves, b: SeedCurves, settings: Settings) -> LogValues:
    """Fluctuation of log error inside the band of levels that every seed of both networks visits, free of trend.

    The level itself selects, so the window's skip does not apply; only the record before any training is left out.
    A fast network crosses the band on its steepest stretch, where second differences are nearly all trend.
    """
    logs = [curves.logs_RT[:, 1:] for curves in (a, b)]
    for curves in (a, b):
        check_even(curves.steps_T)
    bands: dict[int, tuple[float, float]] = {}

    def estimates(order: int) -> list[np.ndarray]:
        if min(y.shape[-1] for y in logs) <= order:
            raise ValueError(f"{order} records or fewer after the start: train more epochs")
        bands[order] = common_band([levels(y, order) for y in logs])
        return [noise_sd_in_band(y, bands[order], order) for y in logs]

    order, (sd_a, sd_b) = settled_order(estimates)
    low, high = np.exp(bands[order])
    return safe_log(sd_a), safe_log(sd_b), f"differences of order {order} at error {low:.3g} to {high:.3g}"


def spread_at_equal_step(a: SeedCurves, b: SeedCurves, settings: Settings) -> LogValues:
    """Standard deviation of log error over seeds at the same step of the window (jackknife)."""
    log_a, log_b = (spread_pseudovalues(curves.window(settings.skip).logs_RT) for curves in (a, b))
    return log_a, log_b, "same step"


def spread_at_equal_level(a: SeedCurves, b: SeedCurves, settings: Settings) -> LogValues:
    """The same while the geometric mean over seeds lies in the band that both means visit."""
    logs = [curves.logs_RT[:, 1:] for curves in (a, b)]
    if min(map(np.size, logs)) == 0:
        raise ValueError("no record after the start: train more epochs")
    means = [y.mean(axis=0, keepdims=True) for y in logs]
    low, high = common_band(means)
    log_a, log_b = (
        spread_pseudovalues(y[:, (mean[0] >= low) & (mean[0] <= high)]) for y, mean in zip(logs, means, strict=True)
    )
    return log_a, log_b, f"mean error {np.exp(low):.3g} to {np.exp(high):.3g}"


def steps_to_common_level(a: SeedCurves, b: SeedCurves, settings: Settings) -> LogValues:
    """Updates to the lowest level that all seeds of both networks reach, else that half of them reach.

    A seed that does not reach it counts with the last common step, so that the ratio is then a bound; the
    note says how many did. The level depends on the pooled seeds alone, which keeps the permutation test
    exact.
    """
    horizon = int(min(a.steps_T[-1], b.steps_T[-1]))
    both = [curves.until(horizon) for curves in (a, b)]
    start = min(float(curves.errors_RT[:, 0].min()) for curves in both)
    best: tuple[float, float, list[np.ndarray]] | None = None
    for level in (level for level in sorted(settings.levels, reverse=True) if level < start):
        steps = [steps_to_level(c.steps_T, c.logs_RT, float(np.log(level))) for c in both]
        share = float(np.mean(~np.isnan(np.concatenate(steps))))
        # Going down, shares only fall: the last level with all of them wins, else the last with half.
        if share == 1 or (share >= 0.5 and (best is None or best[0] < 1)):
            best = (share, level, steps)
    if best is None:
        raise ValueError(f"half of the seeds do not get from {start:.3g} to any level below it: train longer")
    _, level, steps = best
    reached = [f"{c.name} {int((~np.isnan(s)).sum())} of {len(s)}" for c, s in zip(both, steps, strict=True)]
    log_a, log_b = (safe_log(np.where(np.isnan(s), horizon, s)) for s in steps)
    return log_a, log_b, f"error {level:g}, reached by {' and '.join(reached)} seeds by step {horizon}"


def final_error(a: SeedCurves, b: SeedCurves, settings: Settings) -> LogValues:
    """Error at the last common step."""
    horizon = int(min(a.steps_T[-1], b.steps_T[-1]))
    log_a, log_b = (curves.until(horizon).logs_RT[:, -1] for curves in (a, b))
    return log_a, log_b, f"at step {horizon}"


def test_error(a: SeedCurves, b: SeedCurves, settings: Settings) -> LogValues:
    """Fraction of test samples answered wrongly after training."""
    for curves in (a, b):
        if not np.isfinite(curves.test_errors_R).all():
            raise ValueError(f"{curves.name} has no test accuracy: let the run finish")
        if curves.test_errors_R.min() == 0:
            raise ValueError(f"a seed of {curves.name} answers every test sample right: no ratio to that")
    return np.log(a.test_errors_R), np.log(b.test_errors_R), "after training"


DEFAULTS = Settings()

FLUCTUATION = "fluctuation of log error"
MATCHED = "fluctuation at equal level"
OF_ERROR = "fluctuation of error"
SECOND = "fluctuation, second differences"
SPREAD_STEP = "spread over seeds at equal step"
SPREAD_LEVEL = "spread over seeds at equal level"
SPEED = "steps to level"
FINAL = "final error"
TEST = "test error rate"
SPREADS = (SPREAD_STEP, SPREAD_LEVEL)

STATISTICS: dict[str, Callable[[SeedCurves, SeedCurves, Settings], LogValues]] = {
    FLUCTUATION: fluctuation_of_log,
    MATCHED: matched_fluctuation,
    OF_ERROR: fluctuation_of_error,
    SECOND: second_differences,
    SPREAD_STEP: spread_at_equal_step,
    SPREAD_LEVEL: spread_at_equal_level,
    SPEED: steps_to_common_level,
    FINAL: final_error,
    TEST: test_error,
}
