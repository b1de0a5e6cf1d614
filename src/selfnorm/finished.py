"""Whether a run folder holds a run that was trained to its end, and all of it.

In: a run folder. Out: yes or no, or the reason why not. Reads the ends of its tables alone, and imports nothing heavy.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TABLES = ("curves.csv", "moments.csv")
NEEDED = (*TABLES, "network.safetensors", "summary.json")
TAIL = 1 << 16  # bytes; a row of moments.csv has about 300


def read_summary(folder: Path) -> dict[str, Any]:
    """What summary.json holds; nothing where it is missing, damaged or no file at all (who reads a pipe waits)."""
    path = folder / "summary.json"
    try:
        found = json.loads(path.read_bytes()) if path.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def says_finished(folder: Path) -> bool:
    return bool(read_summary(folder).get("state") == "finished")


def is_whole(folder: Path) -> bool:
    """Whether the folder says that its run was trained to the end, and holds what it then must hold."""
    summary = read_summary(folder)
    if summary.get("state") != "finished" or not all((folder / name).is_file() for name in NEEDED):
        return False
    try:
        for name in TABLES:
            check_reaches_the_end(folder / name, summary)
    except (ValueError, OSError):
        return False
    return True


def check_reaches_the_end(path: Path, summary: Mapping[str, Any]) -> None:
    """Raises ValueError for a table of a finished run that lacks its last rows, as a copy that was cut off does."""
    steps = summary.get("steps")
    if summary.get("state") != "finished" or steps is None:
        return
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        *lines, rest = file.read().split(b"\n")
    last = lines[-1].split(b",", 1)[0].decode(errors="replace") if lines else "nothing"
    if last != str(steps):
        raise ValueError(f"{path.name} ends at step {last} of {steps}: copy it whole, or run it again")
    if rest:
        raise ValueError(f"{path.name} ends in the middle of a line: copy it whole, or run it again")
