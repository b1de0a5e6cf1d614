"""The moments and gradients that a network's layers will show by each of three maps, to lay over measured ones.

In: the activation (one, or one for each layer), dropout after every layer, and either (omega, tau) or the network's own
weights. Out: `LayerMoments`, entry l after the activation of the l-th weight matrix, before its dropout.

Legend: q = nu + mu^2; chi mean-square gain of a back-propagated gradient; m, v mean and variance; L layer, N sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from selfnorm.theory.activations import Activation
from selfnorm.theory.checks import finite, positive
from selfnorm.theory.dropout import NO_DROPOUT, Dropout
from selfnorm.theory.moment_map import layer_map
from selfnorm.theory.quadrature import Array

Activations = Activation | Sequence[Activation]


class LayerMoments(NamedTuple):
    """Mean and variance over units and samples together, and more, as arrays over the layers.

    chi[l], for all layers but the last, is the mean square of the gradient that reaches layer l's pre-activations over
    that at layer l + 1's: layer l's slopes and dropout, and the weights between the two.
    """

    mean: Array
    variance: Array
    unit_mean_sd: Array  # standard deviation over units of their means; NaN where the map does not tell
    chi: Array


class Inputs(NamedTuple):
    """Mean and variance of each component over the samples, and of each sample over its components."""

    mean: Array  # (component,)
    variance: Array
    sample_mean: Array  # (sample,)
    sample_variance: Array

    @classmethod
    def of(cls, x: Array) -> Inputs:
        """Take the moments of samples (sample, component)."""
        return cls(x.mean(axis=0), x.var(axis=0), x.mean(axis=1), x.var(axis=1))


class Network(NamedTuple):
    """weights (out, in), biases (out,) and activations of the hidden layers; dropout of the inputs and after each."""

    weights: Sequence[Array]
    biases: Sequence[Array]
    activations: Sequence[Activation]
    input_dropout: Dropout = NO_DROPOUT
    dropout: Dropout = NO_DROPOUT


def predict_network(network: Network, inputs: Inputs) -> dict[str, LayerMoments]:
    """Predict the network's moments by the maps `paper`, `second_moment` and `per_unit`.

    The paper's map, in which all units are alike, takes each layer's mean omega and tau and starts from mean and
    variance over all components and samples; the second-moment map takes tau and starts from each sample's mean
    square; the per-unit map takes every weight and bias and starts from each component.
    """
    omega = [float(weight.sum(axis=1).mean()) for weight in network.weights]
    tau = [float(np.square(weight).sum(axis=1).mean()) for weight in network.weights]
    mean, variance = network.input_dropout.moments(inputs.mean, inputs.variance)
    sample_mean, sample_variance = network.input_dropout.moments(inputs.sample_mean, inputs.sample_variance)
    squares = sample_variance + sample_mean**2
    depth, f = len(network.weights), network.activations
    nu = float(variance.mean() + mean.var())
    return {
        "paper": paper_path(f, float(mean.mean()), nu, depth=depth, omega=omega, tau=tau, dropout=network.dropout),
        "second_moment": second_moment_path(f, squares, depth=depth, tau=tau, dropout=network.dropout),
        "per_unit": per_unit_path(f, network.weights, mean, variance, biases=network.biases, dropout=network.dropout),
    }


def paper_path(
    f: Activations,
    mu: float,
    nu: float,
    *,
    depth: int,
    omega: ArrayLike = 0.0,
    tau: ArrayLike = 1.0,
    dropout: Dropout = NO_DROPOUT,
) -> LayerMoments:
    """Apply the paper's map `depth` times to the input's (mu, nu); omega, tau numbers or (layer,) (paper: Eq. 3).

    The paper assumes that all units of a layer are alike, so that their means do not scatter.
    """
    omega_L, tau_L = np.broadcast_to(omega, depth), np.broadcast_to(tau, depth)
    m, v = finite("mu", mu), positive("nu", nu)
    rows, slopes = [], []
    for f_l, omega_l, tau_l in zip(_each(f, depth), omega_L, tau_L, strict=True):
        mean, variance = layer_map(f_l, m, v, omega=omega_l, tau=tau_l)
        slopes.append(f_l.slope_squared(m * omega_l, v * tau_l))
        rows.append((mean, variance, 0.0))
        m, v = dropout.moments(mean, variance)
    return _moments(rows, dropout.gain * np.array(slopes[:-1], float) * tau_L[1:])


def second_moment_path(
    f: Activations, q: ArrayLike, *, depth: int, tau: ArrayLike = 1.0, dropout: Dropout = NO_DROPOUT
) -> LayerMoments:
    """Predict independent random weights of zero mean: over units z is N(0, tau q) for a sample; exact at large width.

    q: the mean square of an input's components, of every sample (sample,), or a number for samples that are alike;
    tau a number or (layer,). The gradients of all samples are taken to be equally large at the last layer.
    """
    q_N, tau_L = np.atleast_1d(positive("q", q)), np.broadcast_to(positive("tau", tau), depth)
    rows, slopes_LN = [], np.empty((depth, len(q_N)))
    for layer, (f_l, tau_l) in enumerate(zip(_each(f, depth), tau_L, strict=True)):
        zero_N, y_N = np.zeros_like(q_N), tau_l * q_N
        mean_N, variance_N, *_ = f_l.moments(zero_N, y_N)
        slopes_LN[layer] = f_l.slope_squared(zero_N, y_N)
        rows.append((mean_N.mean(), variance_N.mean() + mean_N.var(), np.nan))
        m_N, v_N = dropout.moments(mean_N, variance_N)
        q_N = v_N + m_N**2
    gain_LN = dropout.gain * slopes_LN[:-1] * tau_L[1:, None]
    gradient_L = np.append(np.cumprod(gain_LN[::-1], axis=0)[::-1].mean(axis=1), 1.0)
    return _moments(rows, gradient_L[:-1] / gradient_L[1:])


def per_unit_path(
    f: Activations,
    weights: Sequence[Array],
    mean: Array,
    variance: Array,
    *,
    biases: Sequence[Array],
    dropout: Dropout = NO_DROPOUT,
) -> LayerMoments:
    """Apply the map unit by unit with the network's own weights: m -> W m + b, v -> W^2 v, then the activation.

    weights: (out, in) each; mean, variance: (in,) of the input's components, of which some may be constant;
    biases: (out,) each. A layer's mean is that of its units' means, its variance the units' mean variance plus the
    variance of their means, which is what moments over samples and units measure. Correlations between units are
    neglected, the paper's assumption, as they are between the components of a gradient.
    Raises ValueError for a unit without variance.
    """
    m, v = finite("mean", mean), finite("variance", variance)
    rows: list[tuple[float, ...]] = []
    gains, slope_squared = [], np.zeros(0)
    for layer, (f_l, weight, bias) in enumerate(zip(_each(f, len(weights)), weights, biases, strict=True)):
        squares = np.square(weight, dtype=float)
        if layer:
            gains.append(dropout.gain * (squares @ slope_squared).sum() / len(m))
        x, y = weight @ m + bias, positive(f"layer {layer}: the variance of a pre-activation", squares @ v)
        slope_squared, moments = f_l.slope_squared(x, y), f_l.moments(x, y)
        rows.append((moments.mean.mean(), moments.variance.mean() + moments.mean.var(), moments.mean.std()))
        m, v = dropout.moments(moments.mean, moments.variance)
    return _moments(rows, np.array(gains))


def _each(f: Activations, depth: int) -> Sequence[Activation]:
    return f if isinstance(f, Sequence) else [f] * depth


def _moments(rows: Sequence[tuple], chi: Array) -> LayerMoments:
    """Join a row (mean, variance, unit_mean_sd) for each layer."""
    mean, variance, unit_mean_sd = np.array(rows, float).reshape(len(rows), 3).T
    return LayerMoments(mean, variance, unit_mean_sd, chi)
