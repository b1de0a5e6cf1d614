"""The lowest validation error by learning rate: a panel per data set, two networks, a line per depth.

In: the table of rates.scores. Out: a matplotlib figure; call within house_style.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.figures.style import MARKERS, line, new_figure, shade, stand_ins


def rates_figure(scored: pd.DataFrame, networks: tuple[str, str]) -> Figure:
    """Lines end where a seed diverges at the next rate; the large mark is a network's best rate."""
    datasets = list(scored["dataset"].unique())
    figure = new_figure(1.0 + 3.2 * len(datasets), 3.4)
    axes = figure.subplots(1, len(datasets), squeeze=False)[0]
    for ax, dataset in zip(axes, datasets, strict=True):
        here = scored[scored["dataset"] == dataset]
        depths = sorted(here["depth"].unique())
        for network, look in stand_ins(*networks).items():
            for rank, depth in enumerate(depths):
                rows = here[(here["network"] == network) & (here["depth"] == depth) & np.isfinite(here["score"])]
                colour = shade(look, rank, len(depths))
                style = {"color": colour, "marker": MARKERS[look], "linestyle": line(rank)}
                ax.plot(rows["lr"], rows["score"], label=f"{network}, {depth} layers", markersize=3, **style)
                best = rows[rows["best"]]
                ax.plot(best["lr"], best["score"], **style | {"linestyle": ""}, markersize=8, markerfacecolor="none")
        ax.set_xscale("log")
        ax.set_title(dataset_title(str(dataset)), fontsize=8.5)
        ax.set_xlabel("learning rate")
    axes[0].set_ylabel("lowest validation error")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, handlelength=3.6)
    return figure
