"""Faults of a user's own file: the one error, its words, and the check that the file fits the memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

GIB = 2**30
LARGEST_VALUE = 1e100  # the square of a larger one, summed, would leave double precision


class BadFile(ValueError):
    """A file that cannot be trained on; the message is one line that begins with what is wrong."""


def listed(names: Iterable[object], most: int = 12) -> str:
    """List names, and count those that would not fit a line."""
    texts = [str(name) for name in names]
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def check_values(what: str, values: NDArray[Any]) -> None:
    """Raises BadFile for infinities and other values that cannot be standardized; NaN is a missing value."""
    if values.dtype.kind == "f" and (bad := np.abs(values) > LARGEST_VALUE).any():
        raise BadFile(
            f"{what} has the value {values[bad][0]:g}; values beyond {LARGEST_VALUE:g} cannot be standardized"
        )


def check_memory(what: str, size: int, *, copies: int) -> None:
    """Raises BadFile for a content of `size` bytes whose copies this machine's memory would not hold."""
    needed, memory = copies * size, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        raise BadFile(
            f"{what} has {size / GIB:,.1f} GiB and needs about {needed / GIB:,.1f} GiB of memory, of "
            f"{memory / GIB:,.1f} here; hand over fewer samples or features"
        )
