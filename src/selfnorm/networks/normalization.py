"""Batch and layer normalization of many replicas, each over its own samples.

Legend: R replica, B batch, K groups of G samples each (B = K G), F features.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from selfnorm import config
from selfnorm.networks.phase import Phase


class ReplicaBatchNorm(nn.Module):
    """`nn.BatchNorm1d` per replica; over a batch that is spread over processes when the phase is learning."""

    running_mean_R1F: Tensor
    running_variance_R1F: Tensor

    def __init__(self, num_replicas: int, num_features: int, *, eps: float, momentum: float) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        shape = (num_replicas, 1, num_features)
        self.scale_R1F = nn.Parameter(torch.ones(shape))
        self.shift_R1F = nn.Parameter(torch.zeros(shape))
        self.register_buffer("running_mean_R1F", torch.zeros(shape))
        self.register_buffer("running_variance_R1F", torch.ones(shape))

    def forward(self, x_RBF: Tensor, phase: Phase) -> Tensor:
        x_RBF = x_RBF.float()  # moments in single precision under autocast too
        if phase.group is None:
            factor_R1F = self.scale_R1F * torch.rsqrt(self.running_variance_R1F + self.eps)
            return torch.addcmul(self.shift_R1F, x_RBF - self.running_mean_R1F, factor_R1F)
        group = x_RBF.shape[1] if phase.learning else phase.group
        x_RKGF = x_RBF.unflatten(1, (-1, group))
        processes = dist.get_world_size() if phase.learning and dist.is_initialized() else 1
        # Two passes, mean first: as exact as var_mean and several times faster along this dimension on a CPU
        centred_RKGF = x_RKGF - (mean_RK1F := _mean(x_RKGF, processes))
        variance_RK1F = _mean(centred_RKGF.square(), processes)
        if phase.learning:
            self._follow(mean_RK1F, variance_RK1F, count=group * processes)
        factor_RK1F = self.scale_R1F.unsqueeze(1) * torch.rsqrt(variance_RK1F + self.eps)
        return torch.addcmul(self.shift_R1F.unsqueeze(1), centred_RKGF, factor_RK1F).flatten(1, 2)

    @torch.no_grad()
    def _follow(self, mean_RK1F: Tensor, variance_RK1F: Tensor, *, count: int) -> None:
        """Running statistics, as torch keeps them: exponential, with the unbiased variance."""
        self.running_mean_R1F.lerp_(mean_RK1F[:, 0], self.momentum)
        self.running_variance_R1F.lerp_(variance_RK1F[:, 0] * (count / (count - 1)), self.momentum)


class _SumOverProcesses(torch.autograd.Function):
    """Every process's loss depends on the sum, so gradients are summed as well (torch's own is deprecated)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def _mean(x_RKGF: Tensor, processes: int) -> Tensor:
    """Mean over the samples of all processes (equal shares); differentiable."""
    mean_RK1F = x_RKGF.mean(2, keepdim=True)
    if processes == 1:
        return mean_RK1F
    total: Tensor = _SumOverProcesses.apply(mean_RK1F)
    return total / processes


class ReplicaLayerNorm(nn.Module):
    """`nn.LayerNorm` over the features, with each replica's own scale and shift (Ba et al. 2016)."""

    def __init__(self, num_replicas: int, num_features: int, *, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.scale_R1F = nn.Parameter(torch.ones(num_replicas, 1, num_features))
        self.shift_R1F = nn.Parameter(torch.zeros(num_replicas, 1, num_features))

    def forward(self, x_RBF: Tensor, phase: Phase) -> Tensor:
        normalized_RBF = nn.functional.layer_norm(x_RBF.float(), x_RBF.shape[-1:], eps=self.eps)
        return torch.addcmul(self.shift_R1F, normalized_RBF, self.scale_R1F)


def make_normalization(part: config.Normalization, num_replicas: int, num_features: int) -> nn.Module | None:
    """The normalization of activations that a configuration names; weight normalization belongs to the weights."""
    match part:
        case config.Batch():
            return ReplicaBatchNorm(num_replicas, num_features, eps=part.eps, momentum=part.momentum)
        case config.Layer():
            return ReplicaLayerNorm(num_replicas, num_features, eps=part.eps)
        case _:
            return None
