"""Sentences about what is wrong with a network, each with its numbers, from the layers of one pass.

In: the measured layers. Out: findings, and notes on what could not be seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from selfnorm.checking.functions import value_and_slope
from selfnorm.checking.layers import Layer
from selfnorm.checking.row import Row
from selfnorm.networks.moments import SATURATED_SLOPE
from selfnorm.theory.dropout import standard_dropout

DRIFT = 1e3  # a factor on the second moment, from the first layer to the last
GRADIENT_DRIFT = 1e4  # on the sum of squared gradients
GAINS: dict[str, Callable[[Layer], float]] = {
    "torch's default initialization, 1/3": lambda layer: 1 / 3,
    "Kaiming's initialization, 2": lambda layer: 2.0,
    "torch's calculate_gain('selu') = 3/4, squared": lambda layer: 9 / 16,
    "Xavier's initialization": lambda layer: 2 / (1 + _fan_out_per_in(layer)),
    "Xavier's initialization with calculate_gain('selu')": lambda layer: 9 / 8 / (1 + _fan_out_per_in(layer)),
}


def findings(layers: Sequence[Layer], dropouts: Iterable[tuple[str, float, Row]]) -> list[str]:
    """Say what is wrong; where values are not finite, only that."""
    if broken := list(_not_finite(layers)):
        return broken
    selu = [layer for layer in layers if layer.is_selu]
    said = [*_inputs(layers), *_gains(selu), *_normalized(selu), *_dropouts(selu, dropouts)]
    return [*said, *_dead(layers), *_paths(layers)]


def notes(layers: Sequence[Layer]) -> Iterator[str]:
    """Say what the hooks could not see."""
    if hidden := [layer for layer in layers if layer.row.hidden]:
        functions = " and ".join(sorted({layer.row.activation for layer in hidden}))
        yield (
            f"After {_names(hidden)} {functions} was called as a function, which no hook sees: "
            "the activations themselves were not measured there."
        )
    if not layers:
        yield "No linear map, convolution or activation module was called: there is nothing to measure."
    elif all(math.isnan(layer.gradient_sum) for layer in layers):
        yield "No gradient reached any layer: the output does not depend on them differentiably."


def _not_finite(layers: Sequence[Layer]) -> Iterator[str]:
    for i, layer in enumerate(layers):
        entered, z = layer.entered[1], layer.values["preactivation_variance"]
        a = layer.values["activation_variance"] if layer.row.a else z
        if layer.row.entered and not math.isfinite(entered):
            where = "the batch itself" if layer.row.raw else f"a step before `{layer.row.weights}` that no hook sees"
            before = f"; every layer up to `{layers[i - 1].name}` is finite" if i else ""
            yield f"NaN or infinity begins in {where}: what enters `{layer.row.weights}` is not finite{before}."
            return
        if not math.isfinite(z) or not math.isfinite(a):
            part = layer.row.weights if not math.isfinite(z) and layer.row.weights else layer.row.activation
            weights = [] if layer.row.module is None else [p.detach() for p in layer.row.module.parameters()]
            bad = sum(int((~weight.isfinite()).sum()) for weight in weights)
            cause = f", where {bad} weights are not finite" if bad else ", although all its weights are finite"
            yield f"NaN or infinity begins in `{part or layer.name}`{cause if weights else ''}: what enters is finite."
            return
    lost = [layer for layer in layers if layer.row.gradient is not None and not math.isfinite(layer.gradient_sum)]
    if lost:
        yield f"The forward pass is finite, the gradient is not: from `{lost[-1].name}` down to `{lost[0].name}`."


def _inputs(layers: Sequence[Layer]) -> Iterator[str]:
    for layer in layers:
        mean, square = layer.entered
        if layer.row.raw and (abs(mean) > 0.5 or not 1 / 3 < square < 3):
            yield (
                f"The inputs are not standardized: what enters `{layer.row.weights}` has mean {mean:.3g} and variance "
                f"{square - mean**2:.3g}, where the theory takes 0 and 1."
            )


def _gains(selu: Sequence[Layer]) -> Iterator[str]:
    judged = [layer for layer in selu if layer.row.module is not None and not layer.row.normalization]
    off = [layer for layer in judged if _differs(layer, 1.0, math.log(1.25))]
    explained = {
        source: [layer for layer in judged if not _differs(layer, gain(layer), 0.1)] for source, gain in GAINS.items()
    }
    source = max(explained, key=lambda source: (len(_both(explained[source], off)), len(explained[source])))
    found = _both(explained[source], off)
    words = f" ({source})" if found else ""
    named = found or [layer for layer in off if _differs(layer, 1.0, math.log(2))]  # training moves gains
    if named:
        gains = sorted(layer.values["gain"] for layer in named)
        weights = _quoted([layer.row.weights for layer in named])
        span = f"{gains[0]:.3g}" if len(gains) == 1 else f"{gains[0]:.3g} to {gains[-1]:.3g}"
        yield (
            f"SELU needs weights of gain 1 (variance 1 / fan_in), not {span} as in {weights}{words}: "
            f"after `{selu[-1].name}` the second moment is {selu[-1].second_moment:.2g}."
        )


def _both(a: Sequence[Layer], b: Sequence[Layer]) -> list[Layer]:
    return [layer for layer in a if layer in b]


def _differs(layer: Layer, gain: float, log_factor: float) -> bool:
    """Tell whether the layer's gain is another one, beyond four standard errors of a gain of so many random weights."""
    noise = 4 * math.sqrt(2 / _weight(layer).numel())
    return abs(math.log(max(layer.values["gain"], 1e-30) / gain)) > log_factor + noise


