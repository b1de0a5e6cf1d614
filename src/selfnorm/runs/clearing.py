"""Emptying a run folder that is trained again: the old run is moved aside whole, then deleted."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from selfnorm.runs.files import Unreadable
from selfnorm.runs.layout import CHECKPOINT, LOCK, REPLACED, SHARDS, SUMMARY
from selfnorm.runs.state import claim


def clear(folder: Path) -> None:
    """Empty a run folder but for its lock, which the caller holds. Raises Unreadable, and then nothing has changed."""
    for lock in folder.glob(f"{SHARDS}/**/{LOCK}"):
        with claim(lock.parent, wait=True):  # a shard may still be writing after its parent died
            pass
    aside = folder / REPLACED
    moved: list[Path] = []
    try:
        remove(aside)  # of a process that was killed here
        aside.mkdir()
        for path in sorted(folder.iterdir(), key=_order):
            if path.name not in (LOCK, REPLACED):
                with suppress(FileNotFoundError):  # a reader may have moved its row
                    path.rename(aside / path.name)
                    moved.append(path)
    except OSError as error:
        for path in moved:
            (aside / path.name).rename(path)
        with suppress(OSError):
            aside.rmdir()
        reason = str(error.strerror).lower()
        raise Unreadable(f"{error.filename} cannot be removed ({reason}): the old run is left as it was") from None
    remove(aside)


def remove(path: Path) -> None:
    """Remove a folder with all in it, as far as that is possible; a link is removed as a link."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _order(path: Path) -> int:
    """The summary first: whatever is left when this is cut off no longer counts as finished and is not resumed."""
    return {SUMMARY: 0, CHECKPOINT: 1}.get(path.name, 2)
