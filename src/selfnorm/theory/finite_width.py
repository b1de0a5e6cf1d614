"""A layer's second moment fluctuates at finite width: its variance over random weights, layer by layer.

In: an activation, the width n, the input's q and tau. Out: mean and variance of q, (layer,) each.
For one input, (1/n) sum of n independent f(sqrt(tau q) z_i)^2 given the q before. Where the second-moment map
attracts (slope a < 1) the variance settles near K / (n (1 - a^2)); where it keeps every q (ReLU, tau = 2) it grows
with depth, to q^2 ((1 + 5/n)^depth - 1).

Legend: q second moment of a layer's activations, over its units; tau width times the variance of a weight;
K(q) variance of f(sqrt(tau q) z)^2; z standard normal.
"""

import numpy as np

from selfnorm.theory.activations import Activation
from selfnorm.theory.checks import positive
from selfnorm.theory.moment_map import second_moment_map
from selfnorm.theory.quadrature import Array, expectation

# q is taken as log-normal with the mean and variance so far: exact where map and K are polynomials of degree two
# (ReLU), and 15 nodes integrate it to rounding where q scatters by less than its own size.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def scatter_of_square(f: Activation, q: Array, *, tau: float = 1.0) -> Array:
    """K(q) = Var f(sqrt(tau q) z)^2: a layer of width n adds K/n to the variance of its second moment."""
    y = positive("q", q) * positive("tau", tau)
    zero = np.zeros_like(y)
    return expectation(lambda z: f(z) ** 4, zero, y) - second_moment_map(f, q, tau=tau) ** 2


def second_moment_fluctuation(
    f: Activation, q: float, *, width: int, depth: int, tau: float = 1.0
) -> tuple[Array, Array]:
    """Mean and variance, over random weights N(0, tau / width), of the layers' second moments, (layer,) each.

    The first layer is as wide as the others, its input has second moment q exactly. Raises ValueError for width
    below 1, q or tau not positive.
    """
    if width < 1:
        raise ValueError(f"width is {width}, must be at least 1")
    mean, variance, rows = float(positive("q", q)), 0.0, []
    for _ in range(depth):
        log_variance = np.log1p(variance / mean**2)
        sample = mean * np.exp(np.sqrt(log_variance) * _NODES - log_variance / 2)
        image = second_moment_map(f, sample, tau=tau)
        fresh = _WEIGHTS @ scatter_of_square(f, sample, tau=tau) / width
        mean = float(_WEIGHTS @ image)
        variance = float(_WEIGHTS @ (image - mean) ** 2 + fresh)
        rows.append((mean, variance))
    means, variances = np.array(rows, float).reshape(depth, 2).T
    return means, variances
