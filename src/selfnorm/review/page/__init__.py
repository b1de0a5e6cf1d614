"""The page's own files: HTML, style, scripts in the order in which they are loaded, and plotly's bundle.

In: nothing. Out: the text of each, as the server sends it and the export puts it into one file.
"""

from functools import lru_cache
from importlib import resources

SCRIPTS = tuple(f"{name}.js" for name in ("dom", "data", "charts", "overview", "figure", "moments", "run", "main"))
PLOTLY, STYLE = "plotly.min.js", "review.css"
MEDIA_TYPES = dict.fromkeys((PLOTLY, *SCRIPTS), "text/javascript") | {STYLE: "text/css"}  # of the files that are served
SLOT = "<!-- scripts -->"  # in index.html


@lru_cache
def page_text(name: str) -> str:
    """The text of a file of the page. plotly.js is the one that the package plotly bundles: no network is needed."""
    folder = resources.files("plotly") / "package_data" if name == PLOTLY else resources.files(__package__)
    return (folder / name).read_text(encoding="utf-8")


def page_html() -> str:
    """index.html with its style and scripts as files of the server."""
    tags = "\n".join(f'<script src="/page/{name}" defer></script>' for name in (PLOTLY, *SCRIPTS))
    return page_text("index.html").replace(SLOT, f'<link rel="stylesheet" href="/page/{STYLE}">\n{tags}')
