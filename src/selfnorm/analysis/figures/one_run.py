"""One run alone: its error with the band over seeds, its layers by step, and what was measured against theory.

In: Tables that hold the one run. Out: matplotlib figures, small enough to be drawn at the end of every run. Call within
house_style. Each raises ValueError where the run has not recorded what it shows.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from selfnorm.analysis.curves import SeedCurves, seed_curves
from selfnorm.analysis.figures.style import shade
from selfnorm.analysis.results import Tables

MAPS = {
    "activation_mean": "mean of the activations",
    "activation_variance": "variance of the activations",
    "activation_unit_mean_sd": "scatter of the units' means",
    "activation_unit_variance_sd": "scatter of the units' variances",
    "gradient_second_moment": "mean-square gradient, log10",
    "saturated": "saturated units, fraction",
}
COMPARED = {"activation_mean": "mean of the activations", "activation_variance": "variance of the activations"}
# A wide line under a dashed one: both are seen where the maps agree
THEORY: tuple[dict[str, Any], ...] = (
    {"color": "0.75", "linewidth": 3, "zorder": 1},
    {"color": "0.1", "linewidth": 1, "linestyle": "dashed", "zorder": 1.5},
)
Curves = Mapping[str, Mapping[str, Sequence[float]]]  # column -> name of the map -> value by layer


def error_figure(tables: Tables) -> Figure:
    """The run's line of Figure 1: geometric mean over seeds, band of one standard deviation of log error, one seed."""
    curves = _curves(tables)
    figure = _figure(4.6, 3.2)
    ax = figure.subplots(gridspec_kw={"left": 0.15, "right": 0.97, "bottom": 0.14, "top": 0.9})
    colour, mean_T = shade(_network(tables), 0, 1), curves.logs_RT.mean(axis=0)
    ax.plot(curves.steps_T, curves.errors_RT[0], color=colour, linewidth=0.5, label=f"seed {curves.seeds[0]}")
    ax.plot(curves.steps_T, np.exp(mean_T), color=colour, linewidth=1.5, label="geometric mean over seeds")
    if len(curves.seeds) > 1:
        sd_T = curves.logs_RT.std(axis=0, ddof=1)
        band = (np.exp(mean_T - sd_T), np.exp(mean_T + sd_T))
        ax.fill_between(curves.steps_T, *band, color=colour, alpha=0.22, linewidth=0)
    ax.set_yscale("log")
    ax.set_xlabel("update steps")
    ax.set_ylabel("training error (mean cross-entropy)")
    ax.set_title(_title(tables))
    ax.legend()
    return figure


def layers_figure(tables: Tables) -> Figure:
    """Moments, saturation and gradient, layer by recorded step, means over the seeds that stayed finite."""
    moments = _moments(tables)
    figure = _figure(9.0, 5.0)
    space = {"left": 0.06, "right": 0.955, "bottom": 0.1, "top": 0.87, "wspace": 0.28, "hspace": 0.42}
    axes = figure.subplots(2, 3, gridspec_kw=space).ravel()
    for ax, (column, title) in zip(axes, MAPS.items(), strict=True):
        grid = moments.pivot_table(index="layer", columns="step", values=column, aggfunc="mean")
        values = grid.to_numpy()
        values = np.log10(values) if column == "gradient_second_moment" else values
        figure.colorbar(ax.pcolormesh(values, cmap="viridis", rasterized=True), ax=ax, pad=0.02)
        ax.set_title(title)
        ax.grid(False)
        _name_cells(ax, grid)
    figure.suptitle(_title(tables))
    return figure


def theory_figure(tables: Tables, theory: Curves) -> Figure:
    """Mean and variance by layer at the first and last record, with the theory's curves, and the gradient's gain."""
    moments = _moments(tables)
    ends = [int(moments["step"].min()), int(moments["step"].max())]
    by_layer = {step: moments[moments["step"] == step].groupby("layer").mean(numeric_only=True) for step in ends}
    figure = _figure(9.0, 3.3)
    space = {"left": 0.06, "right": 0.98, "bottom": 0.26, "top": 0.82, "wspace": 0.25}
    marks = dict(zip(ends, ({"marker": "o", "fillstyle": "none"}, {"marker": "s"}), strict=False))
    look = {"linestyle": "none", "markersize": 3, "color": shade(_network(tables), 0, 1)}
    axes = figure.subplots(1, 3, gridspec_kw=space)
    for ax, (column, title) in zip(axes[:2], COMPARED.items(), strict=True):
        for step, values in by_layer.items():
            ax.plot(values[column], label=f"measured, step {step}", **look, **marks[step])
        for style, (name, curve) in zip(THEORY, theory.get(column, {}).items(), strict=False):
            ax.plot(range(1, len(curve) + 1), curve, label=name, **style)
        ax.set_title(title)
    # Below, where no point can lie
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=4)
    for step, values in by_layer.items():
        gradient = values["gradient_second_moment"]
        axes[2].plot(gradient / gradient.iloc[-1], **look, **marks[step])
    axes[2].set_yscale("log")
    axes[2].set_title("mean-square gradient over the last's")
    for ax in axes:
        ax.set_xlabel("layer")
    figure.suptitle(_title(tables))
    return figure


def _figure(width_in: float, height_in: float) -> Figure:
    """With margins given, not searched for: searching takes longer than drawing, and every run waits for it."""
    figure = Figure(figsize=(width_in, height_in))
    figure.set_layout_engine("none")
    return figure


def _curves(tables: Tables) -> SeedCurves:
    curves = seed_curves(tables, str(tables.cells["cell"].iloc[0]))
    if not curves.seeds:
        raise ValueError(f"every seed of {curves.name} diverged: there is no curve to draw")
    return curves


def _moments(tables: Tables) -> pd.DataFrame:
    moments = tables.moments[tables.moments["seed"].isin(_curves(tables).seeds)]
    if moments.empty:
        raise ValueError("no moments were recorded")
    return moments


def _network(tables: Tables) -> str:
    return str(tables.cells["network"].iloc[0])


def _title(tables: Tables) -> str:
    cell = tables.cells.iloc[0]
    return f"{cell['dataset']}, {cell['network']}, {cell['depth']} layers, {len(_curves(tables).seeds)} seeds"


def _name_cells(ax: Axes, grid: pd.DataFrame) -> None:
    """Ticks in the middle of some cells; recorded steps are spaced ever more widely, so each has an equal column."""
    for axis, names in ((ax.xaxis, grid.columns), (ax.yaxis, grid.index)):
        shown = np.unique(np.linspace(0, len(names) - 1, min(5, len(names))).round().astype(int))
        axis.set_ticks(shown + 0.5, [str(names[i]) for i in shown])
    ax.set_xlabel("update steps")
    ax.set_ylabel("layer")
