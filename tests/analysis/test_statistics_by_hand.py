"""Statistics on curves so small that their numbers are worked out by hand: no published table is needed to see them."""

from __future__ import annotations

import numpy as np
import pytest

from selfnorm.analysis.curves import SeedCurves
from selfnorm.analysis.inference import bootstrap_t
from selfnorm.analysis.statistics import FINAL, STATISTICS


def curves(name: str, errors_RT: np.ndarray, *, spacing: int = 10) -> SeedCurves:
    num_seeds, num_records = errors_RT.shape
    steps_T = spacing * np.arange(num_records)
    return SeedCurves(name, steps_T, tuple(range(num_seeds)), errors_RT, {}, np.full(num_seeds, 0.1))


def test_a_bootstrap_t_interval_reaches_farther_on_the_side_of_the_long_tail() -> None:
    # A sample whose mean is drawn up by one large value: the mean may well be larger still, and hardly smaller
    skewed, flat = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 3.0]), np.array([0.0, 0.01, 0.02, -0.01, -0.02, 0.0])
    difference = skewed.mean() - flat.mean()
    low, high = bootstrap_t(skewed, flat)
    assert high - difference > 1.5 * (difference - low)
    below, above = bootstrap_t(flat, skewed)
    assert (-difference) - below > 1.5 * (above - -difference)


def test_two_curves_of_unequal_length_are_compared_at_the_last_step_that_both_have() -> None:
    t_T = np.arange(21)
    long = np.exp(-t_T / 10) * np.array([[1.0], [1.1]])
    short = 2 * np.exp(-t_T[:11] / 10) * np.array([[1.0], [1.1]])
    for a, b, ratio in ((long, short, 0.5), (short, long, 2.0)):
        estimate, note = STATISTICS[FINAL].compare(curves("a", a), curves("b", b))
        assert note == "at step 100"
        assert estimate.value == pytest.approx(ratio)
