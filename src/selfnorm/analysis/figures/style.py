"""The look the pictures share, and saving them so that the same table gives the same bytes.

In: a matplotlib figure. Out: PDF, PNG and SVG files without dates or random identifiers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from selfnorm.runs.files import write_atomically

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
_REACH = (1e-3, 1e4)  # of an axis of ratios

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
        path, drawn = folder / f"{name}.{kind}", BytesIO()
        figure.savefig(drawn, format=kind, metadata=dateless[kind])
        write_atomically(path, drawn.getbuffer())
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


def stand_ins(a: str, b: str) -> dict[str, str]:
    """The networks of a comparison -> whose colour and marker each takes: its own if it has one, else the other."""
    return {a: "SNN", b: "BN"} if a == "SNN" or b == "BN" else {a: "BN", b: "SNN"}


def percent_axis(ax: Axes) -> None:
    """A log axis of per cent, written without exponents."""
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.12g}"))


def ratio_points(
    ax: Axes,
    rows: pd.DataFrame,
    y: list[float],
    *,
    label: str,
    marker: str,
    filled: bool,
    colour: str,
    size: float = 4.5,
) -> None:
    """Ratios with their intervals at the heights y; a word where there is no number."""
    ratio = rows["value"].to_numpy()
    errors = np.abs(np.stack([ratio - rows["low"], np.minimum(rows["high"], 1e9) - ratio]))
    face = colour if filled else "white"
    ax.errorbar(
        ratio, y, xerr=errors, fmt=marker, color=colour, markerfacecolor=face, markersize=size, linewidth=1.2,
        capsize=2, label=label,
    )  # fmt: skip
    for place in np.asarray(y)[np.isnan(ratio)]:
        ax.text(1, place, "  no number: see the report", fontsize=6, va="center", color="0.3")


def ratio_axis(ax: Axes, title: str, arrow: str, rows: pd.DataFrame) -> None:
    """A log axis about 1 that holds the intervals of `rows`; shared by the panels that show them."""
    ax.set_xscale("log")
    ax.axvline(1, color="0.3", linewidth=0.9, zorder=0)
    # From the data, since a shared axis would keep the limits of its first panel; there may be no number at all,
    # and two seeds give intervals over many decades, which are cut where they would hide the rest.
    ends = np.clip(np.append(rows[["low", "high"]].to_numpy().ravel(), [0.8, 1.25]), *_REACH)
    ax.set_xlim(np.nanmin(ends) / 1.1, np.nanmax(ends) * 1.1)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.set_title(title, fontsize=8.5)
    ax.set_xlabel(arrow)
