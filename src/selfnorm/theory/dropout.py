"""What dropout does to the moments of a unit on the way forward, and to a gradient on the way back.

In: a rate, and for alpha dropout a SELU and the moments to keep. Out: a `Dropout`.

Legend: mu, nu mean and variance of the activations.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from selfnorm.theory.moment_map import finite, positive
from selfnorm.theory.quadrature import Array
from selfnorm.theory.selu import Selu


@dataclass(frozen=True)
class Dropout:
    """x -> a (x or `low`) + b: x is kept with probability 1 - rate. Raises ValueError unless 0 <= rate < 1."""

    rate: float
    low: float
    a: float
    b: float

    def __post_init__(self) -> None:
        if not 0 <= self.rate < 1:
            raise ValueError(f"dropout rate is {self.rate}, must be at least 0 and below 1")

    @property
    def gain(self) -> float:
        """Factor on the mean square of a gradient: a kept unit's is multiplied by a, a dropped one's is 0."""
        return self.a**2 * (1 - self.rate)

    def moments(self, mean: ArrayLike, variance: ArrayLike) -> tuple[Array, Array]:
        """Mean and variance of a unit of the given ones after dropout, elementwise."""
        keep, m, v = 1 - self.rate, np.asarray(mean, float), np.asarray(variance, float)
        return self.a * (keep * m + self.rate * self.low) + self.b, self.gain * (v + self.rate * (m - self.low) ** 2)


NO_DROPOUT = Dropout(0.0, 0.0, 1.0, 0.0)


def standard_dropout(rate: float) -> Dropout:
    """Zero, or scaled to keep the mean (Srivastava et al. 2014)."""
    return Dropout(rate, 0.0, 1 / (1 - rate) if rate < 1 else 1.0, 0.0)


def alpha_dropout(f: Selu, rate: float, *, mu: float = 0.0, nu: float = 1.0) -> Dropout:
    """Units are set to -lambda alpha, then a x + b restores mean mu and variance nu (paper: Sec. 2)."""
    low = -f.lambda_ * f.alpha
    plain = Dropout(rate, low, 1.0, 0.0)
    mean, variance = plain.moments(finite("mu", mu), positive("nu", nu))
    a = float((nu / variance) ** 0.5)
    return Dropout(rate, low, a, float(mu - a * mean))
