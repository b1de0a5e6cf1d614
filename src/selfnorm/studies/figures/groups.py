"""Groups side by side: ratios with their intervals, and average ranks with their critical difference.

In: the table of groups.compare_groups, Ranks. Out: matplotlib figures; call within house_style.
"""

import pandas as pd
from matplotlib.figure import Figure

from selfnorm.analysis.figures.style import new_figure, ratio_axis, ratio_points
from selfnorm.analysis.ranks import Ranks


def ratios_figure(table: pd.DataFrame) -> Figure:
    """A panel per statistic; a line for each data set and pair, a bound open to one side."""
    labels = [f"{row['dataset']}: {row['a']} / {row['b']}" for row in table.to_dict("records")]
    table = table.assign(label=labels)
    names, statistics = list(dict.fromkeys(labels))[::-1], list(table["statistic"].unique())
    figure = new_figure(2.4 + 2.4 * len(statistics), 0.9 + 0.24 * len(names))
    axes = figure.subplots(1, len(statistics), squeeze=False, sharey=True)[0]
    for ax, statistic in zip(axes, statistics, strict=True):
        rows = table[table["statistic"] == statistic]
        places: list[float] = [names.index(label) for label in rows["label"]]
        ratio_points(ax, rows, places, label="", marker="o", filled=True, colour="#053061")
        ratio_axis(ax, statistic, "ratio", rows)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(-0.6, len(names) - 0.4)
    return figure


def ranks_figure(ranks: Ranks) -> Figure:
    """Average ranks on a line, the best left; bars join the networks that do not differ at 5 %."""
    average = ranks.average
    joined: list[tuple[float, float]] = []  # the widest groups within the critical difference, none inside another
    for first in average:
        last = average[average - first <= ranks.critical].max()
        if last > first and not any(left <= first and last <= right for left, right in joined):
            joined.append((first, last))
    figure = new_figure(6.0, 1.1 + 0.16 * len(average) + 0.12 * len(joined))
    ax = figure.subplots()
    for i, (name, rank) in enumerate(average.items()):
        ax.plot(rank, 0, "o", color="#053061")
        ax.annotate(
            f"{name}  {rank:.2f}", (rank, 0), (0, 12 + 11 * (i % 3)), textcoords="offset points", ha="center",
            arrowprops={"arrowstyle": "-", "color": "0.7", "linewidth": 0.5},
        )  # fmt: skip
    for i, (left, right) in enumerate(joined, 1):
        ax.plot([left - 0.04, right + 0.04], [-0.12 * i] * 2, color="0.3", linewidth=3, solid_capstyle="butt")
    ax.set_xlim(1 - 0.3, len(average) + 0.3)
    ax.set_ylim(-0.12 * len(joined) - 0.15, 0.6)
    ax.set_xticks(range(1, len(average) + 1))
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"average rank over {ranks.num_blocks} data sets; critical difference {ranks.critical:.2f}")
    return figure
