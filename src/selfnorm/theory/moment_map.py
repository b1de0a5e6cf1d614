"""The paper's map g of one layer: (mu, nu) -> (mu~, nu~) under (omega, tau), and the second-moment map.

In: an activation of `activations` and arrays of any broadcastable shapes. Out: arrays of the common shape.

Legend: q = nu + mu^2 second moment of the activations that enter a layer.
"""

import numpy as np
from numpy.typing import ArrayLike

from selfnorm.theory.activations import Activation
from selfnorm.theory.checks import finite, positive
from selfnorm.theory.quadrature import Array


def _pre_activation(mu: ArrayLike, nu: ArrayLike, omega: ArrayLike, tau: ArrayLike) -> tuple[Array, Array]:
    x = finite("mu", mu) * finite("omega", omega)
    return x, positive("nu", nu) * positive("tau", tau)


def layer_map(
    f: Activation, mu: ArrayLike, nu: ArrayLike, *, omega: ArrayLike = 0.0, tau: ArrayLike = 1.0
) -> tuple[Array, Array]:
    """Return (mu~, nu~), mean and variance of f(z) for z ~ N(mu omega, nu tau) (paper: Eq. 3).

    Raises ValueError for nu or tau not positive and for anything not finite.
    """
    moments = f.moments(*_pre_activation(mu, nu, omega, tau))
    return moments.mean, moments.variance


def layer_jacobian(
    f: Activation, mu: ArrayLike, nu: ArrayLike, *, omega: ArrayLike = 0.0, tau: ArrayLike = 1.0
) -> Array:
    """Return d(mu~, nu~) / d(mu, nu), shape (..., 2, 2): rows mu~, nu~, columns mu, nu. ValueError like `layer_map`."""
    m = f.moments(*_pre_activation(mu, nu, omega, tau))
    w, t = np.asarray(omega, float), np.asarray(tau, float)
    flat = np.stack([m.mean_x * w, m.mean_y * t, m.variance_x * w, m.variance_y * t], axis=-1)
    return flat.reshape((*flat.shape[:-1], 2, 2))


def gradient_gain(
    f: Activation, mu: ArrayLike, nu: ArrayLike, *, omega: ArrayLike = 0.0, tau: ArrayLike = 1.0
) -> Array:
    """Return chi = tau E f'(z)^2, the factor of one layer on the mean square of a back-propagated gradient."""
    return positive("tau", tau) * f.slope_squared(*_pre_activation(mu, nu, omega, tau))


def second_moment_map(f: Activation, q: ArrayLike, *, tau: ArrayLike = 1.0) -> Array:
    """Return E f(sqrt(tau q) z)^2, z ~ N(0, 1): the map of q for independent random weights of zero mean.

    Over such weights omega is not fixed but has mean 0 and variance tau, so that the pre-activations of a layer,
    over its units, are N(0, tau q) with q = nu + mu^2, whatever mu is. Raises ValueError for q or tau not positive.
    """
    y = positive("q", q) * positive("tau", tau)
    return f.second_moment(np.zeros_like(y), y)


def second_moment_slope(f: Activation, q: ArrayLike, *, tau: ArrayLike = 1.0) -> Array:
    """Return d/dq of `second_moment_map`: a fixed point of it attracts where this is below one in size."""
    y = positive("q", q) * positive("tau", tau)
    m = f.moments(np.zeros_like(y), y)
    return positive("tau", tau) * (m.variance_y + 2 * m.mean * m.mean_y)
