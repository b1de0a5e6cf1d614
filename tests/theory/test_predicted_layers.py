"""Predictions for networks, against networks of numpy."""

import numpy as np
import pytest

from selfnorm.theory.activations import activation
from selfnorm.theory.finite_width import scatter_of_square, second_moment_fluctuation
from selfnorm.theory.moment_map import gradient_gain, layer_map
from selfnorm.theory.prediction import (
    alpha_dropout_gain,
    backward_gain,
    paper_path,
    per_unit_path,
    second_moment_path,
)
from selfnorm.theory.selu import Selu


def random_weights(rng, width, depth, tau=1.0):
    return [rng.normal(scale=np.sqrt(tau / width), size=(width, width)) for _ in range(depth)]


def forward(f, weights, h):
    """Activations (unit, sample) after every layer."""
    outputs = []
    for weight in weights:
        h = f(weight @ h)
        outputs.append(h)
    return outputs


def test_paper_path_is_the_map_layer_by_layer():
    omega, tau = np.array([0.1, -0.1, 0.0]), np.array([1.0, 0.9, 1.2])
    path = paper_path(Selu(), 0.5, 2.0, depth=3, omega=omega, tau=tau)
    mu, nu = 0.5, 2.0
    for layer in range(3):
        assert path.chi[layer] == gradient_gain(Selu(), mu, nu, omega=omega[layer], tau=tau[layer])
        mu, nu = layer_map(Selu(), mu, nu, omega=omega[layer], tau=tau[layer])
        assert (path.mean[layer], path.variance[layer]) == (mu, nu)


@pytest.mark.parametrize("name", ["selu", "relu", "tanh"])
def test_second_moment_path_predicts_random_networks(name):
    f, width, depth, tau = activation(name), 250, 5, 1.3
    rng = np.random.default_rng(0)
    moments = []
    for _ in range(12):
        outputs = forward(f, random_weights(rng, width, depth, tau), rng.normal(0.3, 1.0, (width, 60)))
        moments.append([(h.mean(), h.var()) for h in outputs])
    measured = np.array(moments)  # (network, layer, 2)
    path = second_moment_path(f, 1.09, depth=depth, tau=tau)
    error = measured.std(axis=0, ddof=1) / np.sqrt(12)
    # five standard errors of 12 networks, and 1 % of bias at this width (order 1 / 250 a layer)
    assert np.all(abs(measured.mean(axis=0)[:, 0] - path.mean) < 5 * error[:, 0] + 0.01)
    assert np.all(abs(measured.mean(axis=0)[:, 1] - path.variance) < 5 * error[:, 1] + 0.01 * path.variance)


def test_per_unit_path_of_one_layer_agrees_with_sampled_gaussians():
    rng, f, n = np.random.default_rng(1), Selu(), 200_000
    weight, bias = rng.normal(size=(5, 3)), rng.normal(size=5)
    mean, variance = rng.normal(size=3), rng.uniform(0.5, 2, 3)
    h = f(weight @ rng.normal(mean[:, None], np.sqrt(variance)[:, None], (3, n)) + bias[:, None])
    path = per_unit_path(f, [weight], mean, variance, biases=[bias])
    # units are correlated: a five-fold standard error of independent samples, not of 5 n values
    assert path.mean[0] == pytest.approx(h.mean(), abs=5 * h.std() / np.sqrt(n))
    spread = ((h - h.mean()) ** 2).std() / np.sqrt(n)
    assert path.variance[0] == pytest.approx(h.var(), abs=5 * spread)


def test_chi_of_one_layer_weighs_every_unit_with_its_own_slope():
    rng, f, n = np.random.default_rng(6), Selu(), 400_000
    weight = np.array([[3.0, 0.1], [0.1, 0.5], [0.0, -1.0]])
    mean, variance = np.array([-2.0, 1.0]), np.array([0.3, 0.2])
    z = weight @ rng.normal(mean[:, None], np.sqrt(variance)[:, None], (2, n))
    gradient = weight.T @ (rng.normal(size=(3, n)) * f.slope(z))
    squares = (gradient**2).mean(axis=0)
    chi = per_unit_path(f, [weight], mean, variance).chi[0]
    assert chi == pytest.approx(squares.mean(), abs=5 * squares.std() / np.sqrt(n))


def test_per_unit_path_sees_weights_that_are_not_random_which_the_paper_path_does_not():
    rng, f, width = np.random.default_rng(2), Selu(), 300
    weights = random_weights(rng, width, 3)
    weights = [w + 0.2 / np.sqrt(width) for w in weights]  # a common positive part: omega about 0.2 sqrt(width)
    outputs = forward(f, weights, rng.normal(0.1, 1, (width, 4000)))
    path = per_unit_path(f, weights, np.full(width, 0.1), np.ones(width))
    assert path.mean[0] == pytest.approx(outputs[0].mean(), abs=0.02)  # 4000 samples share a common input sum
    assert abs(outputs[-1].mean()) > 0.5  # the common part drives the mean away from 0
    assert path.mean[-1] == pytest.approx(outputs[-1].mean(), rel=0.15)  # correlations between units neglected


