"""The cells that a picture of two networks shows, a panel per data set, each with its colour.

In: Tables and the two networks. Out: Drawn cells by data set, in the paper's order.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from selfnorm.analysis.coordinates import paper_order, reference_cells
from selfnorm.analysis.figures.style import MARKERS, line, shade, stand_ins
from selfnorm.analysis.results import Tables


class Drawn(NamedTuple):
    """look: the network of the paper (BN, SNN) whose colours and marker it takes. rank: of its depth, from 0."""

    cell: str
    network: str
    look: str
    depth: int
    rank: int
    num_depths: int

    @property
    def label(self) -> str:
        return f"{self.network}, {self.depth} layers"

    @property
    def colour(self) -> Any:
        return shade(self.look, self.rank, self.num_depths)


def drawn_cells(tables: Tables, networks: tuple[str, str]) -> dict[str, list[Drawn]]:
    """The cells by data set. Raises ValueError when there is none of either network."""
    cells = {network: reference_cells(tables.cells, network) for network in networks}
    panels: dict[str, list[Drawn]] = {
        name: [] for name in sorted(set().union(*(set(c["dataset"]) for c in cells.values())), key=paper_order)
    }
    if not panels:
        raise ValueError(f"no cell is a {' or a '.join(networks)}: run one of the two")
    for network, look in stand_ins(*networks).items():
        for dataset, group in cells[network].groupby("dataset"):
            for rank, (depth, cell) in enumerate(group.sort_values("depth")[["depth", "cell"]].to_numpy()):
                panels[str(dataset)].append(Drawn(str(cell), network, look, int(depth), rank, len(group)))
    return panels


def draw_spread(ax: Axes, rows: pd.DataFrame, at: str, cell: Drawn, label: str, **line_options: Any) -> None:
    """Draw the geometric mean over seeds in per cent with a band of one sd; rows: `at`, seed, log_sd."""
    grouped = rows.dropna(subset="log_sd").groupby(at)["log_sd"]
    # To six digits, for processors differ in the last ones, and equal tables are to give equal bytes
    mean, sd = grouped.mean().round(6), grouped.std().fillna(0).round(6)
    style = {"linestyle": line(cell.rank), "linewidth": 1.3, "marker": MARKERS[cell.look], "markersize": 3.2}
    face = "white" if cell.look == "BN" else cell.colour
    ax.plot(
        mean.index, 100 * np.exp(mean), color=cell.colour, markerfacecolor=face, label=label, **(style | line_options)
    )
    ax.fill_between(
        mean.index, 100 * np.exp(mean - sd), 100 * np.exp(mean + sd), color=cell.colour, alpha=0.18, linewidth=0
    )
