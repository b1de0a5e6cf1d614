"""Intervals that cover, p-values against brute force, Holm by hand."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from selfnorm.analysis.fluctuation import noise_sd, spread_pseudovalues
from selfnorm.analysis.inference import (
    bootstrap_t,
    compare_logs,
    holm,
    mean_interval,
    permutation_p,
    smallest_p,
    welch_t,
)


def log_fluctuations(rng: np.random.Generator, seeds: int, scale: float = 1.0) -> np.ndarray:
    """Measured log fluctuation of seeds with 30 records and a noise that differs between seeds by 20 %."""
    sd_R1 = scale * np.exp(0.2 * rng.standard_normal((seeds, 1)))
    return np.log(noise_sd(sd_R1 * rng.standard_normal((seeds, 30))))


def coverage(seeds: int, trials: int, *, bootstrap: bool) -> float:
    rng = np.random.default_rng(10)
    hits = 0
    for _ in range(trials):
        a, b = log_fluctuations(rng, seeds), log_fluctuations(rng, seeds)
        low, high = bootstrap_t(a, b) if bootstrap else welch_t(a, b)
        hits += low <= 0 <= high
    return hits / trials


def test_bootstrap_interval_of_equal_processes_covers_one() -> None:
    # 500 trials at 95 % scatter by 1 %; above is harmless, below 92.5 % is not an interval of 95 %.
    assert 0.925 <= coverage(6, 500, bootstrap=True) <= 0.99


def test_interval_of_three_seeds_covers_one() -> None:
    assert 0.925 <= coverage(3, 500, bootstrap=False) <= 0.995


def test_welch_interval_equals_scipy_and_takes_a_constant_side() -> None:
    a, b = np.array([1.0, 1.3, 0.8, 1.1]), np.array([0.2, 0.5, 0.1])
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    np.testing.assert_allclose(welch_t(a, b, 0.9), (expected.low, expected.high), rtol=1e-12)
    one_sided = stats.t.ppf(0.975, 2) * b.std(ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(welch_t(np.full(4, 0.7), b)[1], 0.7 - b.mean() + one_sided, rtol=1e-12)


def test_percentile_bootstrap_would_not_cover() -> None:
    """The reason for the studentised one: with six seeds the usual intervals are too short."""
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(300):
        a, b = log_fluctuations(rng, 6), log_fluctuations(rng, 6)
        interval = stats.bootstrap(
            (a, b), lambda x, y, axis: x.mean(axis) - y.mean(axis), method="percentile", n_resamples=499, rng=rng
        ).confidence_interval  # fmt: skip
        hits += interval.low <= 0 <= interval.high
    assert hits / 300 < 0.925


def test_interval_of_a_spread_ratio_covers_one() -> None:
    rng = np.random.default_rng(12)
    hits = 0
    for _ in range(400):
        a, b = (rng.standard_normal((6, 1)) + rng.standard_normal((6, 20)) for _ in "ab")
        low, high = welch_t(spread_pseudovalues(a), spread_pseudovalues(b))
        hits += low <= 0 <= high
    assert 0.92 <= hits / 400 <= 0.99


def test_known_ratio_is_recovered() -> None:
    rng = np.random.default_rng(13)
    ratio = compare_logs(log_fluctuations(rng, 200, 3.0), log_fluctuations(rng, 200))
    # 200 seeds of scatter 0.25 each: the log ratio scatters by 0.025.
    assert ratio.ratio == pytest.approx(3.0, rel=0.1)
    assert ratio.low < 3.0 < ratio.high


def test_permutation_p_equals_brute_force_over_all_924_splits() -> None:
    rng = np.random.default_rng(14)
    a, b = rng.standard_normal(6), rng.standard_normal(6) + 0.8
    pooled = np.concatenate([a, b])
    observed = abs(a.mean() - b.mean())
    extreme = 0
    for chosen in combinations(range(12), 6):
        inside = np.isin(np.arange(12), chosen)
        extreme += abs(pooled[inside].mean() - pooled[~inside].mean()) >= observed - 1e-12
    assert permutation_p(a, b) == pytest.approx(extreme / 924, rel=1e-12)


def test_smallest_p_is_reached_by_separated_groups() -> None:
    a, b = np.arange(6.0), np.arange(6.0) + 100
    assert permutation_p(a, b) == pytest.approx(2 / 924)
    assert smallest_p(6, 6) == 2 / 924
    assert smallest_p(5, 5) == 2 / 252


def test_equal_processes_are_rarely_called_different() -> None:
    rng = np.random.default_rng(15)
    p = [permutation_p(log_fluctuations(rng, 6), log_fluctuations(rng, 6)) for _ in range(200)]
    # An exact test rejects 5 % of 200 = 10, with a standard deviation of 3.1.
    assert sum(value < 0.05 for value in p) <= 20


def test_fewer_than_five_seeds_give_no_p_value() -> None:
    ratio = compare_logs(np.array([1.0, 1.1, 1.2, 1.3]), np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]))
    assert np.isnan(ratio.p)
    assert np.isnan(ratio.smallest_p)
    assert ratio.interval == "Welch t"


def test_one_seed_gives_no_interval_and_no_number() -> None:
    with pytest.raises(ValueError, match="1 seeds give no interval: at least 2"):
        compare_logs(np.array([1.0]), np.array([0.0, 0.1]))
    with pytest.raises(ValueError, match="the same value"):
        compare_logs(np.ones(6), np.zeros(6))
    with pytest.raises(ValueError, match="no finite value"):
        compare_logs(np.array([1.0, np.nan]), np.array([0.0, 0.1]))
    assert np.isnan(mean_interval(np.array([0.5]))[1])


def test_holm_against_an_example_worked_by_hand() -> None:
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1 raised to the one before; the missing one is not counted.
    p = np.array([0.01, 0.04, np.nan, 0.03, 0.005])
    np.testing.assert_allclose(holm(p), [0.03, 0.06, np.nan, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.6, 0.7])), [1.0, 1.0])
