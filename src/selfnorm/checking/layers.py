"""The rows of a report: what a pass measured of each layer, with the theory beside it.

In: a `Trace` after its pass. Out: a `Layer` for each row. Each prediction starts from what was measured one step
before: a pre-activation's variance from what enters the weights, an activation's moments from the pre-activation's.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from selfnorm.checking.functions import theory_of
from selfnorm.checking.row import Row
from selfnorm.checking.trace import Trace
from selfnorm.theory.selu import Selu

THEORY = (
    "gain",
    "gain_needed",
    "chi",
    *("preactivation_variance_theory", "activation_mean_theory", "activation_variance_theory"),
)


class Layer(NamedTuple):
    """A row, its name, what it measured by column of `LayerMoments`, and the columns of `THEORY`; NaN: not known."""

    name: str
    row: Row
    values: dict[str, float]

    @property
    def is_selu(self) -> bool:
        return self.row.function is not None and isinstance(theory_of(self.row.function), Selu)

    @property
    def entered(self) -> tuple[float, float]:
        """Mean and mean square of what enters the weights; NaN without weights."""
        mean, square = self.row.entered or (math.nan, math.nan)
        return float(mean), float(square)

    @property
    def gradient_sum(self) -> float:
        """The sum of the squared gradients: unlike the mean, weights of gain 1 keep it where the width changes."""
        return math.nan if self.row.gradient is None else float(self.row.gradient)

    @property
    def second_moment(self) -> float:
        """That of the activations; of the pre-activations where those were not seen."""
        kind = "preactivation" if self.row.a is None else "activation"
        return self.values[f"{kind}_mean"] ** 2 + self.values[f"{kind}_variance"]


def layers_of(trace: Trace) -> list[Layer]:
    if not trace.rows:
        return []
    metric = trace.metric()
    metric.update(row.batch() for row in trace.rows)
    columns = {name: values.flatten().tolist() for name, values in metric.compute().items()}
    layers = []
    for i, (name, row) in enumerate(zip(trace.labels(), trace.rows, strict=True)):
        values = {column: numbers[i] for column, numbers in columns.items()}
        layers.append(Layer(name, row, values | _theory(row, values)))
    return layers


def _theory(row: Row, measured: dict[str, float]) -> dict[str, float]:
    theory = dict.fromkeys(THEORY, math.nan)
    mean, variance = (np.array(measured[f"preactivation_{moment}"]) for moment in ("mean", "variance"))
    if row.module is not None and row.entered is not None:
        weight, bias = (None if p is None else p.detach().double() for p in (row.module.weight, row.module.bias))
        assert weight is not None
        theory["gain"] = float(weight.flatten(1).square().sum(1).mean())  # the weights' tau
        if not row.normalization:
            of_bias = 0.0 if bias is None else float(bias.var(correction=0))
            theory["preactivation_variance_theory"] = theory["gain"] * float(row.entered[1]) + of_bias
    if row.function is not None:
        f = theory_of(row.function)
        theory["gain_needed"] = 1 / float(f.second_moment(np.array(0.0), np.array(1.0)))  # keeps a second moment of 1
        entered = not (row.hidden and row.normalization)  # else z was measured before the normalization
        if entered and np.isfinite(mean) and 0 < variance < np.inf:
            moments = f.moments(mean, variance)
            theory["activation_mean_theory"], theory["activation_variance_theory"] = map(float, moments[:2])
            if not row.normalization:  # which scales gradients too
                theory["chi"] = theory["gain"] * float(f.slope_squared(mean, variance))
    return theory