def test_chi_predicts_gradients_of_a_random_network():
    rng, f, width, depth = np.random.default_rng(3), Selu(), 400, 10
    weights = random_weights(rng, width, depth)
    h = rng.normal(size=(width, 50))
    pre = []
    for weight in weights:
        pre.append(weight @ h)
        h = f(pre[-1])
    gradient, gains = rng.normal(size=h.shape), []
    start = (gradient**2).mean()
    for weight, z in zip(weights[::-1], pre[::-1], strict=True):
        gradient = weight.T @ (gradient * f.slope(z))
        gains.append((gradient**2).mean() / start)
    measured = np.array(gains)[::-1]
    for path in (
        per_unit_path(f, weights, np.zeros(width), np.ones(width)),
        second_moment_path(f, 1.0, depth=depth),
        paper_path(f, 0.0, 1.0, depth=depth),
    ):
        # ten layers of width 400: each gain scatters by about sqrt(5 / 400 / 50 + 2 / 400)
        np.testing.assert_allclose(backward_gain(path.chi), measured, rtol=0.25)
    assert paper_path(f, 0.0, 1.0, depth=1).chi[0] == pytest.approx(1.0716, abs=1e-4)


@pytest.mark.parametrize("target", [(0.0, 1.0), (-0.3, 2.0)])
def test_alpha_dropout_gain_is_that_of_masked_units(target):
    (mu, nu), rate, f = target, 0.1, Selu()
    rng, n = np.random.default_rng(4), 1_000_000
    kept = rng.random(n) > rate
    x = np.where(kept, rng.normal(mu, np.sqrt(nu), n), -f.lambda_ * f.alpha)
    a = np.sqrt(nu / x.var())  # what restores the variance, here from samples
    # 1 % : the variance of 1e6 samples is good to 0.2 %
    assert alpha_dropout_gain(f, rate, mu=mu, nu=nu) == pytest.approx(a**2 * kept.mean(), rel=0.01)
    assert alpha_dropout_gain(f, 0.0, mu=mu, nu=nu) == 1


def test_alpha_dropout_gain_is_the_papers_factor():
    f, keep = Selu(), 0.95
    low = -f.lambda_ * f.alpha
    a = (keep + low**2 * keep * (1 - keep)) ** -0.5  # Paper: Sec. 2, new dropout technique
    assert alpha_dropout_gain(f, 0.05) == pytest.approx(a**2 * keep, rel=1e-14)
    chi = paper_path(f, 0.0, 1.0, depth=4).chi
    np.testing.assert_allclose(
        backward_gain(chi, dropout_gain=alpha_dropout_gain(f, 0.05)),
        backward_gain(chi) * (a**2 * keep) ** np.arange(4, 0, -1),
    )


def test_relu_fluctuation_grows_as_its_closed_form():
    mean, variance = second_moment_fluctuation(activation("relu"), 1.5, width=50, depth=12, tau=2.0)
    layers = np.arange(1, 13)
    np.testing.assert_allclose(mean, 1.5, rtol=1e-10)
    np.testing.assert_allclose(variance, 1.5**2 * ((1 + 5 / 50) ** layers - 1), rtol=1e-10)


@pytest.mark.parametrize(("name", "tau"), [("selu", 1.0), ("relu", 2.0), ("tanh", 1.5)])
def test_fluctuation_of_simulated_networks_is_the_predicted_one(name, tau):
    f, width, depth, runs = activation(name), 60, 6, 1500
    rng, h, measured = np.random.default_rng(5), np.ones((1500, 60, 1)), []
    for _ in range(depth):
        h = f(rng.normal(scale=np.sqrt(tau / width), size=(runs, width, width)) @ h)
        measured.append((h**2).mean(axis=(1, 2)))
    mean, variance = second_moment_fluctuation(f, 1.0, width=width, depth=depth, tau=tau)
    np.testing.assert_allclose(np.mean(measured, axis=1), mean, atol=5 * np.sqrt(variance.max() / runs))
    # the standard error of a variance of 1500 skewed values is 4 to 8 %, and order 1 / width of closure error
    np.testing.assert_allclose(np.var(measured, axis=1), variance, rtol=0.3)


def test_self_normalization_keeps_the_fluctuation_stationary_and_relu_does_not():
    _, selu = second_moment_fluctuation(Selu(), 1.0, width=200, depth=60)
    _, relu = second_moment_fluctuation(activation("relu"), 1.0, width=200, depth=60, tau=2.0)
    assert selu[-1] == pytest.approx(selu[29], rel=1e-3)
    assert relu[-1] > 2 * relu[29]
    slope, fresh = 0.78265, scatter_of_square(Selu(), np.array(1.0)) / 200
    assert selu[-1] == pytest.approx(fresh / (1 - slope**2), rel=0.05)  # linearized: wrong by order 1 / width


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: per_unit_path(Selu(), [np.ones((3, 4))], np.zeros(3), np.ones(3)), r"layer 0 has weights \(3, 4\)"),
        (lambda: per_unit_path(Selu(), [np.ones((3, 3))], np.zeros(3), np.zeros(3)), "variance is 0.0"),
        (lambda: per_unit_path(Selu(), [np.eye(2)], np.zeros(2), np.ones(2), biases=[]), "0 biases for 1 weights"),
        (lambda: alpha_dropout_gain(Selu(), 1.0), "dropout rate is 1.0"),
        (lambda: second_moment_fluctuation(Selu(), 1.0, width=0, depth=1), "width is 0"),
        (lambda: paper_path(Selu(), 0.0, -1.0, depth=1), "nu is -1.0"),
        (lambda: second_moment_path(Selu(), 0.0, depth=1), "nu is 0.0|q is 0.0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
