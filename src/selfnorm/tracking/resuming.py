"""What a run that goes on has to know: the rows in its tidy files, and how far the pieces of its W&B run already go.

In: the run folder. Out: recorded steps in order; the last step that W&B has.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

READ_SECONDS = 60.0
WHOLE, TEXT = ("step", "epoch", "seed", "layer"), ("split",)

Row = dict[str, Any]


class Record(NamedTuple):
    """One recorded step: where, and its rows of curves.csv and moments.csv."""

    at: dict[str, int]
    curves: list[Row]
    moments: list[Row]


def recorded(folder: Path) -> Iterator[Record]:
    moments = dict(_by_step(folder / "moments.csv"))
    for step, curves in _by_step(folder / "curves.csv"):
        yield Record({"step": step, "epoch": curves[0]["epoch"]}, curves, moments.get(step, []))


def _by_step(path: Path) -> Iterator[tuple[int, list[Row]]]:
    if path.exists():
        with path.open(newline="") as file:
            for step, rows in groupby(map(_typed, csv.DictReader(file)), key=lambda row: int(row["step"])):
                yield step, list(rows)


def _typed(row: dict[str, str]) -> Row:
    return {name: text if name in TEXT else int(text) if name in WHOLE else float(text) for name, text in row.items()}


def make_way(folder: Path, run_id: str) -> int:
    """Remove the pieces that a new one, filled from the tidy files, stands for: those of which nothing was uploaded.

    Returns the last step of the rows that the other pieces hold; -1 if there is none.
    """
    last = -1
    for piece in _pieces(folder / "wandb", run_id):
        steps = _steps(piece) if any(piece.glob("*.sync*")) else []
        if steps:
            last = max(last, *steps)
        else:  # a killed process may leave one that cannot be read, and would keep `wandb sync` from the others
            shutil.rmtree(piece, ignore_errors=True)
    return last


def _pieces(place: Path, run_id: str) -> list[Path]:
    """Folders of W&B's in `place` itself, by their whole names: what is in run_id must not lead to another place."""
    there = place.iterdir() if place.is_dir() else ()
    return [
        p for p in there if "run-" in p.name and p.name.endswith(f"-{run_id}") and p.is_dir() and not p.is_symlink()
    ]


def _steps(piece: Path) -> list[int]:
    """Read by W&B's own program, which also takes a piece whose end was lost; none if it cannot be read."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(piece.resolve())]
    try:  # in the run folder, since it writes a log beneath the folder it runs in
        done = subprocess.run(command, capture_output=True, text=True, timeout=READ_SECONDS, cwd=piece.parents[1])
        records = [json.loads(line) for line in done.stdout.splitlines()]
        return [int(record["history"]["item"]["step"]) for record in records if record["type"] == "history"]
    except (OSError, ValueError, KeyError, subprocess.SubprocessError):
        return []
