"""The spread of forks by network and source of perturbation: a panel per depth, log axis.

In: the table of causes.causes. Out: a matplotlib figure; call within house_style.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from selfnorm.analysis.bounds import three_digits
from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.figures.style import new_figure

MARKS = {"order": "o", "masks": "s", "statistics": "^", "evaluation": "D", "all": "|"}
COLOURS = {"order": "#4393c3", "masks": "#762a83", "statistics": "#b2182b", "evaluation": "#e08214", "all": "0.15"}


def causes_figure(table: pd.DataFrame, networks: tuple[str, str]) -> Figure:
    """Rows: networks, most perturbed at the top; marks: sources, with 95 % intervals over seeds."""
    groups = list(table.groupby(["dataset", "depth"]))
    mean = np.log(table[table["source"] == "all"].set_index("network")["percent"]).groupby(level=0).mean()
    names = list(mean.sort_values().index)
    figure = new_figure(2.6 + 1.9 * len(groups), 1.0 + 0.27 * len(names))
    axes = figure.subplots(1, len(groups), squeeze=False, sharex=True, sharey=True)[0]
    for ax, ((dataset, depth), group) in zip(axes, groups, strict=True):
        for source, mark in MARKS.items():
            rows = group[group["source"] == source]
            places = [names.index(name) for name in rows["network"]]
            errors = np.abs(rows[["percent_low", "percent_high"]].to_numpy().T - rows["percent"].to_numpy())
            ax.errorbar(
                rows["percent"], places, xerr=errors, fmt=mark, color=COLOURS[source], label=source, linewidth=1,
                markersize=11 if source == "all" else 4, markeredgewidth=1.6 if source == "all" else 0.6,
            )  # fmt: skip
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(numticks=6))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: three_digits(value)))
        ax.set_title(f"{dataset_title(str(dataset))}, {depth} layers", fontsize=8.5)
    axes[0].set_yticks(range(len(names)), names)
    for tick, name in zip(axes[0].get_yticklabels(), names, strict=True):
        tick.set_fontweight("bold" if name in networks else "normal")
    axes[len(axes) // 2].set_xlabel("spread of forks after one epoch, % of the error")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(MARKS))
    return figure
