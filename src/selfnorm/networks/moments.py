"""Layer moments as a torchmetric, exact over batches, accumulation steps and processes.

In: what enters and leaves an activation function, its slopes and gradients, of any shape. Out: float64 moments.
Legend: R replica, B batch, S samples (batch and positions together), U unit, L layer, T the units of all layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

SATURATED_SLOPE = 0.05


def is_recorded(count: int, every: int | None) -> bool:
    """Return whether moments are taken at `count`: every so many, or log-spaced, about four to a doubling.

    Log-spaced: 0 to 7 all, to 15 every second, to 31 every fourth, and so on.
    """
    spacing = every or max(1, 1 << max(0, count.bit_length() - 3))
    return count % spacing == 0


class UnitMoments(NamedTuple):
    """Samples seen, and mean and sum of squared deviations of each unit: (), (..., U), (..., U) in float64."""

    samples: Tensor
    mean: Tensor
    m2: Tensor


def unit_moments(x_BU: Tensor) -> UnitMoments:
    """Moments over the samples of (..., B, U), by two passes in float64; zeros for an empty batch."""
    x_BU = x_BU.to(torch.float64, copy=True)  # a copy always: it is overwritten
    count = torch.tensor(x_BU.shape[-2], dtype=torch.float64, device=x_BU.device)
    mean = x_BU.mean(-2) if x_BU.shape[-2] else x_BU.sum(-2)
    return UnitMoments(count, mean, x_BU.sub_(mean.unsqueeze(-2)).square_().sum(-2))


def merge_moments(a: UnitMoments, b: UnitMoments) -> UnitMoments:
    """Moments of the union of two samples (Chan, Golub and LeVeque 1983, Eq. 2.1); exact, with no cancellation."""
    samples = a.samples + b.samples
    share = b.samples / samples.clamp(min=1)
    delta = b.mean - a.mean
    return UnitMoments(samples, a.mean + delta * share, a.m2 + b.m2 + delta.square() * a.samples * share)


def _merge_stacked(states_N3: Tensor) -> Tensor:
    """Merge N states, (N, 3, ...), into one, (3, ...)."""
    return torch.stack(reduce(merge_moments, (UnitMoments(*state_3) for state_3 in states_N3)))


class LayerBatch(NamedTuple):
    """The moments of one layer in one batch, per replica; `measure_layer` makes them."""

    preactivation: UnitMoments
    activation: UnitMoments
    saturated_R: Tensor  # the number of values whose slope is nearly 0
    gradient_R: Tensor  # the sum of the squared gradients


def units_last(x: Tensor, unit_dim: int | None = None) -> Tensor:
    """Return (R, batch, ...) as (R, S, U): every place that is not a unit is a sample.

    Units are the features, the last dimension, of (R, batch, features) and (R, batch, tokens, features), and the
    channels of (R, batch, channels, height, width) and of more dimensions. unit_dim: another dimension of x.
    """
    if unit_dim is None:
        unit_dim = -1 if x.ndim <= 4 else 2
    return x.movedim(unit_dim, -1).flatten(1, -2)


def measure_layer(z: Tensor, a: Tensor, slope: Tensor, gradient: Tensor, *, unit_dim: int | None = None) -> LayerBatch:
    """Reduce one layer's z and a = f(z), f'(z) and the gradient with respect to z, of one shape (`units_last`)."""
    return LayerBatch(
        unit_moments(units_last(z, unit_dim)),
        unit_moments(units_last(a, unit_dim)),
        (slope.abs() < SATURATED_SLOPE).flatten(1).sum(1, dtype=torch.int32),
        gradient.double().square().flatten(1).sum(1),
    )


class LayerMoments(Metric):
    """Moments of what enters (z) and leaves (a) every activation function, per replica and layer.

    num_units: of every layer. A plain network is one replica: its tensors are given as x[None].
    `compute` returns (R, L) tensors in float64: mean and variance over units and samples; standard deviation over units
    of the unit means and of the unit variances; the fraction of saturated units (|f'(z)| < 0.05); the mean square of
    the gradient of one sample's loss with respect to z. Without samples all are NaN.

    Example, one replica with one layer of two units and three samples:

    >>> z_RBU = torch.tensor([[[0.0, 1.0], [1.0, 2.0], [2.0, 6.0]]])
    >>> moments = LayerMoments(num_units=[2])
    >>> moments.update([measure_layer(z_RBU, z_RBU.tanh(), slope=1 - z_RBU.tanh() ** 2, gradient=0.5 * z_RBU)])
    >>> found = moments.compute()
    >>> found["preactivation_mean"], found["preactivation_variance"]  # unit means 1 and 3, unit variances 2/3 and 14/3
    (tensor(2., dtype=torch.float64), tensor(3.6667, dtype=torch.float64))
    >>> found["saturated"], found["gradient_second_moment"]
    (tensor(0.1667, dtype=torch.float64), tensor(1.9167, dtype=torch.float64))
    """

    full_state_update = False
    moments_32RT: Tensor
    saturated_RL: Tensor
    gradient_RL: Tensor

    def __init__(self, num_units: Sequence[int], num_replicas: int = 1) -> None:
        super().__init__()
        self.num_units = list(num_units)
        # UnitMoments of z and a in one tensor, so that torchmetrics merges them together, wherever it merges states
        moments_32RT = torch.zeros(3, 2, num_replicas, sum(self.num_units), dtype=torch.float64)
        sums_RL = torch.zeros(num_replicas, len(self.num_units), dtype=torch.float64)
        self.add_state("moments_32RT", moments_32RT, dist_reduce_fx=_merge_stacked)
        self.add_state("saturated_RL", sums_RL, dist_reduce_fx="sum")
        self.add_state("gradient_RL", sums_RL.clone(), dist_reduce_fx="sum")

    def update(self, layers: Iterable[LayerBatch]) -> None:
        """Add one batch, a `LayerBatch` for each layer."""
        batch_32RT = torch.empty_like(self.moments_32RT)
        # Results are written in place, a layer at a time: small tensors between freed copies would keep that memory
        # from being used again, and 32 layers took 105 MiB (docs/speed.md)
        places = batch_32RT.split(self.num_units, dim=-1)
        for index, (place_32RU, layer) in enumerate(zip(places, layers, strict=True)):
            for i, moments in enumerate((layer.preactivation, layer.activation)):
                for state_2RU, value in zip(place_32RU, moments, strict=True):
                    state_2RU[i] = value
            self.saturated_RL[:, index] += layer.saturated_R
            self.gradient_RL[:, index] += layer.gradient_R
        self.moments_32RT = _merge_stacked(torch.stack([self.moments_32RT, batch_32RT]))

    def compute(self) -> dict[str, Tensor]:
        layers = [
            _layer_moments(UnitMoments(*moments_32RU), self.saturated_RL[:, layer], self.gradient_RL[:, layer])
            for layer, moments_32RU in enumerate(self.moments_32RT.split(self.num_units, dim=-1))
        ]
        return {name: torch.stack([layer[name] for layer in layers], dim=-1) for name in layers[0]}


def _layer_moments(merged: UnitMoments, saturated_R: Tensor, gradient_R: Tensor) -> dict[str, Tensor]:
    unit_variance_2RU = merged.m2 / merged.samples
    unit_mean_2RU = torch.where(merged.samples > 0, merged.mean, torch.nan)
    mean_2R = unit_mean_2RU.mean(-1)
    variance_2R = unit_variance_2RU.mean(-1) + unit_mean_2RU.var(-1, correction=0)  # within plus between units
    moments: dict[str, Tensor] = {}
    for i, name in enumerate(("preactivation", "activation")):
        moments[f"{name}_mean"] = mean_2R[i]
        moments[f"{name}_variance"] = variance_2R[i]
        moments[f"{name}_unit_mean_sd"] = unit_mean_2RU[i].std(-1, correction=0)
        moments[f"{name}_unit_variance_sd"] = unit_variance_2RU[i].std(-1, correction=0)
    values = merged.samples[0, :, 0] * merged.mean.shape[-1]
    moments["saturated"] = torch.where(mean_2R[0].isfinite(), saturated_R / values, torch.nan)
    moments["gradient_second_moment"] = gradient_R / values
    return moments
