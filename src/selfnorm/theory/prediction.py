"""What the theory says a network's layers will show: moments and gradients, layer by layer, to lay over measured ones.

In: the activation (one, or one for each layer), dropout after every layer, and either (omega, tau) or the network's own
weights. Out: `LayerMoments`, entry l after the activation of the l-th weight matrix, before its dropout.

Legend: mu, nu mean and variance of a layer's activations; omega, tau sum of a unit's weights and of their squares;
q = nu + mu^2; chi mean-square gain of a back-propagated gradient; m, v mean and variance unit by unit.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from selfnorm.theory.activations import Activation
from selfnorm.theory.dropout import NO_DROPOUT, Dropout
from selfnorm.theory.moment_map import finite, layer_map, positive
from selfnorm.theory.quadrature import Array

Activations = Activation | Sequence[Activation]


class LayerMoments(NamedTuple):
    """Per layer, (layer,) each but for chi; mean and variance over units and samples together.

    chi[l] is the mean square of the gradient that reaches layer l's pre-activations over that at layer l + 1's,
    (layer - 1,): layer l's slopes and dropout, and the weights between the two.
    """

    mean: Array
    variance: Array
    unit_mean_sd: Array  # standard deviation over units of their means; NaN where the map says nothing of it
    chi: Array


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
    """The paper's map `depth` times from the input's (mu, nu); omega, tau numbers or (layer,) (paper: Eq. 3).

    All units of a layer are alike, which is the paper's assumption: they scatter by nothing.
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
    """Independent random weights of zero mean, sample by sample: over its units z is N(0, tau q); exact at large width.

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
    biases: Sequence[Array] | None = None,
    dropout: Dropout = NO_DROPOUT,
) -> LayerMoments:
    """The map unit by unit with the network's own weights: m -> W m + b, v -> W^2 v, then the activation.

    weights: (out, in) each; mean, variance: (in,) of the input's components, of which some may be constant;
    biases: (out,) each. A layer's mean is that of its units' means, its variance the units' mean variance plus the
    variance of their means, which is what moments over samples and units measure. Correlations between units are
    neglected, the paper's assumption, as they are between the components of a gradient.
    Raises ValueError for shapes that do not chain and for a unit without variance.
    """
    m, v = finite("mean", mean), finite("variance", variance)
    bias_list = [np.zeros(len(weight)) for weight in weights] if biases is None else list(biases)
    if len(bias_list) != len(weights):
        raise ValueError(f"{len(bias_list)} biases for {len(weights)} weights, must be as many")
    rows: list[tuple[float, ...]] = []
    gains: list[float] = []
    slope_squared = None
    for layer, (f_l, weight, bias) in enumerate(zip(_each(f, len(weights)), weights, bias_list, strict=True)):
        _check_shapes(layer, weight, bias, m)
        squares = np.square(weight, dtype=float)
        if slope_squared is not None:
            gains.append(float(dropout.gain * (squares @ slope_squared).sum() / len(m)))
        x, y = weight @ m + bias, positive(f"layer {layer}: the variance of a pre-activation", squares @ v)
        slope_squared, moments = f_l.slope_squared(x, y), f_l.moments(x, y)
        rows.append((moments.mean.mean(), moments.variance.mean() + moments.mean.var(), moments.mean.std()))
        m, v = dropout.moments(moments.mean, moments.variance)
    return _moments(rows, np.array(gains))


def backward_gain(chi: Array) -> Array:
    """Mean-square gradient at each layer's pre-activations over that at the last layer's; (layer - 1,) as chi."""
    return np.asarray(np.cumprod(np.asarray(chi, float)[::-1])[::-1], float)


def _each(f: Activations, depth: int) -> list[Activation]:
    if not isinstance(f, Sequence):
        return [f] * depth
    if len(f) != depth:
        raise ValueError(f"{len(f)} activations for {depth} layers, must be one or as many")
    return list(f)


def _moments(rows: Sequence[tuple], chi: Array) -> LayerMoments:
    """From a row (mean, variance, unit_mean_sd) for each layer."""
    mean, variance, unit_mean_sd = np.array(rows, float).reshape(len(rows), 3).T
    return LayerMoments(mean, variance, unit_mean_sd, chi)


def _check_shapes(layer: int, weight: Array, bias: Array, m: Array) -> None:
    if weight.ndim != 2 or weight.shape[1] != m.shape[0] or bias.shape != weight.shape[:1]:
        raise ValueError(
            f"layer {layer} has weights {weight.shape} and bias {bias.shape}, must be (out, {m.shape[0]}) and (out,)"
        )
