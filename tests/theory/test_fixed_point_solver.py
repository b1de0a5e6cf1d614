"""The solver: constants to 30 digits, round trips, the range of what exists, and which weights it is for."""

import mpmath as mp
import numpy as np
import pytest

from selfnorm.theory.activations import activation
from selfnorm.theory.fixed_points import existence_map, find_fixed_points, find_second_moments, spectral_radius
from selfnorm.theory.moment_map import layer_map, second_moment_map, second_moment_slope
from selfnorm.theory.selu import ALPHA_01, LAMBDA_01, Selu
from selfnorm.theory.solver import existing_variances, selu_for_fixed_point, selu_to_digits

# Paper: Eq. 14, here to 32 digits
ALPHA_TEXT, LAMBDA_TEXT = "1.6732632423543772848170429916717", "1.0507009873554804934193349852946"


def test_constants_have_thirty_digits() -> None:
    alpha, lambda_ = selu_to_digits(0, 1, digits=40)
    with mp.workdps(40):
        first, second = mp.erfc(1 / mp.sqrt(2)), mp.erfc(mp.sqrt(2))
        closed = -mp.sqrt(2 / mp.pi) / (first * mp.exp(mp.mpf(1) / 2) - 1)
        assert abs(alpha - closed) < mp.mpf("1e-38")
        inner = 2 * second * mp.e**2 + mp.pi * first**2 * mp.e - 2 * (2 + mp.pi) * first * mp.sqrt(mp.e)
        closed = (1 - first * mp.sqrt(mp.e)) * mp.sqrt(2 * mp.pi) / mp.sqrt(inner + mp.pi + 2)
        assert abs(lambda_ - closed) < mp.mpf("1e-38")
        assert mp.nstr(alpha, 30) == mp.nstr(mp.mpf(ALPHA_TEXT), 30)
        assert mp.nstr(lambda_, 30) == mp.nstr(mp.mpf(LAMBDA_TEXT), 30)
    assert selu_for_fixed_point(0, 1) == (ALPHA_01, LAMBDA_01) == (float(ALPHA_TEXT), float(LAMBDA_TEXT))


def test_more_digits_refine_fewer() -> None:
    short, long = (selu_to_digits("-0.1", "2", omega="0.3", digits=digits) for digits in (30, 80))
    with mp.workdps(90):
        assert all(abs(a / b - 1) < mp.mpf("1e-30") for a, b in zip(short, long, strict=True))


def random_targets(seed, count):
    """Means of either sign with variances from just above what exists for every weight used here, up to 1e4."""
    rng = np.random.default_rng(seed)
    nu = 10 ** rng.uniform(-2, 4, count)
    return rng.uniform(-1, 1, count) * np.sqrt(nu / 4.3), nu  # nu > 4.3 mu^2 exists down to omega = -1


@pytest.mark.parametrize("omega", [0.0, 1.0, -1.0, 0.1])
def test_solved_selu_returns_its_fixed_point_for_given_weights(omega) -> None:
    tau = 1.1
    for mu, nu in zip(*random_targets(int(10 * omega) + 20, 60), strict=True):
        f = Selu(*selu_for_fixed_point(mu, nu, omega=omega, tau=tau))
        new_mu, new_nu = layer_map(f, mu, nu, omega=omega, tau=tau)
        # lambda alpha of up to some tens times the rounding of the closed form
        assert new_mu == pytest.approx(mu, rel=1e-11, abs=1e-11 * np.sqrt(nu))
        assert new_nu == pytest.approx(nu, rel=1e-11)


def test_solved_selu_returns_its_fixed_point_for_random_weights() -> None:
    for mu, nu in zip(*random_targets(1, 300), strict=True):
        f = Selu(*selu_for_fixed_point(mu, nu))
        q = nu + mu**2
        assert second_moment_map(f, q) == pytest.approx(q, rel=1e-11)
        assert layer_map(f, 0.0, q)[0] == pytest.approx(mu, rel=1e-11, abs=1e-11 * np.sqrt(nu))


