"""The C map against closed forms, nested quadrature and samples, and the activations that are tailored by it."""

import numpy as np
import pytest
from scipy.integrate import dblquad

from selfnorm.theory.activations import NAMES, TAILORED, activation, tailor
from selfnorm.theory.chain import chain
from selfnorm.theory.correlation import correlation_map, correlation_slope, fixed_correlations
from selfnorm.theory.dropout import alpha_dropout
from selfnorm.theory.moment_map import gradient_gain, second_moment_map, second_moment_slope
from selfnorm.theory.quadrature import paired_expectation
from selfnorm.theory.selu import Selu

C = np.array([-1, -0.9999, -0.5, 0, 0.3, 0.9, 0.9999, 0.999999, 1])
RELU = activation("relu")


def arc_cosine_kernel(c):
    """ReLU's C map (Cho and Saul 2009, degree 1, normalized)."""
    return (np.sqrt(1 - c**2) + c * (np.pi - np.arccos(c))) / np.pi


@pytest.mark.parametrize("y", [0.01, 1.0, 100.0])
def test_relus_c_map_and_slope_are_the_arc_cosine_kernels(y) -> None:
    np.testing.assert_allclose(correlation_map(RELU, C, y=y), arc_cosine_kernel(C), atol=1e-13)
    np.testing.assert_allclose(correlation_slope(RELU, C, y=y), 1 - np.arccos(C) / np.pi, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_the_paired_expectation_is_a_double_integral(name) -> None:
    f, c, s = activation(name), 0.6, 1.3

    def integrand(w, u):
        density = np.exp(-(u**2 + w**2) / 2) / (2 * np.pi)
        return density * f(np.array(s * u)) * f(np.array(s * (c * u + (1 - c**2) ** 0.5 * w)))

    # Each part is smooth: the kinks are at u = 0 and at w = -c u / sqrt(1 - c^2)
    kink = lambda u: -c * u / (1 - c**2) ** 0.5  # noqa: E731
    parts = [(-9, 0, -9, kink), (-9, 0, kink, 9), (0, 9, -9, kink), (0, 9, kink, 9)]
    expected = sum(dblquad(integrand, *limits, epsabs=1e-9, epsrel=1e-9)[0] for limits in parts)
    assert float(paired_expectation(f, np.array(c), s**2)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("name", NAMES)
def test_at_correlation_one_the_maps_are_those_of_one_sample(name) -> None:
    f = activation(name)
    for y in (0.01, 1.0, 30.0):
        assert float(correlation_map(f, 1.0, y=y)) == pytest.approx(1, abs=1e-12)
        second = float(f.second_moment(np.array(0.0), np.array(y)))
        chi = float(gradient_gain(f, 0.0, y))
        assert float(correlation_slope(f, 1.0, y=y)) == pytest.approx(y * chi / second, rel=1e-11)


@pytest.mark.parametrize("name", NAMES)
def test_the_slope_is_the_maps_derivative(name) -> None:
    f, h = activation(name), 1e-5
    c = np.array([-0.5, 0.0, 0.3, 0.9])
    difference = (correlation_map(f, c + h) - correlation_map(f, c - h)) / (2 * h)
    np.testing.assert_allclose(correlation_slope(f, c), difference, atol=1e-8)  # of an error h^2 C''' / 6


def test_selus_correlations_go_to_zero_and_its_depth_scale_follows_from_the_slope() -> None:
    attracting, repelling = fixed_correlations(Selu())
    assert attracting.c == pytest.approx(0, abs=1e-12)
    assert attracting.slope == pytest.approx(0.9706803523, abs=1e-10)
    assert attracting.depth_scale == pytest.approx(-1 / np.log(0.9706803523), rel=1e-6)
    assert (repelling.c, repelling.slope) == (1.0, pytest.approx(1.0715749925, abs=1e-10))
    c = 0.1
    for _ in range(34):  # a depth scale: a factor e
        c = float(correlation_map(Selu(), c))
    assert c == pytest.approx(0.1 / np.e, rel=0.05)


def test_alpha_dropout_takes_the_share_of_a_correlation_that_samples_show() -> None:
    f, c, rng = Selu(), 0.8, np.random.default_rng(0)
    dropout = alpha_dropout(f, 0.2)
    z = rng.standard_normal((2, 2_000_000))
    z[1] = c * z[0] + (1 - c**2) ** 0.5 * z[1]
    x = dropout.a * np.where(rng.random(z.shape) < 0.8, f(z), dropout.low) + dropout.b
    product = x[0] * x[1]
    expected = float(correlation_map(f, c, dropout=dropout)) * 1.0  # q = 1 is kept
    assert abs(product.mean() - expected) < 4 * product.std() / len(product) ** 0.5
    assert expected < 0.75 * float(correlation_map(f, c))


@pytest.mark.parametrize("c", [1.1, -1.5])
def test_a_correlation_beyond_one_is_refused(c) -> None:
    with pytest.raises(ValueError, match=r"correlation c is .*, must be from -1 to 1"):
        correlation_map(RELU, c)


# Lu, Gould and Ajanthan (2020): a f(z) + b, to four digits
PUBLISHED = {"tanh": (1.4674, 0.3885), "relu": (1.4142, 0.0), "elu": (1.2234, 0.0742), "selu": (0.9660, 0.2585)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_gaussian_poincare_constants_are_the_published_ones(name) -> None:
    _, _, affine = tailor("gaussian_poincare", function=name)
    assert (affine.gamma, affine.gamma * affine.delta) == pytest.approx(PUBLISHED[name], abs=1e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "leaky_relu"])
def test_gaussian_poincare_keeps_activations_and_gradients(name) -> None:
    f = activation("gaussian_poincare", function=name)
    assert float(second_moment_map(f, 1.0)) == pytest.approx(1, abs=1e-12)
    assert float(gradient_gain(f, 0.0, 1.0)) == pytest.approx(1, abs=1e-12)


# By the package dks 0.1.2 (get_transformed_activations for a plain chain): alpha, beta, gamma, delta
DKS = {
    (8, "tanh"): (0.33490218054071585, 0.6775979325914097, 4.498147102774335, -0.551087728460553),
    (8, "silu"): (0.4976550833840798, 0.33812646313594774, 3.015612765761401, -0.25293531663119295),
    (8, "gelu"): (0.3204049646228087, 0.24187844779247838, 4.52182223081944, -0.18095237110229667),
    (32, "tanh"): (0.16130685348636858, 0.5826488965819683, 8.542521461116477, -0.514988235010478),
    (32, "silu"): (0.23238258493276234, 0.34800352175525484, 6.417295845674461, -0.21653589799942582),
    (128, "tanh"): (0.07986216318255553, 0.5577554247131693, 16.83664892704818, -0.5039274408403402),
    (128, "silu"): (0.11428118482880431, 0.3496108259277141, 13.034741116363831, -0.20811756057915795),
}
TAT = {32: (0.3202233910560608, 1.3468437823526156), 128: (0.6125125288963318, 1.2059701289756444)}  # slope, gamma


@pytest.mark.parametrize(("depth", "name"), DKS)
def test_dks_constants_are_those_of_its_authors_package(depth, name) -> None:
    _, _, affine = tailor("dks", function=name, layers=depth)
    assert affine == pytest.approx(DKS[depth, name], abs=2e-7, rel=2e-8)  # the package stops at 1e-8


@pytest.mark.parametrize("depth", TAT)
def test_tat_constants_are_those_of_its_authors_package(depth) -> None:
    _, constants, affine = tailor("tat", layers=depth)
    assert (constants["slope"], affine.gamma) == pytest.approx(TAT[depth], abs=2e-8)


@pytest.mark.parametrize("name", ["gelu", "silu", "tanh", "sigmoid"])
@pytest.mark.parametrize("depth", [1, 16, 128, 1000])
def test_dks_meets_its_four_conditions(depth, name) -> None:
    f = activation("dks", function=name, layers=depth)
    assert float(second_moment_map(f, 1.0)) == pytest.approx(1, abs=1e-10)
    assert float(second_moment_slope(f, 1.0)) == pytest.approx(1, abs=1e-8)
    assert float(correlation_map(f, 0.0)) == pytest.approx(0, abs=1e-12)
    assert float(correlation_slope(f, 1.0)) ** depth == pytest.approx(1.5, rel=1e-8)


def test_tat_takes_independent_samples_to_the_correlation_that_was_asked_for_if_relu_could() -> None:
    for depth, expected in ((16, 0.9), (64, 0.9), (8, chain(RELU, depth=8, tau=2.0).activation_cosine[-1])):
        found = chain(activation("tat", layers=depth), depth=depth, tau=1.0)
        assert found.activation_cosine[-1] == pytest.approx(expected, abs=1e-9)
        assert found.activation_variance + found.activation_mean**2 == pytest.approx(np.ones(depth), abs=1e-9)
    assert chain(activation("tat", layers=16, correlation=0.5), depth=16, tau=1.0).activation_cosine[-1] == (
        pytest.approx(0.5, abs=1e-9)
    )


def test_every_tailored_activation_has_the_slope_of_its_values() -> None:
    z, h = np.linspace(-3, 3, 26), 1e-6  # no node at the kink
    chosen = {
        "gaussian_poincare": {"function": "selu"},
        "dks": {"function": "tanh", "layers": 8},
        "tat": {"layers": 32},
    }
    assert chosen.keys() == set(TAILORED)
    for name, constants in chosen.items():
        f = activation(name, **constants)
        np.testing.assert_allclose(f.slope(z), (f(z + h) - f(z - h)) / (2 * h), atol=1e-7)
