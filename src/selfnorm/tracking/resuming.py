"""The pieces of a W&B run in a run folder that is resumed: which steps they hold, and which of them to delete.

In: the run folder and the W&B id. Out: the last step that W&B has.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

from selfnorm.runs.layout import WANDB

READ_SECONDS = 60.0


def delete_stale_pieces(folder: Path, run_id: str) -> int:
    """Delete earlier pieces that were never uploaded: the new piece is filled again from the tidy files.

    Returns the last step of the rows that the other pieces hold; -1 if there is none.
    """
    last, place = -1, folder / WANDB
    for piece in place.iterdir() if place.is_dir() else ():  # run_id goes into no pattern: it may be edited
        if "run-" not in piece.name or not piece.name.endswith(f"-{run_id}") or piece.is_symlink():
            continue
        steps = steps_of(piece) if any(piece.glob("*.sync*")) else None
        if steps:
            last = max(last, *steps)
        else:  # a killed process may leave one that cannot be read, and would keep `wandb sync` from the others
            shutil.rmtree(piece, ignore_errors=True)
    return last


def steps_of(piece: Path) -> list[int] | None:
    """The steps in a piece, read by W&B's own program, which accepts a piece whose end was lost; None on failure."""
    from wandb.util import get_core_path  # `python -m wandb leet` calls the same, after seconds of imports

    place = piece.resolve().parent
    try:  # in the run folder, since it writes a log beneath the folder it runs in
        (file,) = piece.resolve().glob("*.wandb")
        command = [
            get_core_path(),
            "leet",
            "inspect",
            "--no-observability",
            "--json",
            "--run-file",
            str(file),
            str(place),
        ]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=READ_SECONDS, cwd=place.parent)
        records = [json.loads(line) for line in done.stdout.splitlines()]
        return [int(record["history"]["item"]["step"]) for record in records if record["type"] == "history"]
    except Exception:  # what is not documented may change with W&B's version
        return None
