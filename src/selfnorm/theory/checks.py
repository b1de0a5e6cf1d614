"""Numbers from outside: an array of what is legal, or a ValueError that names the bad value."""

import numpy as np
from numpy.typing import ArrayLike

from selfnorm.theory.quadrature import Array


def positive(name: str, value: ArrayLike) -> Array:
    """The value as a float array; ValueError unless all of it is positive and finite."""
    array = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(array) & (array > 0)):
        bad = array[~(np.isfinite(array) & (array > 0))].ravel()[0]
        raise ValueError(f"{name} is {bad}, must be positive and finite")
    return array


def finite(name: str, value: ArrayLike) -> Array:
    """The value as a float array; ValueError unless all of it is finite."""
    array = np.asarray(value, dtype=float)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} is {array[~np.isfinite(array)].ravel()[0]}, must be finite")
    return array
