"""Measured moments and gradient gain by layer, and what each map says of them.

In: the table of prediction.layer_table. Out: a matplotlib figure of each network at its deepest, before the first
update and after the last; call within house_style.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from selfnorm.analysis.figures.style import LINES, new_figure
from selfnorm.studies.prediction import MAPS, QUANTITIES, TIMES
from selfnorm.studies.prediction_words import TITLES, network_title, time_title

_COLOURS = {"paper": "#b2182b", "second_moment": "#2166ac", "per_unit": "#e08214"}


def prediction_figure(table: pd.DataFrame) -> Figure:
    """Rows: network and time; columns: quantities. Line and band: mean and standard deviation over seeds.

    The scale of a network's two times is the same. A map's curve is its mean over the seeds' networks.
    """
    deepest = table[table["depth"] == table.groupby(["dataset", "network"])["depth"].transform("max")]
    groups = list(deepest.groupby(["dataset", "network"], sort=False))
    times = [when for when in TIMES if when in set(table["when"])]
    figure = new_figure(7.6, 0.6 + 1.3 * len(groups) * len(times))
    axes = figure.subplots(len(groups) * len(times), len(QUANTITIES), squeeze=False)
    for i, (_, group) in enumerate(groups):
        rows = axes[i * len(times) : (i + 1) * len(times)]
        for column, quantity in zip(rows.T, QUANTITIES, strict=True):
            for ax, when in zip(column, times, strict=True):
                _panel(ax, group[(group["quantity"] == quantity) & (group["when"] == when)])
            _share_heights(list(column))
        for row, when in zip(rows, times, strict=True):
            row[0].set_ylabel(_row_title(group[group["when"] == when].iloc[0]), fontsize=7)
    for ax, quantity in zip(axes[0], QUANTITIES, strict=True):
        ax.set_title(TITLES[quantity], fontsize=8)
    for ax in axes[-1]:
        ax.set_xlabel("layer")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(MAPS) + 1)
    return figure


def _row_title(of: pd.Series) -> str:
    name = network_title(of["network"])
    return f"{name}\ndepth {of['depth']}, width {of['width']}\n{time_title(of['when'], of['step'])}"


def _panel(ax: Axes, rows: pd.DataFrame) -> None:
    layers = rows.groupby("layer")
    mean, sd = layers["measured"].mean(), layers["measured"].std(ddof=1).fillna(0.0)
    ax.fill_between(mean.index, mean - sd, mean + sd, color="0.75", linewidth=0)
    ax.plot(mean.index, mean, color="0.25", linewidth=1.4, label="measured")
    for (name, label), style in zip(MAPS.items(), LINES[1:], strict=True):
        curve = layers[name].mean()
        ax.plot(curve.index, curve, color=_COLOURS[name], linestyle=style, linewidth=1.2, label=label)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=2))
    ax.yaxis.set_major_locator(MaxNLocator(4))
    ax.tick_params(labelsize=6.5)


def _share_heights(column: list[Axes]) -> None:
    """One scale for all times of a network."""
    limits = [ax.get_ylim() for ax in column]
    for ax in column:
        ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
