"""The spread of copies of one trained network that differ in one perturbation only.

In: Tables with forks. Out: a matplotlib figure, a row per data set: left the spread after one epoch against the epoch
of the fork, right the spread within the last of these epochs. Call within house_style.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.figures.style import new_figure, percent_axis
from selfnorm.analysis.perturbation import at_end, spreads
from selfnorm.analysis.results import Tables
from selfnorm.studies.figures.panels import Drawn, draw_spread, drawn_cells

SOURCES = {"all": "solid", "order": "dotted"}  # what is drawn, and how


def forks_figure(tables: Tables, networks: tuple[str, str]) -> Figure:
    """Lines: geometric means over seeds of the sd over forks of log error; bands: one sd over seeds."""
    forked = {}
    for dataset, cells in drawn_cells(tables, networks).items():
        if here := [cell for cell in cells if (tables.forks["cell"] == cell.cell).any()]:
            forked[dataset] = here
    figure = new_figure(7.0, 0.9 + 2.9 * len(forked))
    axes = figure.subplots(len(forked), 2, squeeze=False, sharey="row")
    for row, (dataset, cells) in zip(axes, forked.items(), strict=True):
        spread = {cell: _spreads(tables, cell) for cell in cells}
        epoch = max(set.intersection(*(set(table["epoch"]) for table in spread.values())))
        for cell, table in spread.items():
            for source, style in SOURCES.items():
                end = at_end(table[table["source"] == source])
                thick = {"linestyle": style} if source == "all" else {"linestyle": style, "marker": "", "linewidth": 1}
                draw_spread(row[0], end, "epoch", cell, cell.label if source == "all" else "_", **thick)
            within = table[(table["source"] == "order") & (table["epoch"] == epoch)]
            within = within.assign(share=within["update"] / within["update"].max())
            draw_spread(row[1], within, "share", cell, "_", linestyle="dotted")
        _dress(row[0], f"{dataset_title(dataset)}: spread of forks after one epoch", "epoch of the fork")
        row[0].set_xscale("log")
        row[0].set_ylabel("spread of forks, % of the error")
        _dress(row[1], f"within epoch {epoch + 1}, other order of the batches", "share of the epoch that is done")
        row[1].set_xlim(0, 1.05)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=3.6, title=(
        "solid: all perturbations; dotted: the order of the batches alone"
    ))  # fmt: skip
    return figure


def _spreads(tables: Tables, cell: Drawn) -> pd.DataFrame:
    seeds = seed_curves(tables, cell.cell).seeds
    return spreads(tables.forks[(tables.forks["cell"] == cell.cell) & tables.forks["seed"].isin(seeds)])


def _dress(ax: Axes, title: str, xlabel: str) -> None:
    percent_axis(ax)
    ax.set_title(title, fontsize=8.5)
    ax.set_xlabel(xlabel)
