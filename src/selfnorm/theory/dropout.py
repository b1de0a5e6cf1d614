"""The effect of dropout on the moments of a unit on the way forward, and on a gradient on the way back.

In: a rate, and for alpha dropout a SELU and the moments to keep. Out: a `Dropout`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from selfnorm.theory.checks import finite, positive
from selfnorm.theory.quadrature import Array
from selfnorm.theory.selu import Selu


@dataclass(frozen=True)
class Dropout:
    """The map x -> a (x or `low`) + b that keeps x with probability 1 - rate; ValueError unless 0 <= rate < 1."""

    rate: float
    low: float
    a: float
    b: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"dropout rate is {self.rate}, must be at least 0 and below 1")

    @property
    def gain(self) -> float:
        """The factor on the mean square of a gradient: a kept unit's is multiplied by a, a dropped one's is 0."""
        return self.a**2 * (1 - self.rate)

    def moments(self, mean: ArrayLike, variance: ArrayLike) -> tuple[Array, Array]:
        """Return a unit's mean and variance after dropout, elementwise."""
        keep, m, v = 1 - self.rate, np.asarray(mean, float), np.asarray(variance, float)
        return self.a * (keep * m + self.rate * self.low) + self.b, self.gain * (v + self.rate * (m - self.low) ** 2)


NO_DROPOUT = Dropout(0.0, 0.0, 1.0, 0.0)


def standard_dropout(rate: float) -> Dropout:
    """Set units to zero and scale the others to keep the mean (Srivastava et al. 2014)."""
    return Dropout(rate, 0.0, 1 / (1 - rate) if rate < 1 else 1.0, 0.0)


def alpha_dropout(f: Selu, rate: float, *, mu: float = 0.0, nu: float = 1.0) -> Dropout:
    """Set units to -lambda alpha, then restore mean mu and variance nu by a x + b (paper: Sec. 2)."""
    low = -f.lambda_ * f.alpha
    mean, variance = Dropout(rate, low, 1.0, 0.0).moments(finite("mu", mu), positive("nu", nu))
    a = float((nu / variance) ** 0.5)
    return Dropout(rate, low, a, float(mu - a * mean))
