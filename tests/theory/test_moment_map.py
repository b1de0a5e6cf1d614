"""The moment map against mpmath, differences and samples."""

import mpmath as mp
import numpy as np
import pytest
from theory.gaussian_reference import ACTIVATIONS, expectation, mean_and_variance, selu_jacobian
from theory.gaussian_reference import selu as selu_mp

from selfnorm.theory import quadrature
from selfnorm.theory.activations import NAMES, activation
from selfnorm.theory.moment_map import (
    gradient_gain,
    layer_jacobian,
    layer_map,
    second_moment_map,
    second_moment_slope,
)
from selfnorm.theory.selu import ALPHA_01, LAMBDA_01, Selu

RELATIVE = 1e-10  # the error that the package states; a hundred times what is found


def random_points(seed, count):
    """Means within 6 standard deviations of the kink, or of order one, and variances from 1e-12 to 1e6."""
    rng = np.random.default_rng(seed)
    y = 10 ** rng.uniform(-12, 6, count)
    near = np.sqrt(y) * rng.uniform(-6, 6, count)
    return np.where(rng.random(count) < 0.5, near, rng.normal(scale=2, size=count)), y


@pytest.mark.parametrize("seed", range(30))
def test_selu_closed_form_agrees_with_quadrature_of_mpmath(seed) -> None:
    rng = np.random.default_rng(100 + seed)
    f = Selu(rng.uniform(0.3, 4), rng.uniform(0.5, 2))
    (x,), (y,) = random_points(seed, 1)
    mean, variance, scale = mean_and_variance(selu_mp(f.alpha, f.lambda_), x, y)
    found = f.moments(x, y)
    assert abs(found.mean - mean) <= RELATIVE * scale
    assert float(abs(found.variance / variance - 1)) < RELATIVE


TAILS = [(5.0, 1.0), (8.0, 1.0), (20.0, 1.0), (0.3, 1e-3), (-8.0, 1.0), (-0.3, 1e-3), (1e-5, 1e-12), (0.0, 1e-12)]


@pytest.mark.parametrize("alpha", [ALPHA_01, 1.0, 0.5])
def test_selu_derivatives_keep_their_digits_however_little_is_beyond_the_kink(alpha) -> None:
    points = TAILS + list(zip(*random_points(11, 60), strict=True))
    compared = 0
    for x, y in points:
        found = Selu(alpha, 1.1).moments(x, y)
        for value, exact in zip(found[2:], selu_jacobian(alpha, 1.1, x, y), strict=True):
            if abs(exact) > 1e-190:  # what is smaller comes from beyond 30 standard deviations
                assert abs(float(value / exact - 1)) < 10 * RELATIVE, (x, y)
                compared += 1
    assert compared > 3.5 * len(points)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_other_activations_agree_with_quadrature_of_mpmath(name) -> None:
    for x, y in zip(*random_points(sum(map(ord, name)), 8), strict=True):
        mean, variance, scale = mean_and_variance(ACTIVATIONS[name], x, y)
        found = activation(name).moments(x, y)
        assert abs(found.mean - mean) <= RELATIVE * scale, (x, y)
        if variance > 1e-250:  # a ReLU many deviations below zero underflows
            assert float(abs(found.variance / variance - 1)) < RELATIVE, (x, y)


@pytest.mark.parametrize("name", ["relu", "tanh", "silu"])
def test_saturated_and_tail_variances_keep_their_digits(name) -> None:
    points = {"relu": (-8.0, 1.0), "tanh": (12.0, 1.0), "silu": (-25.0, 1.0)}
    with mp.workdps(60):
        _, variance, _ = mean_and_variance(ACTIVATIONS[name], *points[name])
        assert float(abs(activation(name).moments(*points[name]).variance / variance - 1)) < RELATIVE


