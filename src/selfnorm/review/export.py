"""The page and all its documents as one HTML file that needs no server and no network.

In: a Catalogue. Out: HTML. Documents and plotly are gzip in base64, whose letters cannot end a script element; a
policy in the file allows exactly its own scripts, by their hashes, and no request at all.
"""

import base64
import gzip
import hashlib
from typing import Any

from selfnorm.review.catalogue import Catalogue
from selfnorm.review.documents import to_json
from selfnorm.review.group import make_group
from selfnorm.review.page import SCRIPTS, SLOT, STYLE, page_text, plotly_script
from selfnorm.review.reading import readable
from selfnorm.review.run import make_run

MOST_VALUES = 1_000_000  # of moments in the whole file: about 4 MB
_PATHS = ("data_dir", "runs_dir")  # of the machine: nothing that a reader of the file can use


def export_html(catalogue: Catalogue, tags: tuple[str, ...] = ()) -> str:
    """The file's text, with the runs of `tags` only, if given.

    Raises ValueError when there is no run to show.
    """
    overview = catalogue.overview()
    rows = [row for row in overview["runs"] if not tags or row["tag"] in tags]
    if not rows:
        there = ", ".join(sorted({row["tag"] for row in overview["runs"]})) or "none"
        raise ValueError(f"no run to export; tags there: {there}")
    documents: dict[str, Any] = {"overview": overview | {"runs": rows, "live": False}}
    most_values = min(60_000, MOST_VALUES // len(rows))
    for row in rows:
        try:
            documents[f"run:{row['id']}"] = _without_paths(make_run(catalogue.folders[row["id"]], most_values))
        except (ValueError, OSError) as error:
            documents[f"run:{row['id']}"] = {"problem": str(error)}
    for tag in {row["tag"] for row in rows}:
        documents[f"group:{tag}"] = make_group(readable([catalogue.folders[r["id"]] for r in rows if r["tag"] == tag]))
    return _assemble(documents)


def _without_paths(document: dict[str, Any]) -> dict[str, Any]:
    config = {key: value for key, value in document["config"].items() if key not in _PATHS}
    environment = {key: value for key, value in document["environment"].items() if key != "command"}
    return document | {"config": config, "environment": environment}


def _assemble(documents: dict[str, Any]) -> str:
    own = "\n".join(page_text(name) for name in SCRIPTS)
    plotly = plotly_script()
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in (own, plotly))
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    packed = [("plotly", plotly.encode()), *((name, to_json(document)) for name, document in documents.items())]
    # By number: names of runs and tags stay inside the compressed index
    index = {name: f"d{number}" for number, (name, _) in enumerate(packed)}
    blocks = [("index", to_json(index)), *((index[name], content) for name, content in packed)]
    parts = [
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        f"<style>\n{page_text(STYLE)}</style>",
    ]
    body = [f'<script type="text/plain" id="{key}">{_pack(content)}</script>' for key, content in blocks]
    html = page_text("index.html").replace(SLOT, "\n".join(parts))
    return html.replace("</body>", "\n".join([*body, f"<script>{own}</script>", "</body>"]))


def _pack(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode()


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
