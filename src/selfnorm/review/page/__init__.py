"""The page's own files: HTML, style, scripts in the order in which they are loaded, and plotly's bundle.

In: nothing. Out: the text of each, as the server sends it and the export puts it into one file.
"""

from functools import lru_cache
from importlib import resources
from typing import NamedTuple

_PARTS = ("dom", "data", "charts", "overview", "figure", "moments", "run", "compare", "main")
SCRIPTS = tuple(f"{part}.js" for part in _PARTS)
PLOTLY = "plotly.min.js"
STYLE = "review.css"
SLOT = "<!-- scripts -->"  # in index.html


class PageFile(NamedTuple):
    content: bytes
    media_type: str


@lru_cache(maxsize=1)
def plotly_script() -> str:
    """plotly.js as the package plotly bundles it: no network is needed."""
    return (resources.files("plotly") / "package_data" / PLOTLY).read_text("utf-8")


def page_text(name: str) -> str:
    return (resources.files(__package__) / name).read_text("utf-8")


def page_file(name: str) -> PageFile | None:
    """A file of the page by name, None for any other."""
    if name == PLOTLY:
        return PageFile(plotly_script().encode(), "text/javascript")
    if name in SCRIPTS:
        return PageFile(page_text(name).encode(), "text/javascript")
    return PageFile(page_text(name).encode(), "text/css") if name == STYLE else None


def page_html() -> str:
    """index.html with its style and scripts as files of the server."""
    tags = "\n".join(f'<script src="/page/{name}" defer></script>' for name in (PLOTLY, *SCRIPTS))
    style = f'<link rel="stylesheet" href="/page/{STYLE}">'
    return page_text("index.html").replace(SLOT, f"{style}\n{tags}")
