"""Standard and alpha dropout with masks drawn per replica.

Legend: R replica, B batch, F features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from selfnorm import config
from selfnorm.networks.phase import Phase
from selfnorm.selu_constants import PAPERS_FIXED_POINT


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
    kept = PAPERS_FIXED_POINT if inputs or activation.fixed_point is None else activation.fixed_point
    return ReplicaDropout(rate, saturation=-activation.lambda_ * activation.alpha, fixed_point=kept)