def _weight(layer: Layer) -> Tensor:
    assert layer.row.module is not None
    return layer.row.module.weight


def _fan_out_per_in(layer: Layer) -> float:
    weight = _weight(layer)
    return weight.shape[0] / weight.shape[1]


def _normalized(selu: Sequence[Layer]) -> Iterator[str]:
    if layers := [layer for layer in selu if layer.row.normalization == "batch or instance"]:
        yield (
            f"Batch or instance normalization stands before SELU in {len(layers)} of {len(selu)} layers "
            f"({_names(layers)}): it sets mean and variance whatever the weights are, and SELU does not get to."
        )


def _dropouts(selu: Sequence[Layer], dropouts: Iterable[tuple[str, float, Row]]) -> Iterator[str]:
    rows = [layer.row for layer in selu]
    if found := {name: rate for name, rate, row in dropouts if row in rows}:
        rate = next(iter(found.values()))
        _, variance = standard_dropout(rate).moments(0.0, 1.0)
        yield (
            f"Standard dropout follows SELU ({_quoted(list(found))}): with p = {rate:g} it turns the variance 1 into "
            f"{float(variance):.3g} in training; alpha dropout keeps mean and variance."
        )


def _dead(layers: Sequence[Layer]) -> Iterator[str]:
    for layer in layers:
        if layer.row.function is None:
            continue
        if layer.row.a is not None and layer.values["activation_variance"] == 0:
            yield f"`{layer.name}` is dead: all its activations are {layer.values['activation_mean']:.3g}."
        elif layer.values["saturated"] > _saturation_limit(layer):
            share = 100 * layer.values["saturated"]
            yield f"`{layer.name}` is saturated: {share:.3g} % of its slopes are below {SATURATED_SLOPE} in size."


def _saturation_limit(layer: Layer) -> float:
    """Half for a function that is flat on both sides; 0.9 for one that is flat on the left, where half is usual."""
    assert layer.row.function is not None
    _, slopes = value_and_slope(layer.row.function, torch.tensor([-30.0, 30.0], dtype=torch.float64))
    return 0.5 if bool((slopes.abs() < SATURATED_SLOPE).all()) else 0.9


def _paths(layers: Sequence[Layer]) -> Iterator[str]:
    """The layers between the first activation function and the last; an attention's queries lie beside this path."""
    active = [layer for layer in layers if layer.row.function is not None]
    if len(active) > 1:
        moments = [layer.second_moment for layer in active]
        yield from _drift("signal", "second moment", active, moments, DRIFT)
        sums = [layer.gradient_sum for layer in active]
        yield from _drift("gradient", "sum of its squares on the way back", active[::-1], sums[::-1], GRADIENT_DRIFT)


def _drift(what: str, measure: str, path: Sequence[Layer], values: list[float], factor: float) -> Iterator[str]:
    start, end = values[0], values[-1]
    if start > 0 and (end / start > factor or end / start < 1 / factor):
        happens = "vanishes" if end < start else "explodes"
        way = f"from {start:.2g} at `{path[0].name}` to {end:.2g} at `{path[-1].name}`"
        yield f"The {what} {happens}: the {measure} goes {way}."


def _names(layers: Sequence[Layer]) -> str:
    return _quoted([layer.name for layer in layers])


def _quoted(names: Sequence[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return ", ".join(quoted) if len(quoted) <= 3 else f"{quoted[0]}, {quoted[1]} and {len(quoted) - 2} more"
