"""The page and all its documents as one HTML file that needs no server and no network.

In: a Catalogue. Out: HTML. Documents and plotly are gzip in base64, whose letters cannot end a script element; a
policy in the file allows exactly its own scripts, by their hashes, and no request at all.
"""

import base64
import gzip
import hashlib
from typing import Any

from selfnorm.review.catalogue import Catalogue, to_json
from selfnorm.review.page import PLOTLY, SCRIPTS, SLOT, STYLE, page_text
from selfnorm.review.run import make_run

MOST_VALUES = 1_000_000  # of moments in the whole file: about 4 MB
_PATHS = {"config": ("data_dir", "runs_dir"), "environment": ("command",)}  # of the machine: no use to a reader


def export_html(catalogue: Catalogue, tags: tuple[str, ...] = ()) -> str:
    """Return the file's text, with the runs of `tags` alone if there are any. Raises ValueError without a run."""
    overview = catalogue.overview()
    rows = [row for row in overview["runs"] if not tags or row["tag"] in tags]
    if not rows:
        known = ", ".join(sorted({row["tag"] for row in overview["runs"]})) or "none"
        raise ValueError(f"no run to export; tags: {known}")
    documents = {"plotly": page_text(PLOTLY).encode(), "overview": to_json(overview | {"runs": rows, "live": False})}
    for row in rows:
        run = make_run(catalogue.folders[row["id"]], most_values=min(60_000, MOST_VALUES // len(rows)))
        documents[f"run:{row['id']}"] = to_json(_without_paths(run))
    for tag in sorted({row["tag"] for row in rows}):
        documents[f"group:{tag}"] = catalogue.group(tag)
    return _assemble(documents)


def _without_paths(document: dict[str, Any]) -> dict[str, Any]:
    for part, keys in _PATHS.items():
        for key in keys:
            document.get(part, {}).pop(key, None)
    return document


def _assemble(documents: dict[str, bytes]) -> str:
    own = "\n".join(page_text(name) for name in SCRIPTS)
    hashes = " ".join(f"'sha256-{_sha256(script)}'" for script in (own, page_text(PLOTLY)))
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    # Blocks have numbers, so that names of runs and tags stay inside the compressed index
    index = {name: f"d{number}" for number, name in enumerate(documents)}
    blocks = {"index": to_json(index)} | {index[name]: content for name, content in documents.items()}
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<style>\n{page_text(STYLE)}</style>'
    body = [f'<script type="text/plain" id="{key}">{_pack(content)}</script>' for key, content in blocks.items()]
    html = page_text("index.html").replace(SLOT, head)
    return html.replace("</body>", "\n".join([*body, f"<script>{own}</script>", "</body>"]))


def _pack(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode()


def _sha256(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
