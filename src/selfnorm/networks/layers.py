"""Layers of many replicas: fully connected and dropout; and the `Phase` of a forward pass.

Legend: R replica, B batch, I inputs, O outputs, F features.
Weights are (R, I, O): x_RBI @ weight_RIO.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from selfnorm import config
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


class Orthogonal(NamedTuple):
    """Weights whose columns, or else rows, are orthogonal (Saxe et al. 2014), with the mean square of normal ones."""

    gain: float


# n Var[w] of normal weights; glorot: uniform within (6 / (inputs + outputs))^(1/2), the output layer of the authors'
# code; torch: uniform within inputs^(-1/2), as torch.nn.Linear, the biases too
Gain = float | Orthogonal | Literal["glorot", "torch"]


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

    def scale_weights(self, factor_R11: Tensor) -> None:
        self.weight_RIO.mul_(factor_R11)

    def forward(self, x_RBI: Tensor) -> Tensor:
        return torch.baddbmm(self.bias_R1O, x_RBI, self.effective_weight())


class WeightNormLinear(ReplicaLinear):
    """Weight normalization (Salimans and Kingma 2016): w = g v / |v| per unit; g starts at |v|."""

    def __init__(self, num_in: int, num_out: int, *, gain: Gain, sources: Sequence[torch.Generator]) -> None:
        super().__init__(num_in, num_out, gain=gain, sources=sources)
        self.norm_R1O = nn.Parameter(self.weight_RIO.detach().norm(dim=1, keepdim=True))

    def effective_weight(self) -> Tensor:
        return self.weight_RIO * (self.norm_R1O / self.weight_RIO.norm(dim=1, keepdim=True))

    def scale_weights(self, factor_R11: Tensor) -> None:
        self.norm_R1O.mul_(factor_R11)


class CentredLinear(ReplicaLinear):
    """Weights whose sum over the inputs of each unit is 0: omega = 0, the premise of the paper's Theorem 1.

    This is the centring of weight standardization (Qiao et al. 2019), without its scaling. The variance that centring
    takes away, 1 / num_in of it, is added to what is drawn.
    """

    def __init__(self, num_in: int, num_out: int, *, gain: Gain, sources: Sequence[torch.Generator]) -> None:
        super().__init__(num_in, num_out, gain=gain, sources=sources)
        with torch.no_grad():
            self.weight_RIO.mul_((num_in / max(1, num_in - 1)) ** 0.5)

    def effective_weight(self) -> Tensor:
        return self.weight_RIO - self.weight_RIO.mean(dim=1, keepdim=True)


def _draw(num_in: int, num_out: int, gain: Gain, source: torch.Generator) -> tuple[Tensor, Tensor]:
    weight_IO, bias_1O = torch.empty(num_in, num_out), torch.zeros(1, num_out)
    if gain == "torch":
        for values in (weight_IO, bias_1O):
            values.uniform_(-(num_in**-0.5), num_in**-0.5, generator=source)
    elif gain == "glorot":
        bound = (6 / (num_in + num_out)) ** 0.5
        weight_IO.uniform_(-bound, bound, generator=source)
    elif isinstance(gain, Orthogonal):
        nn.init.orthogonal_(weight_IO, gain=(gain.gain * max(1, num_out / num_in)) ** 0.5, generator=source)
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
