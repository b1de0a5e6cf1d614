"""Training error and layer moments of every replica as torchmetrics, exact over batches and processes.

Legend: R replica, B batch, C classes, L hidden layer, U unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from selfnorm.networks.mlp import LayerTrace


class Error(NamedTuple):
    """Mean cross-entropy in nats and fraction of right answers, (R,) each."""

    loss_R: Tensor
    accuracy_R: Tensor


class ReplicaError(Metric):
    """Mean cross-entropy and accuracy per replica, summed in float64."""

    full_state_update = False
    loss_R: Tensor
    correct_R: Tensor
    count: Tensor

    def __init__(self, num_replicas: int) -> None:
        super().__init__()
        self.add_state("loss_R", torch.zeros(num_replicas, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("correct_R", torch.zeros(num_replicas, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, loss_RB: Tensor, logits_RBC: Tensor, y_RB: Tensor) -> None:
        self.loss_R += loss_RB.sum(1, dtype=torch.float64)
        self.correct_R += (logits_RBC.argmax(2) == y_RB).sum(1)
        self.count += y_RB.shape[1]

    def compute(self) -> Error:
        # A diverged replica answers class 0 for NaN logits; that is no accuracy
        accuracy_R = torch.where(self.loss_R.isfinite(), self.correct_R / self.count, torch.nan)
        return Error(self.loss_R / self.count, accuracy_R)


class UnitMoments(NamedTuple):
    """Samples seen, and mean and sum of squared deviations of each unit: (), (..., U), (..., U) in float64."""

    samples: Tensor
    mean: Tensor
    m2: Tensor


def unit_moments(x_BU: Tensor) -> UnitMoments:
    """Moments over the samples of (..., B, U), by two passes in float64."""
    x_BU = x_BU.to(torch.float64, copy=True)  # a copy always: it is overwritten
    count = torch.tensor(x_BU.shape[-2], dtype=torch.float64, device=x_BU.device)
    mean = x_BU.mean(-2)
    return UnitMoments(count, mean, x_BU.sub_(mean.unsqueeze(-2)).square_().sum(-2))


def merge_moments(a: UnitMoments, b: UnitMoments) -> UnitMoments:
    """Moments of the union of two samples (Chan, Golub and LeVeque 1983, Eq. 2.1); exact, with no cancellation."""
    samples = a.samples + b.samples
    share = b.samples / samples.clamp(min=1)
    delta = b.mean - a.mean
    return UnitMoments(samples, a.mean + delta * share, a.m2 + b.m2 + delta.square() * a.samples * share)


class LayerMoments(Metric):
    """Moments of what enters (z) and leaves (a) every activation function, per replica and layer.

    `compute` returns (R, L) tensors in float64: mean and variance over units and samples; standard deviation over units
    of the unit means and of the unit variances; the fraction of saturated units (|f'(z)| < 0.05); the mean square of
    the gradient of one sample's loss with respect to z.
    """

    SATURATED_SLOPE = 0.05

    full_state_update = False
    count: Tensor
    mean_2RLU: Tensor
    m2_2RLU: Tensor
    saturated_RL: Tensor
    gradient_RL: Tensor

    def __init__(self, num_replicas: int, num_layers: int, num_units: int) -> None:
        super().__init__()
        both = (2, num_replicas, num_layers, num_units)  # z and a
        # None gathers the states of all processes, stacked in front; `compute` merges them
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx=None)
        self.add_state("mean_2RLU", torch.zeros(both, dtype=torch.float64), dist_reduce_fx=None)
        self.add_state("m2_2RLU", torch.zeros(both, dtype=torch.float64), dist_reduce_fx=None)
        self.add_state("saturated_RL", torch.zeros(both[1:3], dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("gradient_RL", torch.zeros(both[1:3], dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, traces: Sequence[LayerTrace], slopes: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """traces, f'(z) and the gradients that reach z of one batch, a layer each, (R, B, U)."""
        samples = torch.tensor(gradients[0].shape[1], dtype=torch.float64, device=self.count.device)
        batch = UnitMoments(samples, torch.empty_like(self.mean_2RLU), torch.empty_like(self.m2_2RLU))
        # Results go where they stay, a layer at a time: small ones between freed copies would keep those from being
        # used again, and 32 layers took 105 MiB (docs/speed.md)
        for layer, (trace, slope_RBU, gradient_RBU) in enumerate(zip(traces, slopes, gradients, strict=True)):
            for i, x_RBU in enumerate(trace):
                _, batch.mean[i, :, layer], batch.m2[i, :, layer] = unit_moments(x_RBU)
            self.saturated_RL[:, layer] += (slope_RBU.abs() < self.SATURATED_SLOPE).sum((1, 2), dtype=torch.int32)
            self.gradient_RL[:, layer] += gradient_RBU.double().square().sum((1, 2))
        self.count, self.mean_2RLU, self.m2_2RLU = merge_moments(
            UnitMoments(self.count, self.mean_2RLU, self.m2_2RLU), batch
        )

    def compute(self) -> dict[str, Tensor]:
        merged = UnitMoments(self.count, self.mean_2RLU, self.m2_2RLU)
        if self.count.ndim:  # gathered from several processes
            merged = UnitMoments(self.count[0], self.mean_2RLU[0], self.m2_2RLU[0])
            for other in zip(self.count[1:], self.mean_2RLU[1:], self.m2_2RLU[1:], strict=True):
                merged = merge_moments(merged, UnitMoments(*other))
        unit_variance_2RLU = merged.m2 / merged.samples
        mean_2RL = merged.mean.mean(-1)
        variance_2RL = unit_variance_2RLU.mean(-1) + merged.mean.var(-1, correction=0)  # within plus between units
        found: dict[str, Tensor] = {}
        for i, name in enumerate(("preactivation", "activation")):
            found[f"{name}_mean"] = mean_2RL[i]
            found[f"{name}_variance"] = variance_2RL[i]
            found[f"{name}_unit_mean_sd"] = merged.mean[i].std(-1, correction=0)
            found[f"{name}_unit_variance_sd"] = unit_variance_2RLU[i].std(-1, correction=0)
        values = merged.samples * merged.mean.shape[-1]
        found["saturated"] = torch.where(mean_2RL[0].isfinite(), self.saturated_RL / values, torch.nan)
        found["gradient_second_moment"] = self.gradient_RL / values
        return found
