"""The files of a run folder, read and written.

Read: a regular file of bounded size, or an error in words. A link is not followed, and a pipe or a device is not waited
for. A file that is missing and one that cannot be read are two errors: only the first may be made anew.
Written: replaced whole or not at all, or appended row by row and cut back on resume.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

TABLE_BYTES, DOCUMENT_BYTES = 1 << 32, 1 << 24  # the longest table here has 60 MB, the longest document 100 kB


class Unreadable(OSError):
    """A file is there and cannot be read. The message names it and the reason."""


@contextmanager
def open_file(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to read it. Raises FileNotFoundError if it is missing, Unreadable for anything else."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise Unreadable(f"{path} is not a regular file")
            yield opened
    except (FileNotFoundError, Unreadable):
        raise
    except OSError as error:
        reason = "it is a link" if path.is_symlink() else str(error.strerror).lower()
        raise Unreadable(f"{path} cannot be read ({reason})") from error


def read_file(path: Path) -> bytes:
    """The contents of a file; raises as `open_file`, and for one that is larger than any that a run writes."""
    with open_file(path) as opened:
        _check_size(path, opened)
        return opened.read()


def file_digest(path: Path) -> str:
    """SHA-256 of a file; raises as `open_file`, and for a table that is larger than any that a run writes."""
    with open_file(path) as opened:
        if path.suffix == ".csv":
            _check_size(path, opened)  # hours may go into the zeros of a file that takes no room on the disk
        return hashlib.file_digest(opened, "sha256").hexdigest()  # type: ignore[arg-type]  # a BinaryIO is one


def _check_size(path: Path, opened: BinaryIO) -> None:
    most = TABLE_BYTES if path.suffix == ".csv" else DOCUMENT_BYTES
    if (size := os.fstat(opened.fileno()).st_size) > most:
        raise Unreadable(f"{path} has {size} bytes, and a run's has {most} at most")


def write_atomically(path: Path, content: str | bytes | memoryview) -> None:
    """Replace a file by new contents: a reader sees the old file or the new one, never half of it.

    Raises OSError naming the file, also for a pipe or a device in its place, which must not be replaced.
    """
    partial = path.with_name(f".{path.name.removeprefix('.')}.part")
    with _named_in_errors(path):
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode):
                raise OSError(errno.EINVAL, "Not a regular file")
        try:
            with suppress(FileNotFoundError):
                os.unlink(partial)  # a killed process left it, or it is a link that must not be followed
            with partial.open("xb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
            os.replace(partial, path)
        except OSError:
            with suppress(OSError):
                partial.unlink(missing_ok=True)  # on a full disk every byte counts
            raise


@contextmanager
def _named_in_errors(path: Path) -> Iterator[None]:
    """Add the file's name to the error that the system raises from a write."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(value, indent=2) + "\n")


def rows_before(path: Path, step: float) -> bytes:
    """The whole lines of a table that were written before `step`, and those that do not begin with a step."""
    try:
        content = read_file(path)
    except FileNotFoundError:
        return b""
    lines = [line for line in content.splitlines(keepends=True)[1:] if line.endswith(b"\n")]
    return b"".join(line for line in lines if not (number := line.split(b",")[0]).isdigit() or int(number) < step)


def table_digest(path: Path, step: float) -> str:
    """SHA-256 of `rows_before`: a checkpoint stores it to recognize the rows that it goes on from."""
    return hashlib.sha256(rows_before(path, step)).hexdigest()


class Table:
    """A tidy CSV that grows; the first column is the optimizer step.

    A crash may leave rows after the last checkpoint, and half a row: `cut_back` drops both before a run goes on.
    """

    def __init__(self, path: Path, columns: Iterable[str]) -> None:
        self.path, self.columns = path, tuple(columns)

    def cut_back(self, step: int) -> None:
        """Keep the rows before `step` (0: none) under a fresh header."""
        header = ",".join(self.columns) + "\n"
        write_atomically(self.path, header.encode() + (rows_before(self.path, step) if step else b""))

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows in one write; numbers are written so that they read back exactly."""
        text = io.StringIO()
        csv.DictWriter(text, self.columns, lineterminator="\n").writerows(rows)
        with _named_in_errors(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(text.getvalue())
