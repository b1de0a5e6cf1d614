"""Activations made for deep chains without normalization: the affine wrapper gamma (f(alpha z + beta) + delta) of an f.

In: an activation's moments, and what the chain is to keep. Out: the wrapper's constants. All are for independent random
weights of zero mean and variance 1 / n, and keep the second moment 1 of the activations.

Legend: C map, correlation of two samples from layer to layer (`correlation`); chi mean-square gain of a gradient.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from scipy.optimize import brentq, root

from selfnorm.theory.quadrature import Array, Moments

# (alpha, beta) from which the equations of DKS are solved; the first that leads to a solution counts
STARTS = [(alpha, beta) for alpha in (1.0, 0.3, 0.1) for beta in (0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0)]


class HasMoments(Protocol):
    """The part of an activation that is needed here."""

    def moments(self, x: Array, y: Array) -> Moments: ...

    def slope_squared(self, x: Array, y: Array) -> Array: ...


class Affine(NamedTuple):
    """The constants of gamma (f(alpha z + beta) + delta)."""

    alpha: float
    beta: float
    gamma: float
    delta: float

    def of(self, function: Callable[[Array], Array]) -> Callable[[Array], Array]:
        return lambda z: self.gamma * (function(self.alpha * z + self.beta) + self.delta)

    def slope_of(self, slope: Callable[[Array], Array]) -> Callable[[Array], Array]:
        return lambda z: self.gamma * self.alpha * slope(self.alpha * z + self.beta)


def gaussian_poincare(f: HasMoments) -> Affine:
    """Make E f^2 = E f'^2 = 1 for z ~ N(0, 1), so that chi = 1 (Lu, Gould and Ajanthan 2020, for orthogonal weights).

    Such constants exist for every f, since Var f <= E f'^2 (the Gaussian Poincare inequality). There are two delta,
    and the smaller in size is taken; of two that are equal the positive one.
    """
    zero, one = np.array(0.0), np.array(1.0)
    m = f.moments(zero, one)
    gamma = 1 / math.sqrt(f.slope_squared(zero, one))
    mean, rest = float(m.mean), math.sqrt(max(0.0, 1 / gamma**2 - float(m.variance)))
    return Affine(1.0, 0.0, gamma, min(rest - mean, -rest - mean, key=lambda delta: (round(abs(delta), 12), -delta)))


def deep_kernel_shaping(f: HasMoments, *, depth: int, slope: float = 1.5) -> Affine:
    """Make C(0) = 0, C'(1) = slope^(1 / depth), q~(1) = q~'(1) = 1 (Martens et al. 2021, for a plain chain).

    q~ is the second-moment map. Over all `depth` layers the C map's slope at 1 is then `slope`. Made for smooth f.
    Raises ValueError where no constants are found.
    """
    target = math.log(slope) / depth

    def equations(unknown: Array) -> list[float]:
        alpha, beta = math.exp(unknown[0]), np.array(unknown[1])
        y = np.array(alpha**2)
        m = f.moments(beta, y)
        with np.errstate(invalid="ignore", divide="ignore"):  # where f is constant: no number is no solution
            growth = y * m.variance_y / m.variance  # q~'(1), since delta takes the mean away
            chi = y * f.slope_squared(beta, y) / m.variance
        return [float(growth) - 1, (float(np.log(chi)) - target) * depth]

    for alpha, beta in STARTS:
        found = root(equations, [math.log(alpha), beta], tol=1e-13)
        if np.abs(equations(found.x)).max() < 1e-9:
            alpha, beta = math.exp(found.x[0]), float(found.x[1])
            m = f.moments(np.array(beta), np.array(alpha**2))
            return Affine(alpha, beta, 1 / math.sqrt(m.variance), -float(m.mean))
    raise ValueError(f"no constants give the C map a slope of {slope:g} over {depth} layers; try a larger one")


def leaky_c_map(c: float, slope: float) -> float:
    """Return the C map of leaky ReLU in closed form, from ReLU's (Cho and Saul 2009)."""
    relu = (math.sqrt(1 - c**2) + c * (math.pi - math.acos(c))) / math.pi
    return ((1 - slope) ** 2 * relu + 2 * slope * c) / (1 + slope**2)


def tailored_leaky_relu(*, depth: int, correlation: float = 0.9) -> tuple[float, Affine]:
    """Return the slope below 0 of a leaky ReLU, and its wrapper: `depth` layers take correlation 0 to `correlation`.

    Zhang, Botev and Martens (2022), TAT, for a plain chain. A chain too shallow for that has slope 0: it is ReLU.
    """

    def end(slope: float) -> float:
        c = 0.0
        for _ in range(depth):
            c = leaky_c_map(min(c, 1.0), slope)
        return c - correlation

    slope = brentq(end, 0.0, 1.0, xtol=1e-15, rtol=1e-14) if end(0.0) > 0 else 0.0
    return slope, Affine(1.0, 0.0, math.sqrt(2 / (1 + slope**2)), 0.0)
