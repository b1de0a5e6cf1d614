"""The roughness of the curves at every level of the error: one network stays as rough as it was, the other gets smooth.

In: Tables. Out: a matplotlib figure, log-log; a row per data set, a column per statistic. Call within house_style.
"""

from contextlib import suppress

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from selfnorm.analysis.bounds import VISIBLE, three_digits
from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.curves import SeedCurves
from selfnorm.analysis.figures.style import new_figure, percent_axis
from selfnorm.analysis.levels import FIT, RECORD, fluctuation
from selfnorm.analysis.results import Tables
from selfnorm.studies.figures.panels import Drawn, draw_spread, drawn_cells
from selfnorm.studies.questions import epoch_ends

TITLES = {RECORD: "from epoch to epoch", FIT: FIT}


def levels_figure(tables: Tables, networks: tuple[str, str]) -> Figure:
    """Lines: geometric means over seeds of the sd of log error; bands: one sd over seeds; triangles: upper bounds."""
    panels = drawn_cells(tables, networks)
    figure = new_figure(7.0, 0.7 + 2.9 * len(panels))
    axes = figure.subplots(len(panels), 2, squeeze=False, sharex="row", sharey="row")
    for row, (dataset, cells) in zip(axes, panels.items(), strict=True):
        for cell in cells:
            with suppress(ValueError):  # the cell has no fluctuation: the verdict says why
                _draw(row, epoch_ends(tables, cell.cell), cell)
        for ax, title in zip(row, TITLES.values(), strict=True):
            _dress(ax, f"{dataset_title(dataset)}, {title}")
        if row[0].get_xlim()[0] > 0:  # there is something to draw
            row[0].invert_xaxis()  # shared: training goes to the right
        row[0].set_ylabel("fluctuation, % of the error")
        row[0].text(0.02, 0.03, "▾ at most", transform=row[0].transAxes, fontsize=6.5, color="0.4")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, handlelength=3.6)
    return figure


def _draw(axes: np.ndarray, curves: SeedCurves, cell: Drawn) -> None:
    table = fluctuation(curves.errors_RT, np.array(curves.seeds))
    seeds = table.groupby(["statistic", "level"])["seed"].transform("count")
    for ax, statistic in zip(axes, TITLES, strict=True):
        rows = table[(table["statistic"] == statistic) & (seeds == len(curves.seeds))]
        draw_spread(ax, rows[~rows["bound"]], "level", cell, cell.label)
        bounds = {"linewidth": 0.6, "marker": "v", "alpha": 0.6}
        draw_spread(ax, rows[rows["bound"]], "level", cell, "_", **bounds)


def _dress(ax: Axes, title: str) -> None:
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: three_digits(value)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    percent_axis(ax)
    ax.axhline(100 * VISIBLE, color="0.5", linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
    ax.annotate(
        "1 %: seen in a figure above", (0.98, 100 * VISIBLE), xycoords=("axes fraction", "data"), xytext=(0, 2),
        textcoords="offset points", ha="right", fontsize=6.5, color="0.4",
    )  # fmt: skip
    ax.set_title(title)
    ax.set_xlabel("training error  (training goes →)")
