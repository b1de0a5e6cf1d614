"""An activation from a table of its values and slopes, for the theory of a function that is not imported.

In: the table that networks/probing.py makes. Out: a `Pointwise`. Between two points it is the cubic that
has their values and slopes; beyond the last ones it goes on straight. Values and slopes stand on either side of each
point, so that a kink or a jump at a point is exact.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnorm.theory.activations import Pointwise
from selfnorm.theory.quadrature import Array

COLUMNS = ("z", "value_below", "value_above", "slope_below", "slope_above")
MOST_POINTS = 10_000
JUMP = 1e-6  # of a value, relative to its size: more is no rounding


def from_table(table: Mapping[str, Any] | None) -> Pointwise:
    """Return the activation; raises ValueError for a table that is none, or of a function that jumps."""
    z, low, high, slope_low, slope_high = columns_of(table)
    if (jumps := np.abs(high - low) > JUMP * (1 + np.abs(low))).any():
        raise ValueError(f"the activation jumps at {z[jumps][0]:g}, and the theory is for continuous ones")

    def at(x: Array) -> tuple[NDArray[np.intp], Array, Array]:
        """Return the cell of each point, its width, and where in it the point lies: 0 to 1."""
        cell = np.clip(np.searchsorted(z, x, side="right") - 1, 0, len(z) - 2)
        width = z[cell + 1] - z[cell]
        return cell, width, np.clip((x - z[cell]) / width, 0.0, 1.0)

    def function(x: Array) -> Array:
        cell, width, t = at(x)
        rise = low[cell + 1] - high[cell]
        a, b = width * slope_high[cell] - rise, rise - width * slope_low[cell + 1]
        inside = high[cell] + t * rise + t * (1 - t) * ((1 - t) * a + t * b)
        return inside + slope_low[-1] * np.maximum(x - z[-1], 0) + slope_high[0] * np.minimum(x - z[0], 0)

    def slope(x: Array) -> Array:
        cell, width, t = at(x)
        rise = low[cell + 1] - high[cell]
        a, b = width * slope_high[cell] - rise, rise - width * slope_low[cell + 1]
        return (rise + (1 - t) * (1 - 3 * t) * a + t * (2 - 3 * t) * b) / width

    return Pointwise(function, slope)


def columns_of(table: Mapping[str, Any] | None) -> list[Array]:
    """Return the table's columns; raises ValueError unless they are finite numbers of one length, z increasing."""
    if table is None:
        raise ValueError("the run has not written down its activation")
    lists = [table.get(name) for name in COLUMNS]
    if not all(isinstance(values, Sequence) and 2 <= len(values) <= MOST_POINTS for values in lists):
        raise ValueError(f"the table of the activation needs {', '.join(COLUMNS)}")
    try:
        columns = [np.array(values, dtype=float) for values in lists]
    except (TypeError, ValueError):
        raise ValueError("the table of the activation holds what is no number") from None
    same = all(column.shape == columns[0].shape and np.isfinite(column).all() for column in columns)
    if not same or columns[0].ndim != 1 or (np.diff(columns[0]) <= 0).any():
        raise ValueError("the table of the activation is not one of finite numbers by increasing z")
    return columns
