"""A run's row kept beside the run's files, so that a list need not read every curve again.

In: a Folder. Out: its row, or why there is none: from `.row.json`, if that was made of these very files by this very
code, else made anew and left there, where that can be written. Imports pandas and scipy only to make one.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from selfnorm.commandline import one_line
from selfnorm.review.folders import Folder, read_no_link

KEPT = ".row.json"
_PACKAGE = Path(__file__).parents[1]
_TEXTS = ("dataset", "network", "tag", "scale", "activation", "normalization", "dataset_title", "state", "reason")
_COUNTS = ("depth", "n", "diverged", "changed", "error_n")
_NUMBERS = ("seconds", "step", "error", "error_sd")  # or None
LARGEST = 1e300  # what is above, or is not finite, no list can show


def kept_row(folder: Folder, code: str) -> dict[str, Any]:
    """`row`, or `problem` for a run that cannot be read, with the `stamp` and the `code` that it was made of.

    code: a `code_digest`.
    """
    made_of: dict[str, Any] = {"code": code, "stamp": stamp_of(folder)}
    kept = _load(folder.path / KEPT)
    if made_of.items() <= kept.items() and (isinstance(kept.get("problem"), str) or _is_row(kept.get("row"))):
        return kept
    from selfnorm.review.row import make_row

    try:
        made = made_of | {"row": make_row(folder)}
    except ValueError as error:
        made = made_of | {"problem": one_line(error)}
    except OSError as error:  # it may be over at the next look, with no file changed
        return {"stamp": None, "problem": one_line(error)}
    _save(folder.path / KEPT, made)
    return made


def stamp_of(folder: Folder) -> list[list[Any]]:
    """The folder's stamp, taken before its files are read, as JSON gives it back: a later edit is never missed."""
    return [list(part) for part in folder.stamp]


def code_digest() -> str:
    """Of the code that makes a row: numbers of an older analysis must not be shown as today's."""
    files = sorted(path for pattern in ("analysis/*.py", "review/*.py", "*.py") for path in _PACKAGE.glob(pattern))
    # Of what is in them, since a run may have been trained on another machine
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:12]


def _load(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(read_no_link(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _is_row(row: Any) -> bool:
    """Whether what was kept can be shown: the file may be damaged, or not of our making."""
    if not isinstance(row, dict) or not {*_TEXTS, *_COUNTS, *_NUMBERS, "files"} <= row.keys():
        return False
    return all(_fits(name, value) for name, value in row.items())


def _fits(name: str, value: Any) -> bool:
    if name in (*_TEXTS, "note"):
        return isinstance(value, str)
    if name == "files":
        return isinstance(value, list) and all(isinstance(file, str) for file in value)
    if value is None:
        return name not in _COUNTS
    kinds = int if name in _COUNTS else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and abs(value) < LARGEST


def _save(path: Path, made: dict[str, Any]) -> None:
    part = path.with_name(f"{path.name}.part")
    with suppress(OSError):  # a folder of someone else's, a full disk: made anew at the next start
        part.unlink(missing_ok=True)  # of a process that was killed; two that write at once write the same
        try:
            with part.open("x") as file:  # through no link that lies there
                json.dump(made, file)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
