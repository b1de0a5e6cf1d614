"""Numbers for JSON: few digits, and None where there is no finite number (JSON has no NaN)."""

import json
from typing import Any

import numpy as np

DIGITS = 5  # significant ones: more than the eye reads off a chart


def numbers(values: Any, digits: int = DIGITS) -> Any:
    """Round an array to significant digits and return it as nested lists, or a number as a number."""
    array = np.asarray(values, dtype=float)
    finite = np.isfinite(array)
    size = np.abs(np.where(finite & (array != 0), array, 1.0))
    scale = 10.0 ** np.clip(digits - 1 - np.floor(np.log10(size)), -300, 300)
    rounded = np.round(np.where(finite, array, 0.0) * scale) / scale
    return np.where(finite, rounded, np.array(None)).tolist()


def spread_evenly(length: int, most: int) -> np.ndarray:
    """Return at most `most` of the indices of `length` entries, evenly spread, with the first and the last."""
    return np.unique(np.linspace(0, length - 1, most).round().astype(int))


def plain(value: Any) -> Any:
    """Turn a value of a configuration, table or summary into what JSON can hold, with all its digits."""
    return json.loads(json.dumps(value, default=_plain_object, skipkeys=True), parse_constant=lambda _: None)


def _plain_object(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)
