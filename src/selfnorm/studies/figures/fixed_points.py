"""Other fixed points than (0, 1): ratios with intervals, and what learned constants became.

In: the tables of fixed_points and learned_constants. Out: matplotlib figures; call within house_style.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from selfnorm.analysis.coordinates import dataset_title, paper_order
from selfnorm.analysis.figures.style import LINES, new_figure, ratio_axis, ratio_points
from selfnorm.analysis.statistics import FINAL, SPEED, TEST
from selfnorm.studies.fixed_point_words import OWN_BEST

_SHOWN = {FINAL: "final training error", SPEED: "updates to the same error", TEST: "test error rate"}
_MARKS = ("o", "s", "^", "v")
_COLOURS = ("#4393c3", "#053061", "#b2182b", "#777777")


def fixed_points_figure(table: pd.DataFrame) -> Figure:
    """Rows: data set and depth; columns: statistics; a line for each SELU, a mark for each learning rate."""
    groups = list(table.groupby(["dataset", "depth"], sort=False))
    names = sorted(table["fixed_point"].unique(), key=lambda name: (name.startswith("learned"), name), reverse=True)
    rates = sorted(table["lr"].unique(), key=lambda lr: (lr == OWN_BEST, lr))
    figure = new_figure(7.6, 0.5 + len(groups) * (0.62 + 0.17 * len(names)))
    axes = figure.subplots(len(groups), len(_SHOWN), squeeze=False, sharex="col", sharey=True)
    for row, (key, group) in zip(axes, groups, strict=True):
        for ax, (statistic, title) in zip(row, _SHOWN.items(), strict=True):
            every = table[table["statistic"] == statistic]
            rows = group[group["statistic"] == statistic]
            for i, lr in enumerate(rates):
                here = rows[rows["lr"] == lr]
                y = [names.index(name) + 0.25 * (1 - i) for name in here["fixed_point"]]
                label = lr if lr == OWN_BEST else f"lr {lr}"
                filled = lr != OWN_BEST
                ratio_points(ax, here, y, label=label, marker=_MARKS[i], filled=filled, colour=_COLOURS[i], size=3.2)
            ratio_axis(ax, title if ax in axes[0] else "", "", every)
            wide = every["high"].max() > 10 * every["low"].min()
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 3) if wide else (1, 1.5, 2, 3, 5, 7)))
        row[0].set_yticks(range(len(names)), names, fontsize=7)
        row[0].set_ylim(-0.6, len(names) - 0.4)
        row[0].annotate(
            f"{dataset_title(str(key[0]))}, depth {key[1]}", (0, 1), xycoords="axes fraction", xytext=(-118, 4),
            textcoords="offset points", fontsize=8, fontweight="bold",
        )  # fmt: skip
    for ax in axes[-1]:
        ax.set_xlabel("ratio to the SELU of (0, 1)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(rates))
    return figure


def constants_figure(constants: pd.DataFrame) -> Figure:
    """alpha and lambda by layer after training, a line for each start: mean over seeds, band from least to largest.

    Thin lines: the values at the start. Of several learning rates the largest is drawn, where most was learned.
    """
    drawn = constants[constants["lr"] == constants["lr"].max()]
    groups = sorted(drawn.groupby(["dataset", "depth"]), key=lambda group: (paper_order(str(group[0][0])), group[0][1]))
    figure = new_figure(7.6, 4.0)
    axes = figure.subplots(2, len(groups), squeeze=False, sharex="col", sharey="row")
    for column, (key, group) in zip(axes.T, groups, strict=True):
        for ax, name in zip(column, ("alpha", "lambda"), strict=True):
            for i, (start, rows) in enumerate(group.groupby("start")):
                _constant(ax, rows, name, f"from {start}", i)
            ax.set_ylabel(name if ax in axes[:, 0] else "")
        column[0].set_title(f"{dataset_title(str(key[0]))}, depth {key[1]}", fontsize=8.5)
        column[1].set_xlabel("layer")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=7)
    return figure


def _constant(ax: Axes, rows: pd.DataFrame, name: str, label: str, i: int) -> None:
    by_layer = rows.groupby("layer")[name].agg(["mean", "min", "max"])
    colour = f"C{i}"
    ax.axhline(rows[f"{name}_start"].mean(), color=colour, linestyle=LINES[i % len(LINES)], linewidth=0.5)
    ax.plot(by_layer.index, by_layer["mean"], color=colour, linestyle=LINES[i % len(LINES)], linewidth=1.2, label=label)
    ax.fill_between(by_layer.index, by_layer["min"], by_layer["max"], color=colour, alpha=0.15, linewidth=0)
