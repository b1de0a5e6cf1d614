"""The estimators on made curves with known answers."""

import numpy as np
import pytest

from selfnorm.analysis.fluctuation import (
    check_even,
    common_band,
    levels,
    noise_sd,
    noise_sd_in_band,
    settled_order,
    spread,
    spread_pseudovalues,
    steps_to_level,
)


@pytest.mark.parametrize("order", [2, 3])
def test_known_noise_is_recovered(order: int) -> None:
    y_RT = 0.1 * np.random.default_rng(0).standard_normal((50, 2000))
    # One seed's estimate scatters by 2 to 3 % (relative variance of sigma^2 about 4 / T), so the mean of 50 by 0.4 %.
    assert noise_sd(y_RT, order).mean() == pytest.approx(0.1, rel=0.015)


def test_estimate_equals_a_plain_loop() -> None:
    y = np.random.default_rng(1).standard_normal(12)
    squares = [(y[t + 1] - 2 * y[t] + y[t - 1]) ** 2 for t in range(1, 11)]
    assert noise_sd(y[None])[0] == pytest.approx(np.sqrt(sum(squares) / 10 / 6), rel=1e-12)


def test_a_straight_trend_counts_as_none() -> None:
    trend_T = 3 - 0.25 * np.arange(40)
    assert noise_sd(trend_T[None])[0] == 0  # quarters are exact in binary
    noise_RT = np.random.default_rng(2).standard_normal((3, 40))
    np.testing.assert_allclose(noise_sd(trend_T + noise_RT), noise_sd(noise_RT), rtol=1e-12)


def test_a_smooth_learning_curve_counts_as_nearly_none() -> None:
    log_error_T = np.log(2.3) - 1.5 * np.log1p(np.arange(101))
    # Second derivative 1.5 / t^2 from t = 20 on: at most 1.5 / 400 / sqrt(6) = 0.0015.
    assert noise_sd(log_error_T[None, 20:])[0] < 0.0016
    # Third differences see still less of it, which is what they are reported for.
    assert noise_sd(log_error_T[None, 20:], order=3)[0] < 0.1 * noise_sd(log_error_T[None, 20:])[0]


def test_white_noise_settles_at_second_differences() -> None:
    y_RT = np.random.default_rng(5).standard_normal((6, 50))
    order, (sd_R,) = settled_order(lambda k: [noise_sd(y_RT, k)])
    assert order == 2
    np.testing.assert_array_equal(sd_R, noise_sd(y_RT))


def test_small_noise_on_a_bent_curve_is_recovered() -> None:
    """What a smooth network's curve looks like: second differences see the bend and not the noise."""
    t_T = np.arange(20, 200)
    noise_RT = 1e-5 * np.random.default_rng(6).standard_normal((6, len(t_T)))
    y_RT = np.log(2.3) - 1.5 * np.log1p(t_T / 3) + noise_RT
    assert noise_sd(y_RT).mean() > 3e-5
    order, (sd_R,) = settled_order(lambda k: [noise_sd(y_RT, k)])
    assert order > 2
    # Up to 10 % of trend may be left, and 6 seeds with 170 differences scatter by 3 %.
    assert sd_R.mean() == pytest.approx(1e-5, rel=0.15)


def test_a_trend_that_never_settles_gives_an_error_and_no_number() -> None:
    y_RT = np.exp(-np.arange(12.0))[None]  # each order takes 1 - 1/e of it, and C(2k, k) the rest
    with pytest.raises(ValueError, match="up to order 6 are trend"):
        settled_order(lambda k: [noise_sd(y_RT, k)])


def test_choosing_by_level_does_not_trim_the_noise() -> None:
    rng = np.random.default_rng(3)
    y_RT = np.linspace(1, -1, 400) + 0.3 * rng.standard_normal((200, 400))
    band = (-0.2, 0.2)
    # About 80 differences in each of 200 seeds: the mean scatters by 0.11 / sqrt(200) = 0.8 %.
    assert noise_sd_in_band(y_RT, band).mean() == pytest.approx(0.3, rel=0.025)
    # Choosing points by their own value is the mistake this avoids: it loses much of the noise.
    inside = (y_RT >= band[0]) & (y_RT <= band[1])
    whole = inside[:, :-2] & inside[:, 1:-1] & inside[:, 2:]
    assert np.sqrt(np.mean(np.diff(y_RT, n=2)[whole] ** 2) / 6) < 0.2


def test_band_is_what_every_seed_visits() -> None:
    a = np.array([[3.0, 2.0, 1.0], [2.5, 2.0, 0.5]])
    b = np.array([[4.0, 1.5, 1.2]])
    assert common_band([a, b]) == (1.2, 2.5)
    with pytest.raises(ValueError, match="no error level is visited by every seed"):
        common_band([a, b + 10])


def test_levels_are_means_of_three_points() -> None:
    np.testing.assert_allclose(levels(np.array([[1.0, 2.0, 6.0, 4.0]])), [[3.0, 4.0]])


@pytest.mark.parametrize("points", [0, 2, 4])
def test_too_few_points_give_an_error_and_no_number(points: int) -> None:
    with pytest.raises(ValueError, match=rf"{points} points give .* at least 3 are needed"):
        noise_sd(np.zeros((2, points)))
    with pytest.raises(ValueError, match="3 are needed"):
        noise_sd_in_band(np.zeros((2, 4)), (-1.0, 1.0))


def test_a_nan_gives_an_error() -> None:
    with pytest.raises(ValueError, match="not finite"):
        noise_sd(np.array([[1.0, 2.0, np.nan, 1.0, 2.0, 3.0]]))


def test_uneven_steps_are_refused() -> None:
    check_even(np.array([0, 78, 156]))
    with pytest.raises(ValueError, match="78 to 100 apart"):
        check_even(np.array([0, 78, 178]))


def test_spread_is_the_standard_deviation_over_seeds() -> None:
    y_RT = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]])
    # Variances over seeds: 4 and 3.
    assert spread(y_RT) == pytest.approx(np.sqrt(3.5))
    with pytest.raises(ValueError, match="1 seeds have no spread"):
        spread(y_RT[:1])
    with pytest.raises(ValueError, match="no record in the common band"):
        spread(y_RT[:, :0])


def test_pseudovalues_follow_the_jackknife_definition() -> None:
    y_RT = np.random.default_rng(4).standard_normal((4, 5))
    log_s = [np.log(spread(y_RT[[i for i in range(4) if i != r]])) for r in range(4)]
    expected = [4 * np.log(spread(y_RT)) - 3 * value for value in log_s]
    np.testing.assert_allclose(spread_pseudovalues(y_RT), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="2 seeds are too few"):
        spread_pseudovalues(y_RT[:2])


def test_steps_to_level_interpolates_and_censors() -> None:
    steps_T = np.array([0, 10, 20, 30])
    y_RT = np.array([[4.0, 2.0, 1.0, 0.0], [4.0, 3.0, 3.0, 2.5], [1.0, 0.5, 3.0, 3.0]])
    # First: from 2 to 1 between 10 and 20, level 1.5 half-way. Second: never. Third: already there.
    np.testing.assert_allclose(steps_to_level(steps_T, y_RT, 1.5), [15.0, np.nan, 0.0])
