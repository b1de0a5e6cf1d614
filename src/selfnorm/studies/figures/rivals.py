"""Rivals in two pictures: what was predicted and measured by layer, and what each network reaches by depth.

In: the tables of studies/rivals.py. Out: matplotlib figures; call within house_style.
"""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.figures.style import new_figure

PANELS = {"cosine": "cosine of two samples", "gradient": "log10 of the gradient's mean square over the last layer's"}
MARKS = "os^Dv<>pP*Xh"


def predicted_figure(predicted: pd.DataFrame, measured: pd.DataFrame) -> Figure:
    """Lines: the theory, made before training. Points: means over seeds at some layers, of the first data set."""
    depth = predicted["depth"].max()
    lines = predicted[predicted["depth"] == depth]
    points = measured[(measured["depth"] == depth) & (measured["dataset"] == measured["dataset"].iloc[0])]
    layers = {2**power for power in range(1, int(depth).bit_length())}
    looks = _looks(predicted)
    figure = new_figure(8.4, 3.9)
    axes = figure.subplots(1, len(PANELS))
    for ax, (column, title) in zip(axes, PANELS.items(), strict=True):
        for network, line in lines.groupby("network", sort=False):
            colour, mark = looks[str(network)]
            here = points[(points["network"] == network) & points["layer"].isin(layers)]
            ax.plot(line["layer"], line[column], color=colour, linewidth=1.3)
            ax.plot(here["layer"], here[column], color=colour, marker=mark, markersize=4, linestyle="", label=network)
        ax.set_title(title, fontsize=8.5)
        ax.set_xlabel(f"layer of {depth}")
    axes[1].set_yscale("symlog", linthresh=1)
    axes[1].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def errors_figure(table: pd.DataFrame) -> Figure:
    """A panel per data set, a line per network; a depth is left out where the network diverges at every rate."""
    datasets = list(table["dataset"].unique())
    figure = new_figure(1.0 + 3.7 * len(datasets), 3.9)
    axes = figure.subplots(1, len(datasets), squeeze=False, sharey=True)[0]
    own = table[table["rate"] == "own"].sort_values("depth")
    looks = _looks(table)
    for ax, dataset in zip(axes, datasets, strict=True):
        for network, line in own[own["dataset"] == dataset].groupby("network"):
            colour, mark = looks[str(network)]
            ax.plot(line["depth"], line["training_error"], color=colour, marker=mark, markersize=4, label=network)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        depths = sorted(own["depth"].unique())
        ax.set_xticks(depths, [str(depth) for depth in depths])
        ax.set_title(dataset_title(str(dataset)), fontsize=8.5)
        ax.set_xlabel("hidden layers")
    axes[0].set_ylabel("final training error")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _looks(table: pd.DataFrame) -> dict[str, tuple[tuple[float, ...], str]]:
    """Network -> its colour and mark, the same in both pictures."""
    names = sorted(table["network"].unique())
    return {name: (mpl.colormaps["tab20"](2 * (i % 10) + i // 10 % 2), MARKS[i % 12]) for i, name in enumerate(names)}
