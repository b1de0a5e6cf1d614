"""The report that `selfnorm.check` returns: a table, sentences and a picture.

In: the measured layers and what was found. Out: text, a pandas table, a matplotlib figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfnorm.checking.layers import Layer

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Report:
    """layers: one row for each call of a layer. findings: what is wrong. notes: what could not be seen."""

    layers: list[Layer]
    findings: list[str]
    notes: list[str]

    @property
    def table(self) -> pd.DataFrame:
        """A row per layer: what it is, the moments that `LayerMoments` documents, and the theory's (`_theory`).

        gain: the sum over its inputs of a unit's squared weights, on average. gain_needed: the gain under which the
        activation function keeps a second moment of 1. chi: the factor on the mean square of a gradient, from gain and
        slopes. NaN: not known. Needs pandas (`pip install 'selfnorm[analysis]'`).
        """
        import pandas as pd

        parts = ("weights", "normalization", "activation")
        named = [{"layer": layer.name} | {part: getattr(layer.row, part) for part in parts} for layer in self.layers]
        return pd.DataFrame([names | layer.values for names, layer in zip(named, self.layers, strict=True)])

    def __repr__(self) -> str:  # a notebook shows it without print
        head = list(_COLUMNS)
        lines = [head, *([show(layer) for show in _COLUMNS.values()] for layer in self.layers)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
        said = self.findings or ["Nothing wrong was found."]
        about = ["The theory's value stands in brackets; gradients are squares, summed over the layer."]
        return "\n".join([line.rstrip() for line in table] + about + [""] + [f"- {line}" for line in said + self.notes])

    def plot(self) -> Figure:
        """Draw each layer's variances, with the theory's, and its gradient. Needs matplotlib."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(9, 3.2), layout="constrained")
        axes = figure.subplots(1, 3, sharex=True)
        places = range(len(self.layers))
        for ax, kind in zip(axes, ("preactivation", "activation"), strict=False):
            values = [layer.values for layer in self.layers]
            ax.plot(places, [value[f"{kind}_variance"] for value in values], "o-", label="measured")
            ax.plot(places, [value[f"{kind}_variance_theory"] for value in values], "k+", label="theory")
            ax.set_title(f"variance of the {kind}")
            ax.legend()
        axes[2].plot(places, [layer.gradient_sum for layer in self.layers], "o-")
        axes[2].set_title("gradient, sum of squares")
        for ax in axes:
            ax.set_yscale("log")
            ax.set_xlabel("layer")
        return figure


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"


def _beside(column: str) -> Callable[[Layer], str]:
    """A measured column with the theory's in brackets."""

    def show(layer: Layer) -> str:
        measured, theory = _number(layer.values[column]), _number(layer.values[f"{column}_theory"])
        return f"{measured} ({theory})" if measured and theory else measured

    return show


_COLUMNS: dict[str, Callable[[Layer], str]] = {
    "layer": lambda layer: layer.name,
    "weights": lambda layer: layer.row.weights,
    "gain": lambda layer: _number(layer.values["gain"]),
    "needed": lambda layer: _number(layer.values["gain_needed"]),
    "chi": lambda layer: _number(layer.values["chi"]),
    "z: mean": lambda layer: _number(layer.values["preactivation_mean"]),
    "variance": _beside("preactivation_variance"),
    "a: mean": _beside("activation_mean"),
    "variance ": _beside("activation_variance"),
    "saturated": lambda layer: _number(layer.values["saturated"]),
    "gradient": lambda layer: _number(layer.gradient_sum),
}
