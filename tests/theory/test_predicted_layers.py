"""Predictions for networks, against networks of numpy."""

import numpy as np
import pytest

from selfnorm.theory.activations import activation
from selfnorm.theory.dropout import alpha_dropout
from selfnorm.theory.moment_map import gradient_gain, layer_map
from selfnorm.theory.prediction import paper_path, per_unit_path, second_moment_path
from selfnorm.theory.selu import Selu


def backward_gain(chi):
    """Mean-square gradient at each layer's pre-activations over that at the last layer's."""
    return np.cumprod(chi[::-1])[::-1]


def random_weights(rng, width, depth, tau=1.0):
    return [rng.normal(scale=np.sqrt(tau / width), size=(width, width)) for _ in range(depth)]


def per_unit(f, weights, mean, variance, **options):
    """The per-unit path of a network without biases."""
    return per_unit_path(f, weights, mean, variance, biases=[np.zeros(len(weight)) for weight in weights], **options)


def forward(f, weights, h):
    """Activations (unit, sample) after every layer."""
    return [f(z) for z in pre_activations(f, weights, h)]


def pre_activations(f, weights, h, drop=lambda h: h):
    outputs = []
    for weight in weights:
        outputs.append(weight @ h)
        h = drop(f(outputs[-1]))
    return outputs


def test_paper_path_is_the_map_layer_by_layer() -> None:
    omega, tau = np.array([0.1, -0.1, 0.0]), np.array([1.0, 0.9, 1.2])
    path = paper_path(Selu(), 0.5, 2.0, depth=3, omega=omega, tau=tau)
    mu, nu = 0.5, 2.0
    for layer in range(3):
        slope = gradient_gain(Selu(), mu, nu, omega=omega[layer], tau=tau[layer]) / tau[layer]
        if layer < 2:  # between two layers: this one's slopes, the next one's weights
            assert path.chi[layer] == pytest.approx(slope * tau[layer + 1], rel=1e-14)
        mu, nu = layer_map(Selu(), mu, nu, omega=omega[layer], tau=tau[layer])
        assert (path.mean[layer], path.variance[layer]) == (mu, nu)
    assert len(path.chi) == 2


def test_second_moment_path_of_unequal_samples_is_the_average_over_them() -> None:
    f, tau, q = Selu(), np.array([0.9, 1.1, 1.2]), np.array([0.3, 4.0])
    both = second_moment_path(f, q, depth=3, tau=tau)
    each = [second_moment_path(f, one, depth=3, tau=tau) for one in q]
    np.testing.assert_allclose(both.mean, np.mean([path.mean for path in each], axis=0))
    second = np.mean([path.variance + path.mean**2 for path in each], axis=0)
    np.testing.assert_allclose(both.variance + both.mean**2, second)
    gains = np.mean([backward_gain(path.chi) for path in each], axis=0)
    np.testing.assert_allclose(backward_gain(both.chi), gains)


@pytest.mark.parametrize("name", ["selu", "relu", "tanh"])
def test_second_moment_path_predicts_random_networks(name) -> None:
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


def test_per_unit_path_of_one_layer_agrees_with_sampled_gaussians() -> None:
    rng, f, n = np.random.default_rng(1), Selu(), 200_000
    weight, bias = rng.normal(size=(5, 3)), rng.normal(size=5)
    mean, variance = rng.normal(size=3), rng.uniform(0.5, 2, 3)
    h = f(weight @ rng.normal(mean[:, None], np.sqrt(variance)[:, None], (3, n)) + bias[:, None])
    path = per_unit_path(f, [weight], mean, variance, biases=[bias])
    # units are correlated: a five-fold standard error of independent samples, not of 5 n values
    assert path.mean[0] == pytest.approx(h.mean(), abs=5 * h.std() / np.sqrt(n))
    spread = ((h - h.mean()) ** 2).std() / np.sqrt(n)
    assert path.variance[0] == pytest.approx(h.var(), abs=5 * spread)


