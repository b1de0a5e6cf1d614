"""Numbers for JSON: few digits, and None where there is no finite number (JSON has no NaN)."""

import math
from typing import Any

import numpy as np
import pandas as pd

DIGITS = 5  # significant ones: more than the eye reads off a chart


def numbers(values: Any, digits: int = DIGITS) -> Any:
    """An array as nested lists, of as many dimensions."""
    array = np.asarray(values, dtype=float)
    finite = np.isfinite(array)
    size = np.abs(np.where(finite & (array != 0), array, 1.0))
    scale = 10.0 ** np.clip(digits - 1 - np.floor(np.log10(size)), -300, 300)
    rounded = np.round(np.where(finite, array, 0.0) * scale) / scale
    return np.where(finite, rounded, np.array(None)).tolist()


def number(value: Any, digits: int = DIGITS) -> float | None:
    """One number."""
    value = float(value)
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def plain(value: Any) -> Any:
    """Any value of a configuration, table or summary as what JSON can hold, all digits kept."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return None if value is pd.NA else str(value)
