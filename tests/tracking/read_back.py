"""Read the contents of an offline W&B run by W&B's own terminal program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]


class Piece(NamedTuple):
    """Rows of recorded steps, the rows with pictures (a finished run has one), settings, summary, exit code, metrics.

    metrics: names, or beginnings of names with a star -> options.
    """

    rows: list[Row]
    pictures: list[Row]
    settings: Row
    summary: Row
    exit_code: int | None  # None: the run was killed
    metrics: dict[str, Row]


def pieces(folder: Path) -> list[Path]:
    """The W&B folders of a run, oldest first."""
    return sorted((folder / "wandb").glob("*run-2*"), key=lambda piece: piece.name.removeprefix("offline-"))


def read_back(piece: Path) -> Piece:
    command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json", piece]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    of = {
        kind: [r[kind] for r in records if r["type"] == kind]
        for kind in ("history", "run", "summary", "exit", "metric")
    }
    rows = [record["item"] for record in of["history"]]
    summary: Row = {}
    for record in of["summary"]:
        summary |= record.get("update") or {}
    return Piece(
        rows=[row for row in rows if "train/loss_n" in row],
        pictures=[row for row in rows if "train/loss_n" not in row],
        settings=of["run"][0]["config"]["update"],
        summary=summary,
        exit_code=of["exit"][0]["exit_code"] if of["exit"] else None,
        metrics={
            one.get("glob_name") or one["name"]: one["options"] | {"step": one.get("step_metric")}
            for one in of["metric"]
        },
    )


def read_one(folder: Path) -> Piece:
    """Read the folder's one piece with rows; an online start that failed leaves one without."""
    (found,) = [piece for piece in map(read_back, pieces(folder)) if piece.rows]
    return found
