"""Figure 1: training error against epochs as in the paper, a panel per data set, with the updates on a second axis.

In: Tables. Out: a matplotlib figure; lines are geometric means over seeds, bands one standard deviation of
log error over seeds, thin lines the first seed alone. Seeds that diverged are left out and counted in the legend.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.figures.style import MARKERS, line, new_figure
from selfnorm.analysis.results import Tables
from selfnorm.studies.figures.panels import Drawn, drawn_cells

MOST_POINTS = 400  # of a mean and its band: more than a panel has room for


def figure1(tables: Tables, networks: tuple[str, str]) -> Figure:
    """The paper's Figure 1 of two networks. Call within house_style. Raises ValueError when there is neither."""
    panels = drawn_cells(tables, networks)
    figure = new_figure(0.6 + 3.3 * len(panels), 3.9)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (dataset, cells) in zip(axes, panels.items(), strict=True):
        for cell in cells:
            rate = _updates_per_epoch(tables, cell.cell)
            _draw(ax, tables, cell, rate)
        ax.set_yscale("log")
        ax.set_title(dataset_title(dataset))
        ax.set_xlabel("epochs")
        ax.margins(x=0.02)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, handlelength=3.6, fontsize=7.5)
        updates = ax.secondary_xaxis("top", functions=(lambda x, r=rate: x * r, lambda x, r=rate: x / r))
        updates.set_xlabel("updates", fontsize=7)
        updates.tick_params(labelsize=7)
        updates.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes[0].set_ylabel("training error (mean cross-entropy)")
    return figure


def _updates_per_epoch(tables: Tables, cell: str) -> float:
    rows = tables.curves_by_cell[cell, "train"]
    return float(rows["step"].max() / max(1, rows["epoch"].max()))


def _draw(ax: Axes, tables: Tables, cell: Drawn, rate: float) -> None:
    curves = seed_curves(tables, cell.cell)
    if not curves.seeds:
        return
    total = len(curves.seeds) + len(curves.diverged)
    label = cell.label + (f" ({len(curves.seeds)} of {total} seeds)" if curves.diverged else "")
    epochs_T = curves.steps_T / rate
    # Averaging hides roughness (by the square root of the number of seeds), so one seed is drawn as it is.
    ax.plot(epochs_T, curves.errors_RT[0], color=cell.colour, linewidth=0.4, alpha=0.8)
    kept = np.unique(np.linspace(0, len(epochs_T) - 1, MOST_POINTS).round().astype(int))
    logs_RT, epochs_T = curves.logs_RT[:, kept], epochs_T[kept]
    mean_T = logs_RT.mean(axis=0)
    marker_gap = max(1, len(mean_T) // 6)
    ax.plot(
        epochs_T,
        np.exp(mean_T),
        color=cell.colour,
        linestyle=line(cell.rank),
        linewidth=1.3,
        marker=MARKERS[cell.look],
        markersize=3.2,
        markerfacecolor="white" if cell.look == "BN" else cell.colour,
        markeredgewidth=0.8,
        markevery=(cell.rank * marker_gap // cell.num_depths, marker_gap),
        label=label,
    )
    if len(curves.seeds) > 1:
        sd_T = logs_RT.std(axis=0, ddof=1)
        ax.fill_between(
            epochs_T, np.exp(mean_T - sd_T), np.exp(mean_T + sd_T), color=cell.colour, alpha=0.22, linewidth=0
        )
