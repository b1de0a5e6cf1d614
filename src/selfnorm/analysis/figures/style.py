"""The look the pictures share, and saving them so that the same table gives the same bytes.

In: a matplotlib figure. Out: PDF, PNG and SVG files without dates or random identifiers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

FORMATS = ("pdf", "png", "svg")
# RdBu at its ends: red SNN and blue BN stay apart for colour-blind readers; darker means deeper.
_SHADES = {"SNN": (0.25, 0.13, 0.02), "BN": (0.77, 0.88, 0.98)}
LINES: tuple[str | tuple[int, tuple[float, ...]], ...] = (
    "solid",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (5, 1.5, 1, 1.5)),
)
MARKERS = {"SNN": "o", "BN": "s"}

_STYLE: Any = {
    "font.family": "DejaVu Sans",  # ships with matplotlib: the same on every machine
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "svg.hashsalt": "selfnorm",  # else every SVG has identifiers of its own
    "svg.fonttype": "path",  # the same look where DejaVu is not installed
    "pdf.fonttype": 42,
    "figure.dpi": 100.0,
    "savefig.dpi": 200.0,
    "path.simplify": True,
}


@contextmanager
def house_style() -> Iterator[None]:
    """matplotlib's defaults and the style above, whatever the user's own matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure on the Agg canvas (no window system), sizes in inches; call within house_style."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write `name` as PDF, PNG and SVG; equal figures give equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the layout is found now: else each format finds it again, slowly
    dateless = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}
    paths = []
    for kind in FORMATS:
        path = folder / f"{name}.{kind}"
        figure.savefig(path, format=kind, metadata=dateless[kind])
        paths.append(path)
    return paths


def shade(network: str, rank: int, num_depths: int) -> tuple[float, float, float, float]:
    """Colour of a network at the rank-th of its depths, darkest for the deepest; grey if not BN or SNN."""
    if network not in _SHADES:
        return mpl.colormaps["gray"](0.6 * (1 - (rank + 1) / num_depths))
    shades = _SHADES[network]
    position = len(shades) - 1 if num_depths == 1 else round(rank * (len(shades) - 1) / (num_depths - 1))
    return mpl.colormaps["RdBu"](shades[position])


def line(rank: int) -> str | tuple[int, tuple[float, ...]]:
    """Line style of the rank-th depth, so that depths can be told apart without colour."""
    return LINES[rank % len(LINES)]
