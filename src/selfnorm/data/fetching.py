"""Fetch the files of a data set that are missing, source by source, under a lock per data set.

A file is written in a temporary folder beside the others and moved in once its checksum holds. So no reader ever sees
half a file, even if a fetch is killed or two processes fetch at the same time.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from selfnorm.data.datasets import CanonicalFile, Dataset
from selfnorm.data.sources import Source, files_to_put_by_hand, sources_for
from selfnorm.data.transfer import SourceFailed

TEMPORARY_PREFIX = ".fetch-"
REJECTED_SUFFIX = ".rejected-"


def fetch_missing(dataset: Dataset, folder: Path, sources: Sequence[Source] | None = None) -> str:
    """Fetch what is missing or damaged in `folder`; `sources` overrides the usual ones.

    Returns what was tried and what the user can do, or "" once every file is there. Raises OSError for a folder that
    cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder, dataset.name):
        for killed in folder.glob(f"{TEMPORARY_PREFIX}*"):  # no other fetch is alive while we hold the lock
            shutil.rmtree(killed, ignore_errors=True)
        return _try_in_turn(dataset, folder, sources_for(dataset, folder.parent) if sources is None else sources)


def _try_in_turn(dataset: Dataset, folder: Path, sources: Sequence[Source]) -> str:
    name = dataset.name
    failures: list[tuple[str, str]] = []
    missing = _problems(dataset.files, folder)  # again: another process may have fetched them before we had the lock
    for file, text in missing.items():
        if text != "missing":
            failures.append((f"{folder / file.name}", text))
            _say(f"warning: {name}: {folder / file.name} {text}; fetching it again")
    for source in sources:
        if not missing:
            return ""
        _say(f"{name}: {len(missing)} missing; trying {source.label}")
        reasons = _take_from(source, list(missing), folder)
        missing = _problems(list(missing), folder)
        if missing:
            failures.append((source.label, "; ".join(reasons)))
            _say(f"{name}: {failures[-1][1]}")
    if not missing:
        return ""
    tried = "\n".join(f"  {i}. {label}: {reason}" for i, (label, reason) in enumerate(failures, 1))
    return (
        f"data set {name!r} is not available; what was tried, in order:\n{tried}\n"
        f"Put these files into {folder} by hand: {files_to_put_by_hand(dataset)}"
    )


def _problems(files: Sequence[CanonicalFile], folder: Path) -> dict[CanonicalFile, str]:
    return {file: text for file in files if (text := file.problem(folder / file.name))}


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """Hold the folder's lock, which the system releases when its holder dies; say so when there is a wait."""
    with (folder / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"{name}: another process is fetching it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _take_from(source: Source, wanted: Sequence[CanonicalFile], folder: Path) -> list[str]:
    """Let a source write into a temporary folder, move in what is canonical, and return what went wrong."""
    reasons: list[str] = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=TEMPORARY_PREFIX, ignore_cleanup_errors=True) as temporary:
        into = Path(temporary)
        try:
            source.fetch(wanted, into)
        except (SourceFailed, OSError) as error:
            reasons.append(str(error))
        for file in wanted:
            text = file.problem(into / file.name)
            if text is None:
                _set_aside(folder / file.name)
                os.replace(into / file.name, folder / file.name)
            elif not reasons:
                reasons.append(f"{file.name} {text}")
    return reasons


def _set_aside(path: Path) -> None:
    if os.path.lexists(path):
        names = (path.with_name(f"{path.name}{REJECTED_SUFFIX}{number}") for number in itertools.count(1))
        rejected = next(name for name in names if not os.path.lexists(name))
        os.replace(path, rejected)
        _say(f"warning: set aside the damaged file as {rejected}")


def _say(text: str) -> None:
    print(f"data: {text}", file=sys.stderr, flush=True)
