"""All runs below a root as rows, read again only where a file has changed.

In: a root. Out: the overview (rows and problems), and the documents of a run and of a tag as JSON text. A row is kept
in memory and, for the next start, beside the run's files in `.row.json`. pandas, scipy and matplotlib are imported
only to make a row or a document: a second that a list of kept rows does not wait for.
"""

import hashlib
import json
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from selfnorm.commandline import one_line
from selfnorm.review.names import told_apart, varying
from selfnorm.runs.files import read_file, write_atomically
from selfnorm.runs.finding import Folder, Stamp, find_folders
from selfnorm.runs.layout import CRASHED, ROW
from selfnorm.runs.state import has_crashed

_PACKAGE = Path(__file__).parents[1]
Entry = dict[str, Any]  # `row`, or `problem` for a run that cannot be read


class UnknownName(KeyError):
    """A run or a tag that is not below the root."""


class Catalogue:
    """The runs below `root`, or the one in it, safe to ask from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folders: dict[str, Folder] = {}
        self._lock = threading.Lock()
        self._code = code_digest()
        self._entries: dict[str, tuple[Stamp | None, Entry]] = {}

    def overview(self) -> dict[str, Any]:
        """Return `runs`, a row each with its state now and a version that changes with its files, and `problems`.

        `shared` has the settings that are the same in all runs; a row has the others.

        Raises ValueError when the root is not a folder.
        """
        with self._lock:
            folders = find_folders(self.root)
            self.folders = {f.name: f for f in folders if not f.problem}
            self._entries = {name: self._entry(folder) for name, folder in self.folders.items()}
            runs, problems = [], []
            for folder in folders:
                entry: Entry = {"problem": folder.problem} if folder.problem else self._entries[folder.name][1]
                if "problem" in entry:
                    problems.append({"path": folder.name, "reason": entry["problem"]})
                else:
                    state = CRASHED if has_crashed(folder.path, entry["row"]["state"]) else entry["row"]["state"]
                    runs.append(entry["row"] | {"id": folder.name, "version": _digest(folder.stamp), "state": state})
        differ = varying(runs)
        shared = {key: value for row in runs[:1] for key, value in row["settings"].items() if key not in differ}
        for row, name in zip(runs, told_apart(runs), strict=True):
            own = {key: value for key, value in row["settings"].items() if key in differ}
            row |= {"name": name, "settings": own}
        version = _digest([(row["id"], row["version"], row["state"]) for row in runs] + problems)
        root = self.root.name or str(self.root)
        return {"root": root, "version": version, "runs": runs, "shared": shared, "problems": problems}

    def folder(self, name: str) -> Folder:
        """Return the folder of a run; one that is not known yet is looked for again. Raises UnknownName."""
        if name not in self.folders:
            self.overview()
        if name not in self.folders:
            raise UnknownName(name)
        return self.folders[name]

    def run(self, name: str) -> bytes:
        """Return the document of a run. Raises UnknownName."""
        return _run_json(self.folder(name))

    def group(self, tag: str) -> bytes:
        """Return the document of the runs with a tag. Raises UnknownName."""
        folders = tuple(self.folders[row["id"]] for row in self.overview()["runs"] if row["tag"] == tag)
        if not folders:
            raise UnknownName(tag)
        return _group_json(folders)

    def _entry(self, folder: Folder) -> tuple[Stamp | None, Entry]:
        stamp, entry = self._entries.get(folder.name, (None, {}))
        return (stamp, entry) if stamp == folder.stamp else _read_or_make(folder, self._code)


def _read_or_make(folder: Folder, code: str) -> tuple[Stamp | None, Entry]:
    """Return the entry of a run and the stamp of the files that it was made from.

    The one in `.row.json` counts if its digest is that of itself, of this code and of the folder's stamp, which was
    taken before the files are read: no edit and no damage is missed.
    """
    path = folder.path / ROW
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        entry = json.loads(read_file(path))
        if entry.pop("digest") == _digest([code, folder.stamp, entry]):
            return folder.stamp, entry
    from selfnorm.review.row import make_row

    try:
        entry = {"row": make_row(folder)}
    except ValueError as error:
        entry = {"problem": one_line(error)}
    except OSError as error:  # it may be transient: the next look tries again
        return None, {"problem": one_line(error)}
    with suppress(OSError):  # in a folder of another user or on a full disk, the next start makes the row again
        write_atomically(path, json.dumps({"digest": _digest([code, folder.stamp, entry])} | entry))
    return folder.stamp, entry


def code_digest() -> str:
    """Return a digest of the code that makes a row: numbers of an older analysis must not be shown as today's."""
    patterns = ("analysis/*.py", "review/*.py", "runs/*.py", "*.py")
    files = sorted(path for pattern in patterns for path in _PACKAGE.glob(pattern))
    # By contents, not by time: a run may have been trained on another machine
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:12]


@lru_cache(maxsize=48)
def _run_json(folder: Folder) -> bytes:  # a changed file changes the folder's stamp
    from selfnorm.review.run import make_run

    return to_json(make_run(folder))


@lru_cache(maxsize=16)
def _group_json(folders: tuple[Folder, ...]) -> bytes:
    from selfnorm.review.group import make_group

    return to_json(make_group(folders))


def to_json(document: Any) -> bytes:
    """Return compact JSON. Raises ValueError for NaN, which JSON does not have."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]
