"""All runs below a root, read again only where a file has changed.

In: a root. Out: the overview (rows, problems), and folders by name. Rows are kept in memory and, for the next start,
in the run folders (see kept), where a job leaves its own.
"""

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from selfnorm.review.folders import Folder, find_folders, is_held
from selfnorm.review.kept import code_digest, kept_row, stamp_of


class Catalogue:
    """The runs below `root`, or the one in it, safe to ask from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: dict[str, Folder] = {}
        self._lock = threading.Lock()
        self._code = code_digest()
        self._kept: dict[str, dict[str, Any]] = {}

    def overview(self) -> dict[str, Any]:
        """`runs`, a row each with its state now and a version that changes with its files, and `problems`.

        Raises ValueError when the root is no folder.
        """
        with self._lock:
            folders = find_folders(self.root)
            self.folders = {f.name: f for f in folders if not f.problem}
            self._kept = {name: self._read(folder) for name, folder in self.folders.items()}
            runs, problems = [], []
            for folder in folders:
                if problem := folder.problem or self._kept[folder.name].get("problem"):
                    problems.append({"path": folder.name, "reason": problem})
                else:
                    runs.append(_now(self._kept[folder.name]["row"], folder))
        version = _digest([(row["id"], row["version"], row["state"]) for row in runs] + problems)
        return {"root": self.root.name or str(self.root), "version": version, "runs": runs, "problems": problems}

    def _read(self, folder: Folder) -> dict[str, Any]:
        kept = self._kept.get(folder.name)
        return kept if kept and kept["stamp"] == stamp_of(folder) else kept_row(folder, self._code)


def _now(row: dict[str, Any], folder: Folder) -> dict[str, Any]:
    """The row under its name below this root; what says `running` while no process holds its lock has crashed."""
    crashed = row["state"] == "running" and not is_held(folder.path)
    own = {"id": folder.name, "version": _digest(folder.stamp)}
    return row | own | {"state": "crashed" if crashed else row["state"]}


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]
