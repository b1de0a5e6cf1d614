"""The files of a run folder: written whole or not at all, or appended row by row and cut back on resume."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CURVES = ("step", "epoch", "seed", "split", "loss", "accuracy")
MOMENTS = (
    "step",
    "epoch",
    "seed",
    "layer",
    "preactivation_mean",
    "preactivation_variance",
    "preactivation_unit_mean_sd",
    "preactivation_unit_variance_sd",
    "activation_mean",
    "activation_variance",
    "activation_unit_mean_sd",
    "activation_unit_variance_sd",
    "saturated",
    "gradient_second_moment",
)
LEARNED = ("alpha", "lambda")  # beside the moments, where a SELU's constants are trained


def write_atomically(path: Path, content: str | bytes | memoryview) -> None:
    """Replace a file by new contents; a reader sees the old or the new, never a part."""
    part = path.with_name(f".{path.name}.part")  # one writer holds the folder's lock, so one name is enough
    with _named_in_errors(path):
        try:
            part.write_bytes(content.encode() if isinstance(content, str) else content)
            os.replace(part, path)
        except OSError:
            part.unlink(missing_ok=True)  # on a full disk every byte counts
            raise


@contextmanager
def _named_in_errors(path: Path) -> Iterator[None]:
    """The system's own error of a write names no file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(value, indent=2) + "\n")


def rows_before(path: Path, step: float) -> bytes:
    """The whole rows of a table that were written before `step`, and whatever else is in it that is no row."""
    if not path.exists():
        return b""
    lines = [line for line in path.read_bytes().splitlines(keepends=True)[1:] if line.endswith(b"\n")]
    numbers = [line.split(b",", 1)[0] for line in lines]
    return b"".join(
        line for line, number in zip(lines, numbers, strict=True) if not number.isdigit() or int(number) < step
    )


def table_digest(path: Path, step: float) -> str:
    """SHA-256 of `rows_before`: what a checkpoint remembers of the rows that it goes on from."""
    return hashlib.sha256(rows_before(path, step)).hexdigest()


class Table:
    """A tidy CSV that grows; the first column is the optimizer step.

    A crash may leave rows after the last checkpoint, and half a row: `cut_back` drops both before a run goes on.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, tuple(columns)

    def cut_back(self, step: int) -> None:
        """Keep the rows before `step` (0: none) under a fresh header."""
        header = ",".join(self.columns) + "\n"
        write_atomically(self.path, header.encode() + (rows_before(self.path, step) if step else b""))

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows in one write; numbers are written so that they read back exactly."""
        text = io.StringIO()
        csv.DictWriter(text, self.columns, lineterminator="\n").writerows(rows)
        with _named_in_errors(self.path), self.path.open("a") as file:
            file.write(text.getvalue())