@pytest.mark.parametrize(("mu", "omega"), [(0.5, None), (-0.5, None), (0.5, 0.0), (-0.5, 0.3), (2.0, -1.0)])
def test_existing_range_is_sharp_and_named_in_the_error(mu, omega) -> None:
    [(low, _)] = existing_variances(mu, omega=omega)
    alpha, lambda_ = selu_for_fixed_point(mu, low * 1.001, omega=omega)
    assert alpha > 0
    assert lambda_ > 0
    with pytest.raises(ValueError, match=rf"no SELU has the fixed point mu={mu:g}.*exists for {low:.6g} < nu$"):
        selu_for_fixed_point(mu, low * 0.999, omega=omega)


@pytest.mark.parametrize("mu", [2000.0, -2000.0, 1e-5, -1e-5, -1e-30])
def test_the_range_in_the_error_holds_for_means_of_any_size(mu) -> None:
    with pytest.raises(ValueError, match="no SELU has the fixed point") as error:
        selu_for_fixed_point(mu, mu**2 / 10)
    low = float(str(error.value).split("exists for ")[1].removesuffix(" < nu"))
    for nu in (low * 1.0001, low * 1e9):  # printed to six digits
        f = Selu(*selu_for_fixed_point(mu, nu))
        assert second_moment_map(f, nu + mu**2) == pytest.approx(nu + mu**2, rel=1e-9)
    with pytest.raises(ValueError, match="no SELU has the fixed point"):
        selu_for_fixed_point(mu, low * 0.9999)


def test_ranges_with_a_gap_are_named_from_end_to_end() -> None:
    # a SELU saturated at -10 has hardly a variance; a wide pre-activation needs nu of the order of mu^2
    first, second = existing_variances(-100.0, omega=0.1)
    assert second[1] == np.inf
    with pytest.raises(ValueError, match=rf"< nu < {first[1]:.6g} or {second[0]:.6g} < nu$"):
        selu_for_fixed_point(-100.0, 400.0, omega=0.1)
    for nu in (first[0] * 1.01, first[1] * 0.99, second[0] * 1.01):
        assert selu_for_fixed_point(-100.0, nu, omega=0.1)


def test_positive_mean_under_zero_sum_needs_pi_minus_one_times_its_square() -> None:
    # alpha -> 0 leaves a ReLU, with mean^2 / second moment = 1 / pi
    assert existing_variances(0.7, omega=0.0)[0][0] == pytest.approx((np.pi - 1) * 0.49, rel=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.0), "nu is 0.0"),
        ((0.0, -1.0), "nu is -1.0"),
        ((float("nan"), 1.0), "mu is nan"),
        ((1e200, 1.0), r"mu\^2 is inf"),
    ],
)
def test_senseless_targets_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        selu_for_fixed_point(*arguments)
    with pytest.raises(ValueError, match=r"tau is 0\.0"):
        selu_for_fixed_point(0.0, 1.0, tau=0.0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"tau": 0.0}, r"tau is 0\.0, must be positive"),
        ({"tau": -1.0}, r"tau is -1\.0, must be positive"),
        ({"tau": np.nan}, "tau is nan, must be positive"),
        ({"omega": np.nan}, "omega is nan, must be finite"),
    ],
)
def test_fixed_points_under_senseless_weights_are_refused(weights, message) -> None:
    with pytest.raises(ValueError, match=message):
        find_fixed_points(Selu(), **weights)
    with pytest.raises(ValueError, match=message):
        existence_map(0.0, 1.0, **weights)


@pytest.mark.parametrize(
    ("mu", "nu", "message"), [(0, -1, r"nu is -1\.0"), (0, 0, r"nu is 0\.0"), (np.nan, 1, "mu is nan")]
)
def test_existence_map_of_senseless_moments_is_refused(mu, nu, message) -> None:
    with pytest.raises(ValueError, match=message):
        existence_map([mu, 0.1], [nu, 1.0])


def deep_moments(f, mu, nu, rng, *, width=1000, depth=10, samples=200):
    """Mean and variance over units and samples after `depth` layers of independent weights N(0, 1 / width)."""
    h = rng.normal(mu, np.sqrt(nu), (width, samples))
    for _ in range(depth):
        h = f(rng.normal(size=(width, width)) @ h / np.sqrt(width))
    return h.mean(), h.var()


