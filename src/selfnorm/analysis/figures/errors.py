"""Figure 1: training error against update steps, a panel per data set.

In: Tables. Out: a matplotlib figure; lines are geometric means over seeds, bands one standard deviation of
log error over seeds, thin lines the first seed alone. Seeds that diverged are left out and counted in the legend.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from selfnorm.analysis.coordinates import dataset_title, paper_order, reference_cells
from selfnorm.analysis.curves import SeedCurves, seed_curves
from selfnorm.analysis.figures.style import MARKERS, line, new_figure, shade
from selfnorm.analysis.results import Tables

_NETWORKS = ("BN", "SNN")


def figure1(tables: Tables) -> Figure:
    """The paper's Figure 1. Call within house_style. Raises ValueError when there is neither BN nor SNN."""
    cells = {network: reference_cells(tables.cells, network) for network in _NETWORKS}
    datasets = sorted(set().union(*(set(c["dataset"]) for c in cells.values())), key=paper_order)
    if not datasets:
        raise ValueError("no cell is a BN or an SNN: Figure 1 needs the runs of +sweep=figure1")
    figure = new_figure(0.6 + 3.3 * len(datasets), 3.6)
    axes = figure.subplots(1, len(datasets), squeeze=False)[0]
    for panel, (ax, dataset) in enumerate(zip(axes, datasets, strict=True)):
        for network in _NETWORKS:
            here = cells[network][cells[network]["dataset"] == dataset].sort_values("depth")
            for rank, (depth, cell) in enumerate(zip(here["depth"], here["cell"], strict=True)):
                _draw(ax, seed_curves(tables, cell), network, int(depth), rank, len(here))
        _dress(ax, dataset)
        if panel == 0:
            ax.set_ylabel("training error (mean cross-entropy)")
    return figure


def _draw(ax: Axes, curves: SeedCurves, network: str, depth: int, rank: int, num_depths: int) -> None:
    if not curves.seeds:
        return
    colour = shade(network, rank, num_depths)
    mean_T = curves.logs_RT.mean(axis=0)
    total = len(curves.seeds) + len(curves.diverged)
    label = f"{network}, {depth} layers" + (f" ({len(curves.seeds)} of {total} seeds)" if curves.diverged else "")
    # Averaging hides roughness (by the square root of the number of seeds), so one seed is drawn as it is.
    ax.plot(curves.steps_T, curves.errors_RT[0], color=colour, linewidth=0.5, alpha=0.8)
    marker_gap = max(1, len(mean_T) // 6)
    ax.plot(
        curves.steps_T,
        np.exp(mean_T),
        color=colour,
        linestyle=line(rank),
        linewidth=1.3,
        marker=MARKERS[network],
        markersize=3.2,
        markerfacecolor="white" if network == "BN" else colour,
        markeredgewidth=0.8,
        markevery=(rank * marker_gap // max(1, num_depths), marker_gap),
        label=label,
    )
    if len(curves.seeds) > 1:
        sd_T = curves.logs_RT.std(axis=0, ddof=1)
        band = (np.exp(mean_T - sd_T), np.exp(mean_T + sd_T))
        ax.fill_between(curves.steps_T, *band, color=colour, alpha=0.22, linewidth=0)


def _dress(ax: Axes, dataset: str) -> None:
    ax.set_yscale("log")
    ax.set_title(dataset_title(dataset))
    ax.set_xlabel("update steps")
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.margins(x=0.02)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=2, handlelength=3.6, fontsize=7.5)
