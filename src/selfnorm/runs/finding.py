"""Find the run folders below a root: the files in each and when they changed, without reading them.

In: a root. Out: `Folder`s, also for folders that hold no run. Symbolic links are not followed, so that everything that
is shown or served lies below the root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from selfnorm.runs.layout import ANY_OF, CONFIG, SHOWN, SUMMARY

Stamp = tuple[tuple[str, int, int], ...]  # name, time of change (ns) and size of each file of SHOWN that is there


class Folder(NamedTuple):
    """A folder below the root. name: its path from the root, printable. problem: why it cannot be read, or ''.

    stamp: empty for a folder that holds no run.
    """

    name: str
    path: Path
    stamp: Stamp
    problem: str

    @property
    def files(self) -> list[str]:
        return [name for name, _, _ in self.stamp]


def find_folders(root: Path) -> list[Folder]:
    """Every run folder below `root`, and every folder at the end of a branch that holds none, sorted by name.

    A folder with config.yaml, summary.json or curves.csv is a run folder, and is not searched for others; hidden
    folders are passed over. Raises ValueError when the root is not a folder.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: give the root of the runs, such as runs/")
    return sorted(_below(str(root), ""))


def _below(path: str, name: str) -> Iterator[Folder]:
    shown = name if name.isprintable() else name.encode("unicode_escape").decode()
    try:
        with os.scandir(path) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
        files = {e.name: e.stat(follow_symlinks=False) for e in visible if e.is_file(follow_symlinks=False)}
        folders = sorted(e.name for e in visible if e.is_dir(follow_symlinks=False))
    except OSError as error:
        yield Folder(shown, Path(path), (), f"cannot be opened: {error.strerror}")
        return
    if any(file in files for file in ANY_OF):
        stamp = tuple((f, files[f].st_mtime_ns, files[f].st_size) for f in SHOWN if f in files)
        # Line breaks, a terminal's escape sequences, bytes that are not UTF-8
        problem = "" if name.isprintable() else "its name is not plain text: rename it"
        yield Folder(shown or ".", Path(path), stamp, problem)
    elif folders:
        for folder in folders:
            yield from _below(f"{path}/{folder}", f"{name}/{folder}" if name else folder)
    elif name:
        yield Folder(shown, Path(path), (), _no_run(set(files)))


def _no_run(files: set[str]) -> str:
    if not files:
        return "not a run: an empty folder"
    if "report.md" in files or "cells.csv" in files:
        return "not a run: a report"
    return f"not a run: neither {CONFIG} nor {SUMMARY} in it"