def test_default_is_the_one_that_networks_of_random_weights_keep() -> None:
    mu, nu, width, depth = -0.5, 2.0, 1000, 10
    f = Selu(*selu_for_fixed_point(mu, nu))
    rng = np.random.default_rng(0)
    mean, variance = deep_moments(f, mu, nu, rng, width=width, depth=depth)
    # Each layer adds a variance of Var f(z)^2 / width and keeps slope^2 of that before it: five times the sum's root
    q = nu + mu**2
    samples = f(np.sqrt(q) * rng.normal(size=10**6)) ** 2
    scatter = samples.var() / width / (1 - second_moment_slope(f, q) ** 2)
    assert abs(variance + mean**2 - q) < 5 * np.sqrt(scatter)
    assert mean == pytest.approx(mu, abs=0.1)
    of_omega_one = Selu(*selu_for_fixed_point(mu, nu, omega=1.0))
    assert deep_moments(of_omega_one, mu, nu, rng)[0] > 0  # far from -0.5: the wrong setting


def test_find_fixed_points_finds_the_known_ones_and_their_rates() -> None:
    [point] = find_fixed_points(Selu())
    assert (point.mu, point.nu) == pytest.approx((0, 1), abs=1e-12)
    # at omega = 0 the Jacobian is triangular and its radius d nu~/d nu
    h = 1e-5
    slope = (layer_map(Selu(), 0.0, 1 + h)[1] - layer_map(Selu(), 0.0, 1 - h)[1]) / (2 * h)
    assert point.rate == pytest.approx(slope, rel=1e-8)
    assert point.rate < 1
    mu, nu = point.mu, point.nu + 1e-4
    for _ in range(30):
        mu, nu = layer_map(Selu(), mu, nu)
    assert nu - 1 == pytest.approx(1e-4 * point.rate**30, rel=1e-3)


def test_repelling_fixed_points_are_found_and_called_so() -> None:
    f = Selu(*selu_for_fixed_point(-0.1, 2.0, omega=1.0))
    [point] = find_fixed_points(f, omega=1.0)
    assert (point.mu, point.nu) == pytest.approx((-0.1, 2.0), abs=1e-9)
    assert point.rate > 1
    mu, nu = layer_map(f, -0.1 + 1e-6, 2.0, omega=1.0)
    for _ in range(50):
        mu, nu = layer_map(f, mu, nu, omega=1.0)
    assert abs(mu + 0.1) > 1e-5


def test_relu_has_no_fixed_point_and_tanh_above_tau_one_has() -> None:
    assert find_fixed_points(activation("relu")) == []
    assert find_second_moments(activation("relu"), tau=2.0) == []
    assert find_fixed_points(activation("tanh")) == []
    [(q, slope)] = find_second_moments(activation("tanh"), tau=2.0)
    assert second_moment_map(activation("tanh"), q, tau=2.0) == pytest.approx(q, rel=1e-12)
    assert slope < 1


@pytest.mark.parametrize("omega", [None, 0.0, 0.2])
def test_existence_map_agrees_with_the_solver_point_by_point(omega) -> None:
    mu, nu = np.linspace(-1, 1, 5)[None, :], np.geomspace(0.1, 5, 4)[:, None]
    rate = existence_map(mu, nu, omega=omega)
    for i, j in np.ndindex(rate.shape):
        m, v = mu[0, j], nu[i, 0]
        if np.isnan(rate[i, j]):
            with pytest.raises(ValueError, match="no SELU"):
                selu_for_fixed_point(m, v, omega=omega)
            continue
        solved = Selu(*selu_for_fixed_point(m, v, omega=omega))
        if omega is None:
            assert rate[i, j] == pytest.approx(abs(second_moment_slope(solved, v + m**2)), rel=1e-9)
        else:
            assert rate[i, j] == pytest.approx(spectral_radius(solved, m, v, omega=omega), rel=1e-9)
    assert 0 < np.isnan(rate).sum() < rate.size
