"""The cache: `data_dir/<data set>/` holds canonical files, every one checked by SHA-256 before it is used.

A file is built in a temporary folder beside the others and moved in by os.replace once its checksum holds,
under a lock per data set; so no reader ever sees a half file, whoever stops or fetches at the same time.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from selfnorm.data.catalogue import FILES, CanonicalFile, CorruptFile, DataUnavailable
from selfnorm.data.sources import Source, SourceFailed, files_to_put_by_hand, sources_for

TEMPORARY_PREFIX = ".fetch-"
REJECTED_SUFFIX = ".rejected-"
NO_DOWNLOAD = "or choose the data set that needs no download: dataset=digits"


def ensure(name: str, data_dir: Path, *, sources: Sequence[Source] | None = None) -> Path:
    """The folder of data set `name`, every file in it verified; what is missing or damaged is fetched first.

    `sources` overrides the usual ones. Raises DataUnavailable if none of them supplies what is missing.
    """
    folder = data_dir / name
    if not _problems(FILES[name], folder):  # also serves a cache on a file system that cannot be written
        return folder
    sources = sources_for(name, data_dir) if sources is None else sources
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder, name):
            _clear_leftovers(folder)
            _fetch_missing(name, folder, sources)
    except OSError as error:
        text = f"data set {name!r}: the data folder {folder} cannot be used ({error}); choose another one,"
        raise DataUnavailable(f"{text} {NO_DOWNLOAD}") from error
    return folder


def problem(path: Path, file: CanonicalFile) -> str | None:
    """What is wrong with the file at `path`, in a few words; None if it is the canonical one."""
    try:
        if not path.is_file():  # follows a link: a user may link to a copy elsewhere
            return "is not a regular file" if os.path.lexists(path) else "missing"
        size = path.stat().st_size
        if size != file.size:
            return f"has {size} bytes instead of {file.size}"
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        return f"unreadable ({error.strerror})"
    return None if digest == file.sha256 else f"has SHA-256 {digest[:12]}... instead of {file.sha256[:12]}..."


def _problems(files: Sequence[CanonicalFile], folder: Path) -> dict[CanonicalFile, str]:
    found = {file: problem(folder / file.name, file) for file in files}
    return {file: text for file, text in found.items() if text is not None}


@contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """A lock that the system releases when its holder dies; says so when it has to wait."""
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _say(f"{name}: another process is fetching it; waiting")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _clear_leftovers(folder: Path) -> None:
    """Removes the temporary folders of fetches that were killed: none is alive while we hold the lock."""
    for leftover in folder.glob(f"{TEMPORARY_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _fetch_missing(name: str, folder: Path, sources: Sequence[Source]) -> None:
    failures: list[tuple[str, str]] = []
    missing = _problems(FILES[name], folder)  # again, now under the lock: another process may have been at it
    for file, text in missing.items():
        if text != "missing":
            failures.append((f"{folder / file.name}", text))
            _say(f"warning: {name}: {folder / file.name} {text}; fetching it again")
    for source in sources:
        if not missing:
            return
        _say(f"{name}: {len(missing)} missing; trying {source.label}")
        reasons = _take_from(source, list(missing), folder)
        missing = _problems(list(missing), folder)
        if missing:
            failures.append((source.label, "; ".join(reasons)))
            _say(f"{name}: {failures[-1][1]}")
    if missing:
        raise DataUnavailable(_message(name, folder, failures))


def _take_from(source: Source, wanted: Sequence[CanonicalFile], folder: Path) -> list[str]:
    """Lets a source write into a temporary folder and moves in what is canonical; returns what went wrong."""
    reasons: list[str] = []
    with tempfile.TemporaryDirectory(dir=folder, prefix=TEMPORARY_PREFIX, ignore_cleanup_errors=True) as temporary:
        into = Path(temporary)
        try:
            source.fetch(wanted, into)
        except (SourceFailed, CorruptFile, OSError) as error:
            reasons.append(str(error))
        for file in wanted:
            text = problem(into / file.name, file)
            if text is None:
                _set_aside(folder / file.name)
                os.replace(into / file.name, folder / file.name)
            elif not reasons:
                reasons.append(f"{file.name} {text}")
    return reasons


def _set_aside(path: Path) -> None:
    if os.path.lexists(path):
        names = (f"{path.name}{REJECTED_SUFFIX}{number}" for number in itertools.count(1))
        rejected = next(path.with_name(name) for name in names if not os.path.lexists(path.with_name(name)))
        os.replace(path, rejected)
        _say(f"warning: set aside the damaged file as {rejected}")


def _message(name: str, folder: Path, failures: Sequence[tuple[str, str]]) -> str:
    tried = [f"  {i}. {label}: {reason}" for i, (label, reason) in enumerate(failures, 1)]
    return "\n".join(
        (
            f"data set {name!r} is not available; what was tried, in order:",
            *tried,
            f"Put these files into {folder} by hand: {files_to_put_by_hand(name)}",
            NO_DOWNLOAD,
        )
    )


def _say(text: str) -> None:
    print(f"data: {text}", file=sys.stderr, flush=True)
