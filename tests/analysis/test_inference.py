"""Intervals that cover, p-values against brute force, Holm by hand."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from scipy import stats

from selfnorm.analysis import inference
from selfnorm.analysis.inference import (
    bootstrap_t,
    holm,
    mean_interval,
    permutation_p,
    rate_interval,
    ratio_interval,
    welch_t,
)
from selfnorm.analysis.levels import record_to_record


def log_fluctuations(rng: np.random.Generator, seeds: int, scale: float = 1.0) -> np.ndarray:
    """Measured log fluctuation of seeds with 30 records and a noise that differs between seeds by 20 %."""
    sd_R1 = scale * np.exp(0.2 * rng.standard_normal((seeds, 1)))
    return record_to_record(sd_R1 * rng.standard_normal((seeds, 30)))[0]


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


def test_known_ratio_is_recovered() -> None:
    rng = np.random.default_rng(13)
    a, b = log_fluctuations(rng, 200, 3.0), log_fluctuations(rng, 200)
    low, high = ratio_interval(a, b)
    # 200 seeds of scatter 0.27 each: the log ratio scatters by 0.027.
    assert np.exp(a.mean() - b.mean()) == pytest.approx(3.0, rel=0.1)
    assert low < 3.0 < high


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


@pytest.mark.parametrize("offset", [0.0, 7.7, 1e4])
@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0, 1, 0, 0, 0], [1, 1, 1, 0, 1], 52 / 252),  # one of the five ones in a, or none: 25 + 1 splits
        ([0, 0, 0, 0, 1], [0, 0, 0, 0, 0], 1.0),  # the single one is on one of the two sides in every split
    ],
)
def test_tied_splits_count_whatever_they_lose_to_rounding(
    a: list[int], b: list[int], expected: float, offset: float
) -> None:
    a_R, b_R = (offset + 0.001 * np.array(values) for values in (a, b))
    assert permutation_p(a_R, b_R) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seeds", [7, 9])
def test_permutation_p_is_exact_for_many_seeds(seeds: int) -> None:
    a, b = np.arange(seeds) + 1.0, np.arange(seeds) + 1.0 + seeds
    assert permutation_p(a, b) == 2 / comb(2 * seeds, seeds)
    # One exchange of neighbours is possible, so that two splits on each side are as extreme.
    a[-1], b[0] = b[0], a[-1]
    assert permutation_p(a, b) == pytest.approx(4 / comb(2 * seeds, seeds), rel=1e-12)


def test_random_splits_agree_with_the_exact_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(16)
    a, b = rng.standard_normal(7), rng.standard_normal(7) + 0.7
    exact = permutation_p(a, b)
    monkeypatch.setattr(inference, "_MAX_SPLITS", 0)
    # A share of 0.1 of 9999 random splits scatters by 3 %.
    assert permutation_p(a, b) == pytest.approx(exact, rel=0.15)
    one = 7.7 + 0.001 * np.array([0, 0, 0, 0, 1])
    assert permutation_p(one, np.full(5, 7.7)) == 1.0  # ties count here too


def test_equal_processes_are_rarely_called_different() -> None:
    rng = np.random.default_rng(15)
    p = [permutation_p(log_fluctuations(rng, 6), log_fluctuations(rng, 6)) for _ in range(200)]
    # An exact test rejects 5 % of 200 = 10, with a standard deviation of 3.1.
    assert sum(value < 0.05 for value in p) <= 20


def test_fewer_than_five_seeds_give_no_p_value_and_the_interval_of_welch() -> None:
    a, b = np.array([1.0, 1.1, 1.2, 1.3]), np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert np.isnan(permutation_p(a, b))
    assert ratio_interval(a, b) == pytest.approx(np.exp(welch_t(a, b)))


def test_one_seed_gives_no_interval_and_no_number() -> None:
    with pytest.raises(ValueError, match="1 seeds give no interval: at least 2"):
        ratio_interval(np.array([1.0]), np.array([0.0, 0.1]))
    with pytest.raises(ValueError, match="the same value"):
        ratio_interval(np.ones(6), np.zeros(6))
    with pytest.raises(ValueError, match="no finite value"):
        ratio_interval(np.array([1.0, np.nan]), np.array([0.0, 0.1]))
    assert np.isnan(mean_interval(np.array([0.5]))[1])


def test_holm_against_an_example_worked_by_hand() -> None:
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1 raised to the one before; the missing one is not counted.
    p = np.array([0.01, 0.04, np.nan, 0.03, 0.005])
    np.testing.assert_allclose(holm(p), [0.03, 0.06, np.nan, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.6, 0.7])), [1.0, 1.0])


def test_the_interval_of_a_rate_stays_between_0_and_1_and_needs_three_seeds() -> None:
    mean, low, high = rate_interval(np.array([0.9, 0.95, 0.995]))
    assert 0 < low < mean < high < 1
    logits = np.log(np.array([9, 19, 199]))
    half = stats.t.ppf(0.975, 2) * logits.std(ddof=1) / 3**0.5
    assert np.log([low / (1 - low), high / (1 - high)]) == pytest.approx([logits.mean() - half, logits.mean() + half])
    assert np.isnan(rate_interval(np.array([0.9, 0.95]))[1:]).all()
    mean, *ends = rate_interval(np.array([0.0, 0.1, 0.2]))
    assert mean == pytest.approx(0.1)
    assert np.isnan(ends).all()
