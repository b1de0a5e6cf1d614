"""What the theory says a network's layers will show: moments and gradients, layer by layer, to lay over measured ones.

In: an activation and either (omega, tau) or the network's own weights. Out: arrays (layer,), entry l after layer l
(the activation of the l-th weight matrix), without the input itself.

Legend: mu, nu mean and variance of a layer's activations; omega, tau sum of a unit's weights and of their squares;
q = nu + mu^2; chi mean-square gain of a back-propagated gradient; m, v the moments unit by unit.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from selfnorm.theory.activations import Activation
from selfnorm.theory.moment_map import finite, gradient_gain, layer_map, positive, second_moment_map
from selfnorm.theory.quadrature import Array
from selfnorm.theory.selu import Selu


class LayerMoments(NamedTuple):
    """Per layer, each (layer,)."""

    mean: Array
    variance: Array
    chi: Array  # mean square gain of a gradient through this layer's activation and weights


def paper_path(
    f: Activation, mu: float, nu: float, *, depth: int, omega: ArrayLike = 0.0, tau: ArrayLike = 1.0
) -> LayerMoments:
    """The paper's map `depth` times from the input's (mu, nu); omega, tau numbers or (layer,) (paper: Eq. 3)."""
    omega_L, tau_L = np.broadcast_to(omega, depth), np.broadcast_to(tau, depth)
    m, v, rows = finite("mu", mu), positive("nu", nu), []
    for omega_l, tau_l in zip(omega_L, tau_L, strict=True):
        chi = gradient_gain(f, m, v, omega=omega_l, tau=tau_l)
        m, v = layer_map(f, m, v, omega=omega_l, tau=tau_l)
        rows.append((m, v, chi))
    return LayerMoments(*np.array(rows, float).reshape(depth, 3).T)


def second_moment_path(f: Activation, q: float, *, depth: int, tau: ArrayLike = 1.0) -> LayerMoments:
    """Independent random weights of zero mean: pre-activations N(0, tau q); mean and variance over units and samples.

    q is the input's second moment, its mean over the input's components; tau a number or (layer,).
    """
    rows = []
    for tau_l in np.broadcast_to(tau, depth):
        mean, _ = layer_map(f, 0.0, q, tau=tau_l)
        chi = gradient_gain(f, 0.0, q, tau=tau_l)
        q = float(second_moment_map(f, q, tau=tau_l))
        rows.append((mean, q - mean**2, chi))
    return LayerMoments(*np.array(rows, float).reshape(depth, 3).T)


def per_unit_path(
    f: Activation,
    weights: Sequence[Array],
    mean: Array,
    variance: Array,
    *,
    biases: Sequence[Array] | None = None,
) -> LayerMoments:
    """The map unit by unit with the network's own weights: m -> W m + b, v -> W^2 v, then the activation.

    weights: (out, in) each; mean, variance: (in,) of the input's components; biases: (out,) each. A layer's mean is
    that of its units' means, its variance the units' mean variance plus the variance of their means, which is what
    moments over samples and units measure. Correlations between units are neglected, the paper's assumption.
    chi of layer l: |W^T (E f'(z)^2 g)| for independent g of unit mean square, per component of the layer's input.
    Raises ValueError for shapes that do not chain and for variances not positive.
    """
    m, v = finite("mean", mean), positive("variance", variance)
    bias_list = [np.zeros(len(weight)) for weight in weights] if biases is None else list(biases)
    if len(bias_list) != len(weights):
        raise ValueError(f"{len(bias_list)} biases for {len(weights)} weights, must be as many")
    rows = []
    for layer, (weight, bias) in enumerate(zip(weights, bias_list, strict=True)):
        if weight.ndim != 2 or weight.shape[1] != m.shape[0] or bias.shape != weight.shape[:1]:
            raise ValueError(
                f"layer {layer} has weights {weight.shape} and bias {bias.shape}, "
                f"must be (out, {m.shape[0]}) and (out,)"
            )
        x, y = weight @ m + bias, weight**2 @ v
        slope_squared = f.slope_squared(x, y)
        moments = f.moments(x, y)
        m, v = moments.mean, moments.variance
        rows.append((m.mean(), v.mean() + m.var(), (slope_squared @ weight**2).mean()))
    return LayerMoments(*np.array(rows, float).reshape(len(rows), 3).T)


def alpha_dropout_gain(f: Selu, rate: float, *, mu: float = 0.0, nu: float = 1.0) -> float:
    """Factor on chi from alpha dropout: a^2 (1 - rate), with a the factor that restores the variance (paper: Sec. 2).

    Units are set to -lambda alpha with probability `rate`, then a x + b restores mean mu and variance nu; the
    gradient of a kept unit is multiplied by a. Raises ValueError unless 0 <= rate < 1.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"dropout rate is {rate}, must be at least 0 and below 1")
    keep, low = 1 - rate, -f.lambda_ * f.alpha
    return float(keep * positive("nu", nu) / (keep * (nu + rate * (low - finite("mu", mu)) ** 2)))


def backward_gain(chi: Array, *, dropout_gain: float = 1.0) -> Array:
    """Mean-square gradient at each layer's input over that at the last layer's output; chi and result (layer,)."""
    factors = np.asarray(chi, float) * dropout_gain
    return np.asarray(np.cumprod(factors[::-1])[::-1], float)