def test_selu_closed_form_and_our_quadrature_agree_where_both_hold() -> None:
    x, y = random_points(5, 1500)
    f = Selu()
    closed, integrated = f.moments(x, y), quadrature.moments(f, f.slope, x, y)
    np.testing.assert_allclose(closed.variance, integrated.variance, rtol=1e-11)
    np.testing.assert_allclose(closed.mean_x, integrated.mean_x, rtol=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_jacobian_agrees_with_differences(name) -> None:
    f = activation(name)
    rng = np.random.default_rng(3)
    mu, nu = rng.normal(size=20), rng.uniform(0.2, 4, 20)
    weights = {"omega": 0.3, "tau": 1.2}
    h = 1e-3  # fourth-order differences: h^4 times a fifth derivative of order 10, and 1e-13 / h of rounding

    def difference(d_mu, d_nu):
        plus, minus, far_plus, far_minus = (
            np.stack(layer_map(f, mu + k * d_mu, nu + k * d_nu, **weights), axis=-1) for k in (h, -h, 2 * h, -2 * h)
        )
        return (8 * (plus - minus) - (far_plus - far_minus)) / (12 * h)

    jacobian = layer_jacobian(f, mu, nu, **weights)
    np.testing.assert_allclose(jacobian[..., 0], difference(1, 0), atol=1e-8)
    np.testing.assert_allclose(jacobian[..., 1], difference(0, 1), atol=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_gain_and_slope_of_the_second_moment_agree_with_references(name) -> None:
    f = activation(name)
    mu, nu = 0.4, 1.3
    with mp.workdps(30):
        slope = selu_mp(ALPHA_01, LAMBDA_01) if name == "selu" else ACTIVATIONS[name]
        gain = 0.9 * expectation(lambda z: mp.diff(slope, z, h=mp.mpf("1e-12")) ** 2, 0.5 * mu, 0.9 * nu)
    # the reference's one-sided differences are good to 1e-10 on either side of the kink
    assert gradient_gain(f, mu, nu, omega=0.5, tau=0.9) == pytest.approx(float(gain), rel=1e-8)
    h = 1e-4
    difference = (second_moment_map(f, nu + h, tau=1.1) - second_moment_map(f, nu - h, tau=1.1)) / (2 * h)
    assert second_moment_slope(f, nu, tau=1.1) == pytest.approx(float(difference), rel=1e-6)


def test_selu_maps_zero_one_to_itself_with_the_papers_jacobian() -> None:
    mu, nu = layer_map(Selu(), 0.0, 1.0)
    assert abs(mu) < 1e-15
    assert nu == pytest.approx(1, abs=1e-14)
    norm = np.linalg.norm(layer_jacobian(Selu(), 0.0, 1.0), 2)
    assert round(float(norm), 4) == 0.7877  # Paper: below Eq. 14


@pytest.mark.parametrize("name", NAMES)
def test_samples_of_gaussians_agree_within_their_standard_error(name) -> None:
    f, n = activation(name), 400_000
    mu, nu, omega, tau = -0.5, 2.0, 0.4, 1.1
    sample = f(np.random.default_rng(0).normal(mu * omega, np.sqrt(nu * tau), n))
    mean, variance = layer_map(f, mu, nu, omega=omega, tau=tau)
    centred = (sample - mean) ** 2
    # five standard errors: one false alarm in a million for each of these numbers
    assert abs(sample.mean() - mean) < 5 * sample.std() / np.sqrt(n)
    assert abs(centred.mean() - variance) < 5 * centred.std() / np.sqrt(n)


def test_shapes_broadcast_and_extremes_stay_finite() -> None:
    mean, variance = layer_map(Selu(), np.zeros((3, 1)), np.geomspace(1e-12, 1e6, 5), omega=0.1)
    assert mean.shape == variance.shape == (3, 5)
    for name in NAMES:
        found = activation(name).moments(np.array([-1e3, 0, 1e3])[:, None], np.array([1e-12, 1e6]))
        assert all(np.isfinite(values).all() for values in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nu": 0.0}, r"nu is 0.0, must be positive"),
        ({"nu": -1.0}, r"nu is -1.0, must be positive"),
        ({"nu": np.array([1.0, np.nan])}, r"nu is nan"),
        ({"mu": np.inf}, r"mu is inf, must be finite"),
        ({"tau": 0.0}, r"tau is 0.0, must be positive"),
        ({"omega": np.nan}, r"omega is nan, must be finite"),
    ],
)
def test_bad_moments_are_refused(arguments, message) -> None:
    for function in (layer_map, layer_jacobian, gradient_gain):
        with pytest.raises(ValueError, match=message):
            function(Selu(), **{"mu": 0.0, "nu": 1.0, **arguments})


def test_bad_activations_are_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha is 0\.0, must be positive"):
        Selu(0, 1)
    with pytest.raises(ValueError, match="lambda_ is nan, must be positive"):
        Selu(1, float("nan"))
    with pytest.raises(ValueError, match=r"'swish' is unknown, must be one of selu, elu"):
        activation("swish")
    with pytest.raises(ValueError, match="slope is nan, must be finite"):
        activation("leaky_relu", slope=float("nan"))
    with pytest.raises(ValueError, match="relu has no constant alpha; it has none"):
        activation("relu", alpha=1)
    with pytest.raises(ValueError, match="selu has no constant slope; it has alpha, lambda_"):
        activation("selu", alpha=1, slope=1)
    with pytest.raises(ValueError, match=r"q is -1\.0, must be positive"):
        second_moment_map(Selu(), -1.0)
