"""Checks of numbers from outside: they return an array, or raise a ValueError that names the bad value."""

import numpy as np
from numpy.typing import ArrayLike

from selfnorm.theory.quadrature import Array


def positive(name: str, value: ArrayLike) -> Array:
    """Return the value as a float array; ValueError unless all of it is positive and finite."""
    array = np.asarray(value, dtype=float)
    if (bad := array[~(np.isfinite(array) & (array > 0))]).size:
        raise ValueError(f"{name} is {bad[0]}, must be positive and finite")
    return array


def finite(name: str, value: ArrayLike) -> Array:
    """Return the value as a float array; ValueError unless all of it is finite."""
    array = np.asarray(value, dtype=float)
    if (bad := array[~np.isfinite(array)]).size:
        raise ValueError(f"{name} is {bad[0]}, must be finite")
    return array
