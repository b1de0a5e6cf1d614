"""Does the network keep itself normalized? Mean and variance of the activations, layer by step, two networks.

In: Tables. Out: a section with a picture of the deepest cell of each network; values are means over seeds.
"""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from selfnorm.analysis.coordinates import dataset_title, paper_order, reference_cells
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.figures.style import new_figure
from selfnorm.analysis.results import Tables
from selfnorm.studies.section import Section

_MAP = "PuOr_r"  # purple below, orange above: told apart by colour-blind readers too
_COLUMNS = {
    "activation_mean": "mean of the activations",
    "activation_variance": "variance of the activations",
}


def section(tables: Tables, networks: tuple[str, str]) -> Section:
    """Raises ValueError when no moments of either network were recorded."""
    text = "![Mean and variance of the activations, layer by step](moments.png)\n"
    return Section("Moments", text, pictures={"moments": moments_figure(tables, networks)})


def moments_figure(tables: Tables, compared: tuple[str, str]) -> Figure:
    """Rows: data set and moment; columns: the second network, the first, or the one that there is.

    Call within house_style. Raises ValueError when there are no moments of either.
    """
    cells = pd.concat([reference_cells(tables.cells, network) for network in compared])
    cells = cells[cells["cell"].isin(tables.moments["cell"])]
    datasets = sorted(cells["dataset"].unique(), key=paper_order)
    if not datasets:
        raise ValueError(f"no moments of a {' or '.join(compared)} network: record them in the runs (moments.csv)")
    rows = [(dataset, column) for dataset in datasets for column in _COLUMNS]
    networks = [network for network in reversed(compared) if (cells["network"] == network).any()]
    figure = new_figure(1.0 + 3.0 * len(networks), 1.9 * len(rows) + 0.3)
    axes = figure.subplots(len(rows), len(networks), squeeze=False)
    for row, (dataset, column) in enumerate(rows):
        here = cells[cells["dataset"] == dataset]
        deepest = here[here["depth"] == here["depth"].max()].set_index("network")["cell"]
        grids = [_grid(tables, deepest.get(network), column) for network in networks]
        norm = _norm(column, [grid.to_numpy() for grid in grids])
        for ax, network, grid in zip(axes[row], networks, grids, strict=True):
            _draw(ax, grid, norm, f"{dataset_title(dataset)}: {network}, {_COLUMNS[column]}")
        bar = figure.colorbar(ScalarMappable(norm, _MAP), ax=list(axes[row]), pad=0.01, aspect=12)
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
        if column.endswith("variance"):
            fine = norm.vmax is not None and norm.vmax < 5  # 1 alone would be labelled
            bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 1.25, 1.5, 2, 3, 5, 6.5, 8) if fine else (1, 2, 5)))
    return figure


def _grid(tables: Tables, cell: str | None, column: str) -> pd.DataFrame:
    """Layers by steps, the mean over the seeds that did not diverge; empty when the network has no cell."""
    if cell is None:
        return pd.DataFrame()
    rows = tables.moments[tables.moments["cell"] == cell]
    rows = rows[rows["seed"].isin(seed_curves(tables, cell).seeds)]
    return rows.pivot_table(index="layer", columns="step", values=column, aggfunc="mean")


def _norm(column: str, grids: list[np.ndarray]) -> Normalize:
    """One scale for both networks: means about 0, variances on a log scale about 1."""
    values = np.concatenate([grid.ravel() for grid in grids])
    values = values[np.isfinite(values)]
    if column.endswith("mean"):
        reach = max(0.1, float(np.max(np.abs(values), initial=0)))
        return TwoSlopeNorm(0, -reach, reach)
    logs = np.abs(np.log10(values[values > 0]))
    reach = float(np.clip(np.max(logs, initial=0), 0.2, 3))
    return LogNorm(10**-reach, 10**reach)


def _draw(ax: Axes, grid: pd.DataFrame, norm: Normalize, title: str) -> None:
    ax.set_title(title, fontsize=8)
    ax.grid(False)
    if not grid.size:  # of this data set, or every seed of it diverged
        ax.set_axis_off()
        ax.text(0.5, 0.5, "no run", ha="center", va="center", transform=ax.transAxes)
        return
    # Recorded steps are log-spaced: equal columns, labelled with their step, keep the first ones visible.
    columns = np.arange(grid.shape[1] + 1) - 0.5
    layers = np.append(grid.index.to_numpy() - 0.5, grid.index[-1] + 0.5)
    ax.pcolormesh(columns, layers, grid.to_numpy(), norm=norm, cmap=_MAP, rasterized=True)
    shown = np.unique(np.linspace(0, grid.shape[1] - 1, min(8, grid.shape[1])).round().astype(int))
    ax.set_xticks(shown, [f"{grid.columns[i]:,}" for i in shown], fontsize=6.5)
    ax.set_xlabel("update steps")
    ax.set_ylabel("layer")
