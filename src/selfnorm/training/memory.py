"""Freed memory is kept for the next step instead of going back to the operating system."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
LARGEST = 2**30  # bytes; blocks above it still come and go


def keep_freed_memory() -> None:
    """Stop glibc from returning large blocks: each step's gradients would be page faults again.

    At width 784 with four seeds 17 000 faults a step took up to half of its time (docs/speed.md). Where the C library
    is another, nothing happens.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, LARGEST)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
