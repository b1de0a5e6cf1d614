"""Who trains a run: a lock on its folder that the kernel releases when the process dies, however it dies.

Imports no torch.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from selfnorm.config import ConfigError

LOCK = ".lock"
LOOK_SECONDS = 1.0  # a page that looks whether a run is held holds it itself for a moment


class RunFolderBusy(RuntimeError):
    """Another process is training this very run."""


@contextmanager
def claim(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold a run folder; if another process does, wait until it ends, or raise RunFolderBusy.

    Raises ConfigError where a folder lies in the place of the lock.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=LOOK_SECONDS)
    except Timeout:
        if not wait:
            raise RunFolderBusy(f"another process is training {folder}; wait for it, or choose another tag=") from None
        print(f"waits for the process that trains it: {folder}", file=sys.stderr)
        lock.acquire()
    except IsADirectoryError:
        raise ConfigError(f"{folder / LOCK} is a folder, where the lock of the run belongs: remove it") from None
    try:
        yield
    finally:
        lock.release()


def is_claimed(folder: Path) -> bool:
    """Whether a living process holds the folder."""
    if not (folder / LOCK).is_file():
        return False
    try:
        with FileLock(folder / LOCK, timeout=LOOK_SECONDS):
            return False
    except Timeout:
        return True
