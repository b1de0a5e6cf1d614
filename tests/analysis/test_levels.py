"""Fluctuation by error level on made curves: known noise on a steep trend, no noise, noise that wanders."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import toeplitz
from scipy.signal import lfilter, savgol_coeffs

from selfnorm.analysis.bounds import compare
from selfnorm.analysis.levels import FIT, MIN_RECORDS, RECORD, fluctuation, level_of, record_to_record, rises

EPOCHS = np.arange(1, 801)


def trend(seeds: int = 6) -> np.ndarray:
    """Log error of an SNN-like curve: a power law from 1.9 to 2e-3, smooth and convex on the log scale."""
    return np.tile(np.log(2.0) - 1.8 * np.log1p(EPOCHS / 20), (seeds, 1))


def noise(rng: np.random.Generator, seeds: int, wander: float = 0.0) -> np.ndarray:
    """AR(1) noise of variance 1 (white for wander = 0), shape (seeds, epochs)."""
    white = rng.standard_normal((seeds, 200 + len(EPOCHS)))
    return lfilter([np.sqrt(1 - wander**2)], [1, -wander], white)[:, 200:]


def measured(logs_RT: np.ndarray) -> pd.DataFrame:
    return fluctuation(np.exp(logs_RT), np.arange(len(logs_RT)))


def test_levels_are_half_decades() -> None:
    middles = level_of(np.log([3.0, 1.01, 0.99, 0.32, 0.31]))
    np.testing.assert_allclose(middles, 10 ** np.array([0.25, 0.25, -0.25, -0.25, -0.75]))


@pytest.mark.parametrize("statistic", [RECORD, FIT])
def test_noise_that_falls_with_the_error_is_found_at_every_level(statistic: str) -> None:
    rng = np.random.default_rng(40)
    sd_RT = 0.02 * np.exp(trend(40)) ** 0.5
    table = measured(trend(40) + sd_RT * noise(rng, 40))
    found = table[(table["statistic"] == statistic) & ~table["bound"]].groupby("level")["log_sd"].mean()
    assert len(found) >= 3
    # From the middle of a half decade to its ends the true sd changes by 10^(1/8), a factor 1.33.
    for level, log_sd in found.items():
        assert np.exp(log_sd) == pytest.approx(0.02 * level**0.5, rel=0.35)


@pytest.mark.parametrize("statistic", [RECORD, FIT])
def test_white_noise_is_measured_without_bias(statistic: str) -> None:
    """On a straight line; without its correction for h the fit would give 1.1 % too little."""
    table = measured(-EPOCHS / 400 + 0.01 * noise(np.random.default_rng(46), 200))
    rows = table[table["statistic"] == statistic]
    variance = np.average(np.exp(2 * rows["log_sd"]), weights=rows["records"])
    assert np.sqrt(variance) == pytest.approx(0.01, rel=0.004)  # 140 000 squares scatter by 0.2 to 0.3 %


def test_third_differences_see_noise_that_second_ones_lose_in_the_bend() -> None:
    """Noise of 2e-6, as an SNN has, on a power law whose bend gives second differences of 5e-6."""
    table = measured(trend() + 2e-6 * noise(np.random.default_rng(47), 6))
    lower = table[(table["statistic"] == RECORD) & (table["level"] < 0.01)]
    assert len(lower) >= 6
    assert not lower["bound"].any()
    np.testing.assert_allclose(np.exp(lower["log_sd"]), 2e-6, rtol=0.4)


def trials_of(rng: np.random.Generator, trials: int, trend_T: np.ndarray, sd: float) -> pd.DataFrame:
    """Fluctuation in many experiments of six seeds each, whose true sd differs by 20 per cent between seeds."""
    sd_RT = sd * np.exp(0.2 * rng.standard_normal((6 * trials, 1)))
    table = measured(trend_T + sd_RT * noise(rng, 6 * trials))
    return table.assign(trial=table["seed"] // 6)


@pytest.mark.slow
@pytest.mark.parametrize("statistic", [RECORD, FIT])
def test_ratio_of_two_networks_at_equal_levels_is_covered(statistic: str) -> None:
    """Noise 4 times as large on a curve that falls at half the speed: the interval covers 4 at the stated rate."""
    rng, trials = np.random.default_rng(41), 300
    falls = np.log(2.0) - EPOCHS / 150 - 0.2 * np.log1p(EPOCHS / 20)
    a, b = trials_of(rng, trials, 0.5 * falls, 0.02), trials_of(rng, trials, falls, 0.005)
    rows = compare(*(t[t["statistic"] == statistic] for t in (a, b)), by="trial", at="level")
    overall = rows[rows["level"].isna()]
    coverage = ((overall["low"] <= 4) & (overall["high"] >= 4)).mean()
    print(f"{statistic}: coverage {coverage:.3f} over {len(overall)} trials of {overall['points'].iloc[0]} levels")
    assert len(overall) == trials
    assert 0.915 <= coverage <= 0.985  # 95 % of 300 trials scatter by 1.3 %


def test_a_smooth_curve_is_an_upper_bound_at_every_level() -> None:
    table = measured(trend())
    assert set(table["statistic"]) == {RECORD, FIT}
    assert table["bound"].all()


def test_ratio_to_a_smooth_curve_is_a_lower_bound() -> None:
    rng = np.random.default_rng(42)
    bumpy, smooth = measured(0.7 * trend() + 0.02 * noise(rng, 6)), measured(trend() + 1e-9 * noise(rng, 6))
    rows = compare(bumpy, smooth, by="statistic", at="level")
    overall = rows[rows["level"].isna()]
    assert overall["kind"].tolist() == ["≥", "≥"]
    assert (overall["value"] > 10).all()
    assert overall["p"].tolist() == pytest.approx([2 / 924] * 2)


@pytest.mark.parametrize("wander", [0.0, 0.9, 1.0])
def test_noise_is_not_mistaken_for_a_bend(wander: float) -> None:
    """White noise, noise that wanders for ten epochs, and a random walk, which is all that noise can wander."""
    rng = np.random.default_rng(43)
    flagged = []
    for _ in range(20):
        wandering = np.cumsum(noise(rng, 6), axis=1) if wander == 1 else noise(rng, 6, wander)
        table = measured(-EPOCHS / 200 + 0.01 * wandering)
        flagged += table.groupby(["statistic", "level"])["bound"].first().tolist()
    assert np.mean(flagged) <= 0.02


def heard(weights: np.ndarray, wander: float) -> float:
    """The share of the sd of AR(1) noise that a linear filter reports, if it is scaled for white noise."""
    covariance = toeplitz(wander ** np.arange(len(weights)))
    return float(np.sqrt(weights @ covariance @ weights / (weights @ weights)))


def test_record_to_record_hears_only_white_noise_and_the_fit_hears_slow_noise_too() -> None:
    """Why there are two: of AR(1) noise with 0.9, third differences hear 0.27 of the sd, the fit three quarters."""
    rng = np.random.default_rng(44)
    wandering, white = (measured(-EPOCHS / 200 + 0.01 * noise(rng, 12, wander)) for wander in (0.9, 0.0))
    rows = compare(wandering, white, by="statistic", at="level")
    overall = rows[rows["level"].isna()].set_index("statistic")["value"]
    residual = (np.arange(101) == 50) - savgol_coeffs(101, 2)
    for statistic, weights, share in ((RECORD, np.array([1, -3, 3, -1]), 0.27), (FIT, residual, 0.77)):
        assert heard(weights, 0.9) == pytest.approx(share, abs=0.02)
        assert overall[statistic] == pytest.approx(heard(weights, 0.9), rel=0.1)


def test_a_level_needs_records_and_the_fit_a_whole_window() -> None:
    short = fluctuation(np.exp(-np.arange(60) / 100 * np.ones((3, 1))), np.arange(3))
    assert set(short["statistic"]) == {RECORD}
    steep = fluctuation(np.exp(-np.arange(60) / 20 * np.ones((3, 1))), np.arange(3))
    assert steep.empty  # half a decade takes 23 epochs
    assert (short["records"] >= MIN_RECORDS).all()


def test_seeds_that_diverged_are_left_out_and_counted() -> None:
    errors = np.exp(trend(4) + 0.01 * noise(np.random.default_rng(45), 4))
    errors[1, 500:], errors[2, 7] = np.nan, 0.0
    table = fluctuation(errors, np.array([10, 11, 12, 13]))
    assert set(table["seed"]) == {10, 13}
    assert set(table["diverged"]) == {2}


def test_share_and_size_of_rises() -> None:
    falling, saw = 2.0 ** -np.arange(6), np.array([4, 2, 3, 1, 1.2, 0.5])
    table = rises(np.array([falling, saw, np.full(6, np.nan)]), np.arange(3))
    np.testing.assert_allclose(table["share"], [0, 0.4, np.nan])
    np.testing.assert_allclose(table["largest"], [0, 50, np.nan])


def test_noise_over_all_records_is_known_and_the_bend_of_a_curve_is_a_bound() -> None:
    noisy = trend(50) + 0.1 * noise(np.random.default_rng(48), 50)
    log_sd_R, bound = record_to_record(noisy)
    assert not bound
    # One seed's estimate scatters by 3 %, the mean of 50 by 0.5 %.
    assert np.exp(log_sd_R.mean()) == pytest.approx(0.1, rel=0.02)
    assert record_to_record(trend())[1]


def test_record_to_record_equals_a_plain_loop_over_third_differences() -> None:
    y = np.random.default_rng(49).standard_normal(12)
    squares = [(y[t + 3] - 3 * y[t + 2] + 3 * y[t + 1] - y[t]) ** 2 for t in range(8)]  # the last has no fourth
    assert record_to_record(y[None])[0][0] == pytest.approx(np.log(np.sqrt(np.mean(squares) / 20)), rel=1e-12)


def test_too_few_records_and_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="6 records are too few for a fluctuation, 7 are needed"):
        record_to_record(np.zeros((2, 6)))
    with pytest.raises(ValueError, match="not finite"):
        record_to_record(np.full((2, 9), np.nan))
