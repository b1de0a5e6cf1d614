"""Layers of many replicas: fully connected, dropout, normalization; and the `Phase` of a forward pass.

Legend: R replica, B batch, K groups of G samples each (B = K G), I inputs, O outputs, F features.
Weights are (R, I, O): x_RBI @ weight_RIO.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from selfnorm import config
from selfnorm.config import groups
from selfnorm.config.activation import PAPERS_FIXED_POINT
from selfnorm.networks.randomness import Masks, PairedMasks


@dataclass(frozen=True)
class Phase:
    """The differences between training, measuring and evaluation in a forward pass.

    group: samples per estimate of the normalization parameters; consecutive groups of a larger batch are normalized
        each by itself. None: the running statistics are used.
    learning: a step of training: the running statistics follow.
    processes: the number of processes that the batch is spread over; their equal shares are one group.
    donated: the second half of the batch gives the statistics that the whole batch is normalized with.
    masks: the source of the dropout masks; None: no dropout.
    """

    group: int | None = None
    learning: bool = False
    processes: int = 1
    donated: bool = False
    masks: Masks | PairedMasks | None = None


EVALUATION = Phase()

# n Var[w] of normal weights; glorot: uniform within (6 / (inputs + outputs))^(1/2), the output layer of the authors'
# code; torch: uniform within inputs^(-1/2), as torch.nn.Linear, the biases too
Gain = float | Literal["glorot", "torch"]


class ReplicaLinear(nn.Module):
    """R independent `nn.Linear` layers; weights are drawn, in this order, from each replica's own generator."""

    def __init__(self, num_in: int, num_out: int, *, gain: Gain, sources: Sequence[torch.Generator]) -> None:
        """gain: weights are normal with variance gain / num_in, or as `Gain` says; biases are zero but for `torch`."""
        super().__init__()
        drawn = [_draw(num_in, num_out, gain, source) for source in sources]
        self.weight_RIO = nn.Parameter(torch.stack([weight_IO for weight_IO, _ in drawn]))
        self.bias_R1O = nn.Parameter(torch.stack([bias_1O for _, bias_1O in drawn]))

    def effective_weight(self) -> Tensor:
        return self.weight_RIO

    def forward(self, x_RBI: Tensor) -> Tensor:
        return torch.baddbmm(self.bias_R1O, x_RBI, self.effective_weight())


class WeightNormLinear(ReplicaLinear):
    """Weight normalization (Salimans and Kingma 2016): w = g v / |v| per unit; g starts at |v|."""

    def __init__(self, num_in: int, num_out: int, *, gain: Gain, sources: Sequence[torch.Generator]) -> None:
        super().__init__(num_in, num_out, gain=gain, sources=sources)
        self.norm_R1O = nn.Parameter(self.weight_RIO.detach().norm(dim=1, keepdim=True))

    def effective_weight(self) -> Tensor:
        return self.weight_RIO * (self.norm_R1O / self.weight_RIO.norm(dim=1, keepdim=True))


def _draw(num_in: int, num_out: int, gain: Gain, source: torch.Generator) -> tuple[Tensor, Tensor]:
    weight_IO, bias_1O = torch.empty(num_in, num_out), torch.zeros(1, num_out)
    if gain == "torch":
        for values in (weight_IO, bias_1O):
            values.uniform_(-(num_in**-0.5), num_in**-0.5, generator=source)
    elif gain == "glorot":
        bound = (6 / (num_in + num_out)) ** 0.5
        weight_IO.uniform_(-bound, bound, generator=source)
    else:
        weight_IO.normal_(0, (gain / num_in) ** 0.5, generator=source)
    return weight_IO, bias_1O


class ReplicaDropout(nn.Module):
    """Dropout that keeps the mean (standard), or mean and variance of a SELU's fixed point (alpha).

    Standard: zero with probability `rate`, scale the rest by 1 / (1 - rate) (Srivastava et al. 2014).
    Alpha: set to SELU's negative saturation value alpha' = -lambda alpha with probability `rate`, then x -> a x + b.
    Paper: "New Dropout Technique", for any (mu, nu): with q = 1 - rate,
    a = (nu / (q (nu + (1 - q) (alpha' - mu)^2)))^(1/2), b = mu - a (q mu + (1 - q) alpha').
    """

    def __init__(self, rate: float, *, saturation: float = 0.0, fixed_point: Sequence[float] = (0.0, 1.0)) -> None:
        """saturation: the value that dropped units take, alpha'; 0 is standard dropout. fixed_point: (mu, nu)."""
        super().__init__()
        q, (mu, nu) = 1 - rate, fixed_point
        self.rate, self.saturation = rate, saturation
        self.a = (nu / (q * (nu + rate * (saturation - mu) ** 2))) ** 0.5 if saturation else 1 / q
        self.b = mu - self.a * (q * mu + rate * saturation) if saturation else 0.0

    def forward(self, x_RBF: Tensor, phase: Phase) -> Tensor:
        if phase.masks is None or self.rate == 0:
            return x_RBF
        return self.a * torch.where(phase.masks.keep(x_RBF, self.rate), x_RBF, self.saturation) + self.b


def make_dropout(part: config.AnyDropout, activation: config.Activation, *, inputs: bool = False) -> ReplicaDropout:
    """The dropout that a configuration names, after the inputs (mean 0, variance 1) or after a hidden layer."""
    if isinstance(part, config.NoDropout):
        return ReplicaDropout(0.0)
    rate = part.input_rate if inputs else part.rate
    if part.name == "standard":
        return ReplicaDropout(rate)
    assert isinstance(activation, config.Selu)  # the configuration allows nothing else
    fixed_point = PAPERS_FIXED_POINT if inputs or activation.fixed_point is None else activation.fixed_point
    return ReplicaDropout(rate, saturation=-activation.lambda_ * activation.alpha, fixed_point=fixed_point)


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


ReplicaNorm = ReplicaBatchNorm | ReplicaLayerNorm


def make_normalization(part: groups.Normalization, num_replicas: int, num_features: int) -> ReplicaNorm | None:
    """The normalization of activations that a configuration names; weight normalization belongs to the weights."""
    match part:
        case groups.Batch():
            return ReplicaBatchNorm(num_replicas, num_features, eps=part.eps, momentum=part.momentum)
        case groups.Layer():
            return ReplicaLayerNorm(num_replicas, num_features, eps=part.eps)
        case _:
            return None
