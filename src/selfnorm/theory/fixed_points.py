"""Fixed points of the moment map: found, with the rate at which they attract, and mapped over all SELUs.

In: an activation and the weights' (omega, tau). Out: fixed points with their rate of convergence.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from selfnorm.theory.activations import Activation
from selfnorm.theory.checks import finite, positive
from selfnorm.theory.moment_map import layer_jacobian, second_moment_map, second_moment_slope
from selfnorm.theory.quadrature import Array
from selfnorm.theory.selu import Halves, closed_form, halves
from selfnorm.theory.solver import parameters


class FixedPoint(NamedTuple):
    """A fixed point (mu, nu), and the factor by which a small deviation shrinks per layer: below 1, it attracts."""

    mu: float
    nu: float
    rate: float


def spectral_radius(f: Activation, mu: float, nu: float, *, omega: float = 0.0, tau: float = 1.0) -> float:
    """Return the largest absolute eigenvalue of the map's Jacobian at (mu, nu). ValueError like `layer_map`."""
    return float(np.abs(np.linalg.eigvals(layer_jacobian(f, mu, nu, omega=omega, tau=tau))).max())


LOG_NU_LIMIT = np.log(1e6)


def find_fixed_points(f: Activation, *, omega: float = 0.0, tau: float = 1.0) -> list[FixedPoint]:
    """Find fixed points with variance 1e-6 to 1e6, attracting or not, sorted by variance.

    Newton's method in (mu, log nu) from a grid of starts: its results are fixed to rounding; that they are all fixed
    points is likely, not proven. Of a whole line of them it returns single points. ValueError like `layer_map`.
    """
    finite("omega", omega)
    positive("tau", tau)
    starts = np.meshgrid(np.linspace(-2, 2, 5), np.log(np.geomspace(1e-4, 1e2, 7)))
    mu, log_nu = (start.ravel() for start in starts)
    for _ in range(40):
        residual, jacobian = _log_system(f, mu, log_nu, omega, tau)
        jacobian[np.abs(np.linalg.det(jacobian)) < 1e-12] = np.eye(2)
        step = np.linalg.solve(jacobian, residual[..., None])[..., 0]
        step = np.clip(step, -1, 1)  # at most a factor e in variance at once
        mu, log_nu = mu - step[:, 0], np.clip(log_nu - step[:, 1], -LOG_NU_LIMIT - 1, LOG_NU_LIMIT + 1)
    residual, _ = _log_system(f, mu, log_nu, omega, tau)
    good = (np.abs(residual).max(axis=1) < 1e-9) & (np.abs(log_nu) < LOG_NU_LIMIT)
    points: list[FixedPoint] = []
    for log_v, m in sorted(zip(log_nu[good], mu[good], strict=True)):
        if not any(abs(m - other.mu) + abs(log_v - np.log(other.nu)) < 1e-5 for other in points):
            v = np.exp(log_v)
            points.append(FixedPoint(float(m), float(v), spectral_radius(f, m, v, omega=omega, tau=tau)))
    return points


def _log_system(f: Activation, mu: Array, log_nu: Array, omega: float, tau: float) -> tuple[Array, Array]:
    """Return (mu - mu~, log nu - log nu~), shape (N, 2), and its Jacobian in (mu, log nu), shape (N, 2, 2)."""
    nu = np.exp(log_nu)
    m = f.moments(omega * mu, tau * nu)
    variance = np.maximum(m.variance, 1e-300)  # a ReLU far below zero has no variance left
    residual = np.stack([mu - m.mean, log_nu - np.log(variance)], axis=1)
    by_mu = np.stack([1 - omega * m.mean_x, -omega * m.variance_x / variance], axis=1)
    by_log_nu = np.stack([-tau * nu * m.mean_y, 1 - tau * nu * m.variance_y / variance], axis=1)
    return residual, np.stack([by_mu, by_log_nu], axis=2)


def find_second_moments(f: Activation, *, tau: float = 1.0) -> list[tuple[float, float]]:
    """Find fixed points q = nu + mu^2 of the second-moment map, each with its slope d q~/dq (below 1: it attracts).

    They are sign changes on a grid of 400 points from 1e-6 to 1e6. A map that keeps every q (ReLU at tau = 2) has none.
    """
    grid = np.linspace(np.log(1e-6), np.log(1e6), 400)

    def growth(log_q: Array) -> Array:
        return np.log(second_moment_map(f, np.exp(log_q), tau=tau)) - log_q

    values = growth(grid)
    values[np.abs(values) < 1e-12] = 0.0  # rounding around "every q is fixed"
    fixed = []
    for i in np.flatnonzero(values[1:] * values[:-1] < 0):
        q = float(np.exp(brentq(growth, grid[i], grid[i + 1], xtol=1e-14)))
        fixed.append((q, float(second_moment_slope(f, q, tau=tau))))
    return fixed


def existence_map(mu: ArrayLike, nu: ArrayLike, *, omega: float | None = None, tau: float = 1.0) -> Array:
    """Return the rate of the SELU that has the fixed point (mu, nu), elementwise; NaN where there is no such SELU.

    The rate is the spectral radius of the map's Jacobian for a given omega, and the slope of the second-moment map
    for omega=None (see `selu_for_fixed_point`). The closed form suits whole grids and loses digits for variances below
    1e-4. ValueError like `layer_map`.
    """
    mu, nu = np.broadcast_arrays(finite("mu", mu), positive("nu", nu))
    finite("omega", omega or 0.0)
    positive("tau", tau)
    second = nu + mu**2
    x, y = (np.zeros_like(mu), tau * second) if omega is None else (omega * mu, tau * nu)
    h = halves(x, y)
    first, square = np.where(mu > 0, h.p, h.q), np.where(mu > 0, h.pp, h.qq)
    exists = first**2 * second > (1 + 1e-10) * mu**2 * square  # closer to the limit doubles do not tell alpha
    h = Halves(*(half[exists] for half in h))
    alpha, lambda_ = parameters(mu[exists], second[exists], h.p, h.pp, h.q, h.qq, sqrt=np.sqrt)
    m = closed_form(h, alpha, lambda_)
    rate = np.full(mu.shape, np.nan)
    if omega is None:
        rate[exists] = np.abs(tau * (m.variance_y + 2 * m.mean * m.mean_y))
    else:
        rows = [omega * m.mean_x, tau * m.mean_y, omega * m.variance_x, tau * m.variance_y]
        eigenvalues = np.linalg.eigvals(np.stack(rows, axis=-1).reshape(-1, 2, 2))
        rate[exists] = np.abs(eigenvalues).max(axis=-1)
    return rate
