"""Who trains a run: a lock on its folder that the kernel releases when the process dies, however it dies.

Imports no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = ".lock"
LOOK_SECONDS = 1.0  # a page that looks whether a run is held holds it itself for a moment


class RunFolderBusy(RuntimeError):
    """Another process is training this very run."""


@contextmanager
def claim(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold a run folder; if another process does, wait until it ends, or raise RunFolderBusy."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=LOOK_SECONDS)
    except Timeout:
        if not wait:
            raise RunFolderBusy(f"another process is training {folder}; wait for it, or choose another tag=") from None
        print(f"waits for the process that trains it: {folder}", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def is_claimed(folder: Path) -> bool:
    """Whether a living process holds the folder."""
    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=LOOK_SECONDS):
            return False
    except Timeout:
        return True
