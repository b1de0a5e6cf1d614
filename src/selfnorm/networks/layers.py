"""Fully connected layers of many replicas, one batched matrix product each, initialized seed by seed.

Legend: R replica, B batch, I inputs, O outputs. Weights are (R, I, O): x_RBI @ weight_RIO.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class ReplicaLinear(nn.Module):
    """R independent `nn.Linear` layers; weights are drawn, in this order, from each replica's own generator."""

    def __init__(self, num_in: int, num_out: int, *, gain: float | None, sources: Sequence[torch.Generator]) -> None:
        """gain: weights are normal with variance gain / num_in; None: Glorot uniform. Biases are zero."""
        super().__init__()
        weight_RIO = torch.stack([_draw(num_in, num_out, gain, source) for source in sources])
        self.weight_RIO = nn.Parameter(weight_RIO)
        self.bias_R1O = nn.Parameter(torch.zeros(len(sources), 1, num_out))

    def effective_weight(self) -> Tensor:
        return self.weight_RIO

    def forward(self, x_RBI: Tensor) -> Tensor:
        return torch.baddbmm(self.bias_R1O, x_RBI, self.effective_weight())


class WeightNormLinear(ReplicaLinear):
    """Weight normalization (Salimans and Kingma 2016): w = g v / |v| per unit; g starts at |v|."""

    def __init__(self, num_in: int, num_out: int, *, gain: float | None, sources: Sequence[torch.Generator]) -> None:
        super().__init__(num_in, num_out, gain=gain, sources=sources)
        self.norm_R1O = nn.Parameter(self.weight_RIO.detach().norm(dim=1, keepdim=True))

    def effective_weight(self) -> Tensor:
        return self.weight_RIO * (self.norm_R1O / self.weight_RIO.norm(dim=1, keepdim=True))


def _draw(num_in: int, num_out: int, gain: float | None, source: torch.Generator) -> Tensor:
    if gain is None:  # Authors' code: the output layer is Glorot uniform
        bound = (6 / (num_in + num_out)) ** 0.5
        return torch.empty(num_in, num_out).uniform_(-bound, bound, generator=source)
    return torch.empty(num_in, num_out).normal_(0, (gain / num_in) ** 0.5, generator=source)
