"""Find the run folders below a root, what is in each, when it changed and whether a job runs there; nothing is read.

In: a root. Out: `Folder`s. A folder that cannot be a run is told apart from one whose run did not get far. Symbolic
links are not followed: what is shown and served lies below the root.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FILES = ("config.yaml", "curves.csv", "moments.csv", "summary.json", "environment.json")
OF_A_RUN = ("config.yaml", "summary.json", "curves.csv")
Stamp = tuple[tuple[str, int, int], ...]  # name, time of change (ns) and size of each of FILES that is there


class Folder(NamedTuple):
    """A folder below the root: `name` is its path from the root; `problem` is empty for what may be a run."""

    name: str
    path: Path
    stamp: Stamp
    problem: str

    @property
    def files(self) -> list[str]:
        return [name for name, _, _ in self.stamp]


def find_folders(root: Path) -> list[Folder]:
    """Every run folder below `root`, and every folder at the end of a branch that is none, by name.

    Raises ValueError when the root is no folder.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: give the root of the runs, such as runs/")
    return sorted(_below(str(root), ""))


def is_held(folder: Path) -> bool:
    """Whether a process trains in the folder now: it holds the lock, which the system frees when it dies.

    A shared lock, so that two readers do not take each other for a job, on a file opened for reading only.
    """
    try:
        with (folder / ".lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def read_no_link(path: Path) -> bytes:
    """The contents of a file; OSError where a link lies in its place, and no waiting where a pipe does."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
        return opened.read()


def _below(path: str, name: str) -> Iterator[Folder]:
    try:
        with os.scandir(path) as entries:
            here = [entry for entry in entries if not entry.name.startswith(".")]
        files = {e.name: e.stat(follow_symlinks=False) for e in here if e.is_file(follow_symlinks=False)}
        folders = sorted(e.name for e in here if e.is_dir(follow_symlinks=False))
    except OSError as error:
        yield Folder(name, Path(path), (), f"cannot be opened: {error.strerror}")
        return
    if not _is_text(name):
        yield Folder(name.encode("utf-8", "replace").decode(), Path(path), (), "its name is not UTF-8: rename it")
    elif any(file in files for file in OF_A_RUN):
        stamp = tuple((f, files[f].st_mtime_ns, files[f].st_size) for f in FILES if f in files)
        yield Folder(name or ".", Path(path), stamp, "")
    elif folders:
        for folder in folders:
            yield from _below(f"{path}/{folder}", f"{name}/{folder}" if name else folder)
    elif name:
        yield Folder(name, Path(path), (), _no_run(set(files)))


def _no_run(files: set[str]) -> str:
    if not files:
        return "not a run: an empty folder"
    if "report.md" in files or "cells.csv" in files:
        return "not a run: a report"
    return "not a run: neither config.yaml nor summary.json in it"


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
