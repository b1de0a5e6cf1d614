"""The state of a run: what its summary says, whether it is finished and whole, and whether it was killed.

In: a run folder. Reads summary.json, the files that a finished run must hold, and tries the lock: one process trains a
run, and the kernel releases the lock however that process ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from selfnorm.runs.files import Unreadable, file_digest, open_file, read_file
from selfnorm.runs.layout import (
    ACTIVATION,
    CHECKPOINT,
    CONFIG,
    CRASHED,
    ENVIRONMENT,
    FINISHED,
    FORKS,
    LOCK,
    MISSING,
    NETWORK,
    RUNNING,
    SUMMARY,
    TABLES,
    WANDB_ID,
)

PATIENCE_SECONDS, LOOK_SECONDS = 1.0, 0.05  # a reader that tests the lock holds it for a moment


class RunFolderBusy(RuntimeError):
    """Another process is training this very run."""


def read_summary(folder: Path) -> dict[str, Any]:
    """The contents of summary.json; {} if it is missing. Raises Unreadable if it is anything but a mapping."""
    path = folder / SUMMARY
    try:
        summary = json.loads(read_file(path))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        summary = None
    if not isinstance(summary, dict):
        raise Unreadable(f"{path} is damaged: put it back, or delete it to train this run again")
    return summary


def known_state(folder: Path) -> str:
    """The state of a run for a list: MISSING where no summary can be read, CRASHED where its process was killed."""
    try:
        state = str(read_summary(folder).get("state", MISSING))
    except OSError:
        return MISSING
    return CRASHED if has_crashed(folder, state) else state


def is_finished(folder: Path) -> bool:
    """Return whether the run was trained to its end, and every file of a finished run is there as the run wrote it.

    Raises Unreadable for a file that decides this or where a run goes on, and cannot be read.
    """
    for name in (SUMMARY, CONFIG, ENVIRONMENT, ACTIVATION, *TABLES, FORKS, NETWORK, CHECKPOINT, WANDB_ID):
        with suppress(FileNotFoundError), open_file(folder / name):
            pass
    summary = read_summary(folder)
    if summary.get("state") != FINISHED:
        return False
    try:
        for name in written_digests(summary) or (*TABLES, NETWORK):
            check_whole(folder / name, summary)
    except (ValueError, FileNotFoundError):
        return False
    return True


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The digests that a summary holds of the files of a finished run, by which a reader knows them again."""
    return {name: file_digest(folder / name) for name in names}


def check_whole(path: Path, summary: Mapping[str, Any]) -> None:
    """Raises ValueError for a file of a finished run that is not as the run wrote it, as a truncated copy is."""
    written = written_digests(summary).get(path.name)
    with open_file(path):  # of a run before 0.2.0, which wrote no digests, all that is known
        pass
    if written and file_digest(path) != written:
        raise ValueError(f"{path.name} is not as the run wrote it: copy it whole, or run it again")


def written_digests(summary: Mapping[str, Any]) -> dict[str, Any]:
    """File -> digest as a finished run wrote them; {} for any other run, or one of before 0.2.0."""
    found = summary.get("digests")
    return found if isinstance(found, dict) else {}


def has_crashed(folder: Path, state: str) -> bool:
    """Return whether a run with this state in its summary was killed: marked as running, and certainly not trained."""
    return state == RUNNING and is_free(folder)


@contextmanager
def claim(folder: Path, *, wait: bool) -> Iterator[None]:
    """Hold a run folder; if another process does, wait until it ends, or raise RunFolderBusy.

    Raises Unreadable where no lock can be had.
    """
    descriptor = _open(folder / LOCK)
    try:
        if not _locked_in_time(descriptor, folder):
            if not wait:
                raise RunFolderBusy(f"another process is training {folder}; wait for it, or choose another tag=")
            print(f"waits for the process that trains it: {folder}", file=sys.stderr)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # releases the lock


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    except OSError as error:
        reason = str(error.strerror).lower()
        raise Unreadable(f"{path} cannot be opened ({reason}), and the lock of the run belongs there") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable(f"{path} is not a regular file, and the lock of the run belongs there: remove it")
    return descriptor


def _locked_in_time(descriptor: int, folder: Path) -> bool:
    """Take the lock if it becomes free within PATIENCE_SECONDS."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(LOOK_SECONDS)
        except OSError as error:  # some network file systems have no locks
            reason = str(error.strerror).lower()
            raise Unreadable(f"{folder / LOCK} cannot be locked ({reason}): choose another runs_dir=") from None
    return False


def is_free(folder: Path) -> bool:
    """Return whether it is certain that no process trains the run: its lock is missing, or can be had.

    The test takes a shared lock, so that two readers do not take each other for a job, on a file opened for reading.
    """
    try:
        with open_file(folder / LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:  # it is held, or nobody can tell
        return False
    return True
