"""The C map: the correlation of two samples from layer to layer, for independent random weights of zero mean.

In: an activation, and the variance y and correlation c of the pre-activations of two samples. Out: the cosine between
the two vectors of activations, which is the correlation of the next layer's pre-activations (Poole et al. 2016; Martens
et al. 2021 call it C map), and its slope.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from selfnorm.theory.activations import Activation
from selfnorm.theory.checks import finite, positive
from selfnorm.theory.dropout import NO_DROPOUT, Dropout
from selfnorm.theory.quadrature import Array, paired_expectation


class FixedCorrelation(NamedTuple):
    """A correlation that a layer keeps, and the C map's slope there: below 1 in size, it attracts."""

    c: float
    slope: float

    @property
    def depth_scale(self) -> float:
        """The number of layers in which a small distance to it shrinks by a factor e; infinite for slopes 1 and 0."""
        rate = abs(self.slope)
        return float(-1 / np.log(rate)) if 0 < rate < 1 else np.inf if rate else 0.0


def correlation_map(f: Activation, c: ArrayLike, *, y: float = 1.0, dropout: Dropout = NO_DROPOUT) -> Array:
    """Return E g(z) g(z') / E h(z)^2 for z, z' ~ N(0, y) of correlation c, elementwise in c.

    h is the activation f followed by dropout with masks of each sample's own, over which g is the mean. Without dropout
    both are f. Raises ValueError for c outside -1 to 1 and for y not positive.

    Example, ReLU (Cho and Saul 2009: 1 / pi for independent samples):

    >>> from selfnorm.theory.activations import activation
    >>> round(float(correlation_map(activation("relu"), 0.0)), 6)
    0.31831
    """
    c = _correlation(c)
    y = float(positive("y", y))
    first, second = _dropped(f, y, dropout)
    return paired_expectation(first, c, y) / second


def correlation_slope(f: Activation, c: ArrayLike, *, y: float = 1.0, dropout: Dropout = NO_DROPOUT) -> Array:
    """Return d/dc of `correlation_map`, by E g'(z) g'(z') (Price's theorem). ValueError like `correlation_map`."""
    c = _correlation(c)
    y = float(positive("y", y))
    _, second = _dropped(f, y, dropout)
    factor = y * (dropout.a * (1 - dropout.rate)) ** 2 / second
    return factor * paired_expectation(f.slope, c, y)


def fixed_correlations(f: Activation, *, y: float = 1.0, dropout: Dropout = NO_DROPOUT) -> list[FixedCorrelation]:
    """Find correlations from -1 to 1 that a layer keeps, in their order; y is the variance that the layer keeps.

    They are sign changes on a grid of 200 points, and 1 itself without dropout. Close to 1 two that are nearer than
    1e-4 to each other count as one.
    """

    def change(c: float) -> float:
        return float(correlation_map(f, c, y=y, dropout=dropout)) - c

    grid = np.concatenate([np.linspace(-1, 0.99, 150), 1 - np.geomspace(0.009, 1e-4, 50)])
    values = correlation_map(f, grid, y=y, dropout=dropout) - grid
    values[np.abs(values) < 1e-9] = 0.0
    crossings = [grid[i] for i in np.flatnonzero(values == 0)]
    for i in np.flatnonzero(values[1:] * values[:-1] < 0):
        crossings.append(brentq(change, grid[i], grid[i + 1], xtol=1e-14))
    if dropout.rate == 0:
        crossings.append(1.0)
    return [FixedCorrelation(float(c), float(correlation_slope(f, c, y=y, dropout=dropout))) for c in sorted(crossings)]


def _correlation(c: ArrayLike) -> Array:
    c = finite("c", c)
    if (np.abs(c) > 1).any():
        raise ValueError(f"the correlation c is {c[np.abs(c) > 1].ravel()[0]:g}, must be from -1 to 1")
    return c


def _dropped(f: Activation, y: float, dropout: Dropout) -> tuple[Callable[[Array], Array], float]:
    """Return the mean of a unit over the masks, as a function of z, and the mean square of what dropout leaves."""
    m = f.moments(np.array(0.0), np.array(y))
    mean, variance = dropout.moments(m.mean, m.variance)
    keep = 1 - dropout.rate

    def first(z: Array) -> Array:
        return dropout.a * (keep * f(z) + dropout.rate * dropout.low) + dropout.b

    return first, float(variance + mean**2)
