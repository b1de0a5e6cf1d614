"""The files of a run folder: written whole or not at all, or appended row by row and cut back on resume."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
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


def write_atomically(path: Path, text: str) -> None:
    """Replace a file by new contents; a reader sees the old or the new, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(value, indent=2) + "\n")


class Table:
    """A tidy CSV that grows; the first column is the optimizer step.

    A crash may leave rows after the last checkpoint, and half a row: `cut_back` drops both before a run goes on.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, tuple(columns)

    def cut_back(self, step: int) -> None:
        """Keep the rows before `step` (0: none) under a fresh header."""
        kept = []
        if step and self.path.exists():
            rows = [row for row in self.path.read_text().splitlines(keepends=True)[1:] if row.endswith("\n")]
            kept = [row for row in rows if int(row.split(",", 1)[0]) < step]
        write_atomically(self.path, ",".join(self.columns) + "\n" + "".join(kept))

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows in one write; numbers are written so that they read back exactly."""
        text = io.StringIO()
        csv.DictWriter(text, self.columns, lineterminator="\n").writerows(rows)
        with self.path.open("a") as file:
            file.write(text.getvalue())
