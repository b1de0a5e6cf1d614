"""Ratios with their intervals: BN / SNN per data set and depth, and each control against its reference.

In: the tables of comparison.compare and causes.causes. Out: matplotlib figures, log axis, a line at 1.
"""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.figures.style import MARKERS, new_figure, shade
from selfnorm.analysis.statistics import FLUCTUATION, MATCHED, OF_ERROR, SPEED

# statistic: (label, marker, filled); shape and filling tell them apart without colour.
_FLUCTUATIONS = {
    FLUCTUATION: ("log error", "o", True),
    MATCHED: ("log error, equal levels", "D", False),
    OF_ERROR: ("error itself", "s", False),
}
_REACH = (1e-3, 1e4)
_COLOURS = ("#053061", "#4393c3", "#777777")


def fluctuation_figure(comparison: pd.DataFrame) -> Figure:
    """Left: how many times more BN fluctuates; right: how many times the updates it needs. A row a cell."""
    cells = comparison[["dataset", "depth"]].drop_duplicates()
    places = {(c.dataset, c.depth): y for y, c in enumerate(reversed(list(cells.itertuples())))}
    figure = new_figure(7.0, 1.35 + 0.42 * len(places))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for i, (statistic, (label, marker, filled)) in enumerate(_FLUCTUATIONS.items()):
        rows = comparison[comparison["statistic"] == statistic]
        y = [places[key] + 0.22 * (1 - i) for key in zip(rows["dataset"], rows["depth"], strict=True)]
        points(left, rows, y, label=label, marker=marker, filled=filled, colour=_COLOURS[i])
    speed = comparison[comparison["statistic"] == SPEED]
    y = [float(places[key]) for key in zip(speed["dataset"], speed["depth"], strict=True)]
    points(right, speed, y, label="steps to level", marker="o", filled=True, colour=_COLOURS[0])
    shown = comparison[comparison["statistic"].isin(_FLUCTUATIONS)]
    dress(left, "fluctuation of training error, BN / SNN", "→ BN fluctuates more", shown)
    dress(right, "updates to the same error, BN / SNN", "→ SNN learns faster", speed)
    left.set_yticks(list(places.values()), [f"{dataset_title(str(d))}, depth {k}" for d, k in places])
    left.set_ylim(-0.6, len(places) - 0.4)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def causes_figure(causes: pd.DataFrame, statistic: str = FLUCTUATION) -> Figure:
    """A forest plot: fluctuation of control over reference. Raises ValueError if there are none."""
    if causes.empty:
        raise ValueError("no controls: run +sweep=causes")
    rows = causes[causes["statistic"] == statistic]
    groups = list(rows.groupby(["dataset", "depth", "reference"], sort=False))
    heights = [len(group) for _, group in groups]
    figure = new_figure(6.8, 0.6 + sum(0.26 * h + 0.5 for h in heights))
    axes = figure.subplots(len(groups), 1, squeeze=False, sharex=True, height_ratios=[h + 0.8 for h in heights])
    for ax, (key, group) in zip(axes[:, 0], groups, strict=True):
        dataset, depth, reference = map(str, key)
        _forest(ax, group.sort_values("ratio"), reference)
        dress(ax, f"{dataset_title(dataset)}, depth {depth}: control / {reference}", "", rows)
    axes[-1, 0].set_xlabel("ratio of the fluctuation of log training error")
    return figure


def _forest(ax: Axes, group: pd.DataFrame, reference: str) -> None:
    y = [float(place) for place in range(len(group))]
    colour = mpl.colors.to_hex(shade(reference, 0, 1))
    points(ax, group, y, label="", marker=MARKERS.get(reference, "D"), filled=True, colour=colour)
    ax.set_yticks(y, list(group["control"]))
    ax.set_ylim(-0.7, len(group) - 0.3)
    for place, ratio, low, high in zip(y, group["ratio"], group["low"], group["high"], strict=True):
        if not np.isnan(ratio):
            text = f"{ratio:.2f} ({low:.2f} to {high:.2f})"
            ax.text(1.02, place, text, transform=ax.get_yaxis_transform(), va="center", fontsize=7)


def points(
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
    ratio = rows["ratio"].to_numpy()
    errors = np.abs(np.stack([ratio - rows["low"], np.minimum(rows["high"], 1e9) - ratio]))
    face = colour if filled else "white"
    ax.errorbar(
        ratio, y, xerr=errors, fmt=marker, color=colour, markerfacecolor=face, markersize=size, linewidth=1.2,
        capsize=2, label=label,
    )  # fmt: skip
    for place in np.asarray(y)[np.isnan(ratio)]:
        ax.text(1, place, "  no number: see the report", fontsize=6, va="center", color="0.3")


def dress(ax: Axes, title: str, arrow: str, rows: pd.DataFrame) -> None:
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
