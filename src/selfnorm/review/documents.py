"""The documents of the page as JSON text: overview, one per tag, one per run; made again only when a file changed.

In: a Catalogue. Out: bytes of JSON. A document is asked for by a name that the catalogue knows, never by a path.
"""

import json
import threading
from collections.abc import Callable
from typing import Any

from selfnorm.review.catalogue import Catalogue
from selfnorm.review.folders import Folder

MOST_KEPT = 64  # documents in memory


def to_json(document: Any) -> bytes:
    """Compact JSON; NaN, which is none, would be a fault of ours."""
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


class Documents:
    """What the page asks for, by name; safe to ask from several threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._kept: dict[tuple[str, str], tuple[Any, bytes]] = {}
        self._lock = threading.Lock()

    def overview(self) -> dict[str, Any]:
        return self.catalogue.overview()

    def run(self, name: str) -> bytes:
        """Raises KeyError for a run that is not there."""
        from selfnorm.review.run import make_run  # pandas, scipy, matplotlib: a second that the list does not wait for

        folder = self._folder(name)
        return self._made("run", name, folder.stamp, lambda: _or_reason(lambda: make_run(folder)))

    def group(self, tag: str) -> bytes:
        """Raises KeyError for a tag that no run has."""
        from selfnorm.review.group import make_group
        from selfnorm.review.reading import readable

        rows = [row for row in self.overview()["runs"] if row["tag"] == tag]
        if not rows:
            raise KeyError(tag)
        folders = [self.catalogue.folders[row["id"]] for row in rows]
        return self._made("group", tag, [f.stamp for f in folders], lambda: make_group(readable(folders)))

    def _folder(self, name: str) -> Folder:
        if name not in self.catalogue.folders:
            self.catalogue.overview()
        return self.catalogue.folders[name]

    def _made(self, kind: str, name: str, stamp: Any, make: Callable[[], dict[str, Any]]) -> bytes:
        with self._lock:
            kept = self._kept.get((kind, name))
            if kept is None or kept[0] != stamp:
                kept = (stamp, to_json(make()))
                if len(self._kept) >= MOST_KEPT:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[(kind, name)] = kept
            return kept[1]


def _or_reason(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return make()
    except (ValueError, OSError) as error:
        return {"problem": " ".join(str(error).split())}
