"""Moments that the theory predicts beside those that a run recorded, layer by layer, and the error of each map.

In: a network's overlay and its rows of moments.csv. Out: a tidy table, a row per run, seed, time, layer and quantity,
with the measured value, each map's, and its error (predicted - measured); errors over the layers with intervals.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.inference import mean_interval
from selfnorm.theory.prediction import LayerMoments

MAPS = {"paper": "the paper's map", "second_moment": "the second-moment map", "per_unit": "the per-unit map"}
# mean and variance: over units and samples; unit_mean_sd: standard deviation over units of their means;
# chi: mean square of the gradient that reaches a layer's pre-activations over that at the next layer's.
QUANTITIES = ("mean", "variance", "unit_mean_sd", "chi")
TIMES = ("initial", "trained")
RUN = ["dataset", "network", "depth", "width", "run"]
CELL = [*RUN, "when", "step", "quantity"]  # what seeds and layers are averaged in
KEYS = [*RUN, "when", "step", "seed", "layer", "quantity"]
SMALLEST = 1e-12  # errors below are rounding; it keeps their logarithm finite


def measured(recorded: pd.DataFrame) -> dict[str, np.ndarray]:
    """Each quantity by layer, (layer,), chi (layer - 1,), from one network's rows of moments.csv at one step.

    Raises ValueError for a table without rows or without one of the columns.
    """
    columns = [*(f"activation_{name}" for name in ("mean", "variance", "unit_mean_sd")), "gradient_second_moment"]
    missing = [name for name in columns if name not in recorded]
    if missing or recorded.empty:
        raise ValueError(f"moments.csv has no {', '.join(missing) or 'row'}: run it again")
    rows = recorded.sort_values("layer")
    gradient = rows["gradient_second_moment"].to_numpy()
    nonzero = np.where(gradient[1:] > 0, gradient[1:], np.nan)  # a dead network has no gradient to compare
    moments = {name: rows[f"activation_{name}"].to_numpy() for name in ("mean", "variance", "unit_mean_sd")}
    return moments | {"chi": gradient[:-1] / nonzero}


def layer_table(overlay: Mapping[str, LayerMoments], recorded: pd.DataFrame, **labels: Any) -> pd.DataFrame:
    """One network at one step as tidy rows; `labels` are put in front as columns."""
    truth, parts = measured(recorded), []
    for quantity in QUANTITIES:
        values = {name: getattr(overlay[name], quantity) for name in MAPS}
        layers = np.arange(1, len(truth[quantity]) + 1)
        parts.append(pd.DataFrame({"layer": layers, "quantity": quantity, "measured": truth[quantity], **values}))
    return with_errors(pd.concat(parts, ignore_index=True).assign(**labels)[[*labels, *parts[0].columns]])


def with_errors(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a column <map>_error for every map."""
    return table.assign(**{f"{name}_error": table[name] - table["measured"] for name in MAPS})


def seed_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Mean absolute error over the layers: a row per run, time, quantity and seed, a column per map.

    `scatter` is what no map of random weights can undercut: the mean absolute deviation of the measured value from its
    mean over seeds, enlarged by sqrt(n / (n - 1)) since that mean is of these n.
    """
    layers = table.groupby([*CELL, "layer"])["measured"]
    n = layers.transform("count")
    scatter = (table["measured"] - layers.transform("mean")).abs() * np.sqrt(n / (n - 1).where(n > 1))
    absolute = {name: table[f"{name}_error"].abs() for name in MAPS} | {"scatter": scatter}
    return table.assign(**absolute).groupby([*CELL, "seed"], sort=False)[list(absolute)].mean().reset_index()


def summary(table: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """A row per run, time, quantity and map: geometric mean over n seeds of the error, t interval, whether closest.

    closest: the map of smallest error, and every other whose error is not told apart from it: the interval of the
    paired ratio, seed by seed, holds 1. A single seed tells nothing apart by an interval: the smallest is closest.
    """
    rows = []
    for key, group in seed_errors(table).groupby(CELL, sort=False):
        logs = {name: _logs(group[name]) for name in (*MAPS, "scatter")}
        scatter = float(np.exp(logs.pop("scatter").mean())) if len(logs["scatter"]) else np.nan
        logs = {name: values for name, values in logs.items() if len(values)}
        best = min(logs, key=lambda name: logs[name].mean(), default="")
        for name, values in logs.items():
            error, low, high = mean_interval(values, confidence)
            _, _, ratio_high = mean_interval(logs[best] - values, confidence)
            found = {"map": name, "n": len(values), "error": error, "low": low, "high": high}
            closest = name == best or bool(ratio_high >= 1)
            rows.append(dict(zip(CELL, key, strict=True)) | found | {"closest": closest, "scatter": scatter})
    return pd.DataFrame(rows)


def _logs(errors: pd.Series) -> np.ndarray:
    """The logs of the seeds that have the quantity: a map may say nothing of it, a dead network has no gradient."""
    return np.log(np.maximum(errors.dropna().to_numpy(), SMALLEST))
