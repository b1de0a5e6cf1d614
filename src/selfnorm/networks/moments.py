"""Layer moments as a torchmetric, exact over batches, accumulation steps and processes.

In: what enters and leaves an activation function, its slopes and gradients, of any shape. Out: float64 moments.
Legend: R replica, B batch, S samples (batch and positions together), U unit, L layer, T the units of all layers,
M moments of a unit.
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
    """What the samples show of each unit, in float64: their number (), the rest (..., U).

    m2, m3, m4: sums of powers of the deviations from the mean. direction: the sum over samples of x / |x|, where |x| is
    the length of a sample's vector of units; NaN if a sample has length 0.
    """

    samples: Tensor
    mean: Tensor
    m2: Tensor
    m3: Tensor
    m4: Tensor
    direction: Tensor


def unit_moments(x_BU: Tensor) -> UnitMoments:
    """Moments over the samples of (..., B, U), by two passes in float64; zeros for an empty batch."""
    x_BU = x_BU.to(torch.float64, copy=True)  # a copy always: it is overwritten
    count = torch.tensor(x_BU.shape[-2], dtype=torch.float64, device=x_BU.device)
    direction = (x_BU / x_BU.norm(dim=-1, keepdim=True)).sum(-2)
    mean = x_BU.mean(-2) if x_BU.shape[-2] else x_BU.sum(-2)
    square_BU = x_BU.sub_(mean.unsqueeze(-2)).square()
    m2, m3 = square_BU.sum(-2), x_BU.mul_(square_BU).sum(-2)
    return UnitMoments(count, mean, m2, m3, square_BU.square_().sum(-2), direction)


def merge_moments(a: UnitMoments, b: UnitMoments) -> UnitMoments:
    """Moments of the union of two samples, exact, with no cancellation.

    Chan, Golub and LeVeque (1983), Eq. 2.1 for the second; Pebay (2008), Eqs. 2.1 and 2.2 for the third and fourth.
    """
    samples = a.samples + b.samples
    share_a, share_b = (part.samples / samples.clamp(min=1) for part in (a, b))
    delta = b.mean - a.mean
    product = a.samples * share_b  # n_a n_b / n
    square = delta.square()
    return UnitMoments(
        samples,
        a.mean + delta * share_b,
        a.m2 + b.m2 + square * product,
        a.m3 + b.m3 + delta * (square * product * (share_a - share_b) + 3 * (share_a * b.m2 - share_b * a.m2)),
        a.m4
        + b.m4
        + square * square * product * (share_a.square() - share_a * share_b + share_b.square())
        + 6 * square * (share_a.square() * b.m2 + share_b.square() * a.m2)
        + 4 * delta * (share_a * b.m3 - share_b * a.m3),
        a.direction + b.direction,
    )


def _merge_stacked(states_NM: Tensor) -> Tensor:
    """Merge N states of M moments each, (N, M, ...), into one, (M, ...)."""
    return torch.stack(reduce(merge_moments, (UnitMoments(*state_M) for state_M in states_NM)))


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
    `compute` returns (R, L) tensors in float64: mean, variance and kurtosis (3 for a Gaussian) over units and samples;
    standard deviation over units of the unit means and of the unit variances; the mean cosine between two samples; the
    fraction of saturated units (|f'(z)| < 0.05); the mean square of the gradient of one sample's loss with respect to
    z. Without samples all are NaN.

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
    moments_M2RT: Tensor
    saturated_RL: Tensor
    gradient_RL: Tensor

    def __init__(self, num_units: Sequence[int], num_replicas: int = 1) -> None:
        super().__init__()
        self.num_units = list(num_units)
        # UnitMoments of z and a in one tensor, so that torchmetrics merges them together, wherever it merges states
        moments_M2RT = torch.zeros(len(UnitMoments._fields), 2, num_replicas, sum(self.num_units), dtype=torch.float64)
        sums_RL = torch.zeros(num_replicas, len(self.num_units), dtype=torch.float64)
        self.add_state("moments_M2RT", moments_M2RT, dist_reduce_fx=_merge_stacked)
        self.add_state("saturated_RL", sums_RL, dist_reduce_fx="sum")
        self.add_state("gradient_RL", sums_RL.clone(), dist_reduce_fx="sum")

    def update(self, layers: Iterable[LayerBatch]) -> None:
        """Add one batch, a `LayerBatch` for each layer."""
        batch_M2RT = torch.empty_like(self.moments_M2RT)
        # Results are written in place, a layer at a time: small tensors between freed copies would keep that memory
        # from being used again, and 32 layers took 105 MiB (docs/speed.md)
        places = batch_M2RT.split(self.num_units, dim=-1)
        for index, (place_M2RU, layer) in enumerate(zip(places, layers, strict=True)):
            for i, moments in enumerate((layer.preactivation, layer.activation)):
                for state_2RU, value in zip(place_M2RU, moments, strict=True):
                    state_2RU[i] = value
            self.saturated_RL[:, index] += layer.saturated_R
            self.gradient_RL[:, index] += layer.gradient_R
        self.moments_M2RT = _merge_stacked(torch.stack([self.moments_M2RT, batch_M2RT]))

    def compute(self) -> dict[str, Tensor]:
        layers = [
            _layer_moments(UnitMoments(*moments_M2RU), self.saturated_RL[:, layer], self.gradient_RL[:, layer])
            for layer, moments_M2RU in enumerate(self.moments_M2RT.split(self.num_units, dim=-1))
        ]
        return {name: torch.stack([layer[name] for layer in layers], dim=-1) for name in layers[0]}


def _layer_moments(merged: UnitMoments, saturated_R: Tensor, gradient_R: Tensor) -> dict[str, Tensor]:
    unit_variance_2RU = merged.m2 / merged.samples
    unit_mean_2RU = torch.where(merged.samples > 0, merged.mean, torch.nan)
    mean_2R = unit_mean_2RU.mean(-1)
    variance_2R = unit_variance_2RU.mean(-1) + unit_mean_2RU.var(-1, correction=0)  # within plus between units
    n = merged.samples[0, :, 0]
    apart_2RU = unit_mean_2RU - mean_2R.unsqueeze(-1)  # of the unit's mean from the layer's
    m4_2RU = merged.m4 + 4 * apart_2RU * merged.m3 + 6 * apart_2RU.square() * merged.m2
    m4_2R = (m4_2RU / merged.samples + apart_2RU**4).mean(-1)
    cosine_2R = (merged.direction.square().sum(-1) - n) / (n * (n - 1))  # over the pairs of two samples
    moments: dict[str, Tensor] = {}
    for i, name in enumerate(("preactivation", "activation")):
        moments[f"{name}_mean"] = mean_2R[i]
        moments[f"{name}_variance"] = variance_2R[i]
        moments[f"{name}_unit_mean_sd"] = unit_mean_2RU[i].std(-1, correction=0)
        moments[f"{name}_unit_variance_sd"] = unit_variance_2RU[i].std(-1, correction=0)
        moments[f"{name}_kurtosis"] = m4_2R[i] / variance_2R[i].square()
        moments[f"{name}_cosine"] = cosine_2R[i]
    values = n * merged.mean.shape[-1]
    moments["saturated"] = torch.where(mean_2R[0].isfinite(), saturated_R / values, torch.nan)
    moments["gradient_second_moment"] = gradient_R / values
    return moments