def test_chi_of_one_layer_weighs_every_unit_with_its_own_slope_and_weights() -> None:
    rng, f, n = np.random.default_rng(6), Selu(), 400_000
    first, second = np.array([[3.0, 0.1], [0.1, 0.5], [0.0, -1.0]]), np.array([[0.2, 2.0, -1.0], [1.0, 0.1, 0.3]])
    mean, variance = np.array([-2.0, 1.0]), np.array([0.3, 0.2])
    z = first @ rng.normal(mean[:, None], np.sqrt(variance)[:, None], (2, n))
    gradient = f.slope(z) * (second.T @ rng.normal(size=(2, n)))
    squares = (gradient**2).mean(axis=0)
    path = per_unit(f, [first, second], mean, variance)
    assert path.chi.shape == (1,)
    assert path.chi[0] == pytest.approx(squares.mean(), abs=5 * squares.std() / np.sqrt(n))
    assert path.unit_mean_sd[0] == pytest.approx(f(z).mean(axis=1).std(), abs=5 * f(z).std() / np.sqrt(n))


def test_per_unit_path_sees_weights_that_are_not_random_which_the_paper_path_does_not() -> None:
    rng, f, width = np.random.default_rng(2), Selu(), 300
    weights = random_weights(rng, width, 3)
    weights = [w + 0.2 / np.sqrt(width) for w in weights]  # a common positive part: omega about 0.2 sqrt(width)
    outputs = forward(f, weights, rng.normal(0.1, 1, (width, 4000)))
    path = per_unit(f, weights, np.full(width, 0.1), np.ones(width))
    assert path.mean[0] == pytest.approx(outputs[0].mean(), abs=0.02)  # 4000 samples share a common input sum
    assert abs(outputs[-1].mean()) > 0.5  # the common part drives the mean away from 0
    assert path.mean[-1] == pytest.approx(outputs[-1].mean(), rel=0.15)  # correlations between units neglected


@pytest.mark.parametrize("rate", [0.0, 0.1])
def test_chi_predicts_gradients_of_a_random_network(rate) -> None:
    rng, f, width, depth, n = np.random.default_rng(3), Selu(), 400, 10, 50
    weights, dropout, masks = random_weights(rng, width, depth), alpha_dropout(f, rate), []

    def drop(h):
        masks.append(rng.random(h.shape) >= rate)
        return dropout.a * np.where(masks[-1], h, dropout.low) + dropout.b

    pre = pre_activations(f, weights, rng.normal(size=(width, n)), drop)
    gradient = rng.normal(size=(width, n))  # at the last layer's pre-activations
    start, gains = (gradient**2).mean(), []
    for weight, z, kept in zip(weights[:0:-1], pre[-2::-1], masks[-2::-1], strict=True):
        gradient = f.slope(z) * dropout.a * kept * (weight.T @ gradient)
        gains.append((gradient**2).mean() / start)
    measured = np.array(gains)[::-1]
    for path in (
        per_unit(f, weights, np.zeros(width), np.ones(width), dropout=dropout),
        second_moment_path(f, 1.0, depth=depth, dropout=dropout),
        paper_path(f, 0.0, 1.0, depth=depth, dropout=dropout),
    ):
        # nine layers of width 400: each gain scatters by about sqrt(5 / 400 / 50 + 2 / 400)
        np.testing.assert_allclose(backward_gain(path.chi), measured, rtol=0.25)
    chi = paper_path(f, 0.0, 1.0, depth=2, dropout=dropout).chi
    assert chi == pytest.approx(1.0716 * dropout.gain, abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: per_unit(Selu(), [np.ones((3, 4))], np.zeros(3), np.ones(3)), "size 3 is different from 4"),
        (lambda: per_unit(Selu(), [np.ones((3, 3))], np.zeros(3), np.zeros(3)), "pre-activation is 0.0"),
        (lambda: per_unit_path(Selu(), [np.eye(2)], np.zeros(2), np.ones(2), biases=[]), "argument 3 is shorter"),
        (lambda: paper_path([Selu()], 0.0, 1.0, depth=2), "argument 2 is longer"),
        (lambda: paper_path(Selu(), 0.0, -1.0, depth=1), "nu is -1.0"),
        (lambda: second_moment_path(Selu(), 0.0, depth=1), "nu is 0.0|q is 0.0"),
    ],
)
def test_bad_input_is_refused(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
