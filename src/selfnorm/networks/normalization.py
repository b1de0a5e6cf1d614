"""Normalization of pre-activations or activations, many replicas at once, and what stands in its place.

Legend: R replica, B batch, K groups of G samples each (B = K G), F features.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from selfnorm.config import groups
from selfnorm.networks.layers import Phase


class ReplicaBatchNorm(nn.Module):
    """`nn.BatchNorm1d` per replica; a batch that is spread over processes is one batch while the phase is learning."""

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
        donors = slice(group // 2 if phase.donated else 0, None)  # the samples that give the statistics
        # Two passes, mean first: as exact as var_mean and several times faster along this dimension on a CPU
        centred_RKGF = x_RKGF - (mean_RK1F := _mean(x_RKGF[:, :, donors], phase.processes))
        variance_RK1F = _mean(centred_RKGF[:, :, donors].square(), phase.processes)
        if phase.learning:
            with torch.no_grad():  # as torch updates them: exponentially, with the unbiased variance
                count = len(range(group)[donors]) * phase.processes
                self.running_mean_R1F.lerp_(mean_RK1F[:, 0], self.momentum)
                self.running_variance_R1F.lerp_(variance_RK1F[:, 0] * (count / (count - 1)), self.momentum)
        factor_RK1F = self.scale_R1F.unsqueeze(1) * torch.rsqrt(variance_RK1F + self.eps)
        return torch.addcmul(self.shift_R1F.unsqueeze(1), centred_RKGF, factor_RK1F).flatten(1, 2)

    def torch_layer(self, replica: int) -> nn.Module:
        """One replica's normalization as torch's own layer."""
        norm = nn.BatchNorm1d(self.scale_R1F.shape[2], eps=self.eps, momentum=self.momentum)
        norm.running_mean = self.running_mean_R1F[replica, 0].clone()
        norm.running_var = self.running_variance_R1F[replica, 0].clone()
        return _with_affine(norm, self.scale_R1F[replica, 0], self.shift_R1F[replica, 0])


class _SumOverProcesses(torch.autograd.Function):
    """Differentiable all-reduce (torch's own is deprecated): every loss depends on the sum, so gradients are summed."""

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

    def torch_layer(self, replica: int) -> nn.Module:
        """One replica's normalization as torch's own layer."""
        norm = nn.LayerNorm(self.scale_R1F.shape[2], eps=self.eps)
        return _with_affine(norm, self.scale_R1F[replica, 0], self.shift_R1F[replica, 0])


def _with_affine(norm: nn.BatchNorm1d | nn.LayerNorm, scale_F: Tensor, shift_F: Tensor) -> nn.Module:
    norm.weight.copy_(scale_F)
    norm.bias.copy_(shift_F)
    return norm


class ReplicaRmsNorm(nn.Module):
    """`nn.RMSNorm` over the features, with each replica's own scale (Zhang and Sennrich 2019)."""

    def __init__(self, num_replicas: int, num_features: int, *, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.scale_R1F = nn.Parameter(torch.ones(num_replicas, 1, num_features))

    def forward(self, x_RBF: Tensor, phase: Phase) -> Tensor:
        x_RBF = x_RBF.float()
        return x_RBF * torch.rsqrt(x_RBF.square().mean(-1, keepdim=True) + self.eps) * self.scale_R1F

    def torch_layer(self, replica: int) -> nn.Module:
        """One replica's normalization as torch's own layer."""
        norm = nn.RMSNorm(self.scale_R1F.shape[2], eps=self.eps)
        norm.weight.copy_(self.scale_R1F[replica, 0])
        return norm


FUNCTIONS = {"dyt": torch.tanh, "derf": torch.erf}


class DynamicFunction(nn.Module):
    """scale f(alpha x + offset) + shift, unit by unit, in the place of normalization: it needs no statistics.

    DyT: f = tanh, no offset (Zhu et al. 2025). Derf: f = erf (Chen et al. 2025). alpha and offset are one number each
    for a layer, scale and shift one for each unit; shapes have the replicas first, or no replicas for one network.
    """

    def __init__(self, name: str, alpha: Tensor, scale: Tensor) -> None:
        """name: a key of FUNCTIONS. alpha, scale: their first values, and so the shapes."""
        super().__init__()
        self.name = name
        self.alpha = nn.Parameter(alpha.clone())
        self.offset = nn.Parameter(torch.zeros_like(alpha)) if name == "derf" else None
        self.scale, self.shift = nn.Parameter(scale.clone()), nn.Parameter(torch.zeros_like(scale))

    def forward(self, x: Tensor, phase: Phase | None = None) -> Tensor:
        argument = self.alpha * x.float()
        values = FUNCTIONS[self.name](argument if self.offset is None else argument + self.offset)
        return torch.addcmul(self.shift, values, self.scale)

    def torch_layer(self, replica: int) -> nn.Module:
        """One replica's layer, which takes (batch, feature)."""
        layer = DynamicFunction(self.name, self.alpha[replica, 0], self.scale[replica, 0])
        layer.load_state_dict({name: values[replica, 0] for name, values in self.state_dict().items()})
        return layer


ReplicaNorm = ReplicaBatchNorm | ReplicaLayerNorm | ReplicaRmsNorm | DynamicFunction


def make_normalization(part: groups.Normalization, num_replicas: int, num_features: int) -> ReplicaNorm:
    """The normalization of activations that a configuration names; weight and centred belong to the weights."""
    match part:
        case groups.Batch():
            return ReplicaBatchNorm(num_replicas, num_features, eps=part.eps, momentum=part.momentum)
        case groups.Layer():
            return ReplicaLayerNorm(num_replicas, num_features, eps=part.eps)
        case groups.Rms():
            return ReplicaRmsNorm(num_replicas, num_features, eps=part.eps)
        case groups.Dynamic():
            alpha_R11 = torch.full((num_replicas, 1, 1), part.alpha)
            return DynamicFunction(part.name, alpha_R11, torch.ones(num_replicas, 1, num_features))
        case _:  # normalization of the weights, or none
            raise AssertionError(part.name)
