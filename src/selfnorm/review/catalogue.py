"""All runs below a root, read again only where a file has changed.

In: a root. Out: the overview (rows, problems), and folders by name. Rows are kept in memory and, for the next start,
in `<root>/.review.json`, where that can be written; both are thrown away when the code that computed them changes.
"""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from selfnorm.review.folders import Folder, find_folders, is_held

STORE = ".review.json"
_PACKAGE = Path(__file__).parents[1]


class Catalogue:
    """The runs below `root`, safe to ask from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: dict[str, Folder] = {}
        self._lock = threading.Lock()
        self._code = _fingerprint()
        self._kept: dict[str, dict[str, Any]] = _load(root / STORE, self._code)

    def overview(self) -> dict[str, Any]:
        """`runs`, a row each with its state now and a version that changes with its files, and `problems`.

        Raises ValueError when the root is no folder.
        """
        with self._lock:
            folders = find_folders(self.root)
            self.folders = {f.name: f for f in folders if not f.problem}
            runs, problems, fresh = [], [], {}
            for folder in folders:
                if not folder.problem:
                    fresh[folder.name] = self._read(folder)
                if problem := folder.problem or fresh[folder.name].get("problem"):
                    problems.append({"path": folder.name, "reason": problem})
                else:
                    runs.append(_now(fresh[folder.name]["row"], folder))
            if fresh != self._kept:
                self._kept = fresh
                _save(self.root / STORE, self._code, fresh)
        version = _digest([(row["id"], row["version"], row["state"]) for row in runs] + problems)
        return {"root": self.root.name or str(self.root), "version": version, "runs": runs, "problems": problems}

    def _read(self, folder: Folder) -> dict[str, Any]:
        """The row kept for these very files, else a new one; a run that cannot be read is kept with the reason."""
        stamp = [list(part) for part in folder.stamp]
        kept = self._kept.get(folder.name)
        if kept and kept["stamp"] == stamp:
            return kept
        from selfnorm.review.row import make_row  # pandas and scipy: not needed where nothing has changed

        try:
            return {"stamp": stamp, "row": make_row(folder)}
        except (ValueError, OSError) as error:
            return {"stamp": stamp, "problem": " ".join(str(error).split())}


def _now(row: dict[str, Any], folder: Folder) -> dict[str, Any]:
    """A run that says `running` while no process holds its lock has crashed."""
    crashed = row["state"] == "running" and not is_held(folder.path)
    return row | {"state": "crashed" if crashed else row["state"], "version": _digest(folder.stamp)}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]


def _fingerprint() -> str:
    """Of the code that makes a row: numbers of an older analysis must not be shown as today's."""
    files = sorted(p for room in ("analysis", "review") for p in (_PACKAGE / room).glob("*.py"))
    return _digest([(p.name, p.stat().st_mtime_ns, p.stat().st_size) for p in files])


def _load(path: Path, code: str) -> dict[str, dict[str, Any]]:
    try:
        stored = json.loads(path.read_text())
        rows: dict[str, dict[str, Any]] = stored["rows"] if stored["code"] == code else {}
        return {name: kept for name, kept in rows.items() if "stamp" in kept and ("row" in kept or "problem" in kept)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _save(path: Path, code: str, rows: dict[str, dict[str, Any]]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps({"code": code, "rows": rows}))
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)  # a folder of someone else's: read anew at the next start
