"""Standard and alpha dropout with masks drawn per replica.

Legend: R replica, B batch, F features.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from selfnorm import config
from selfnorm.networks.phase import Phase


class ReplicaDropout(nn.Module):
    """Dropout that keeps the mean (standard), or mean 0 and variance 1 under SELU (alpha).

    Standard: zero with probability `rate`, scale the rest by 1 / (1 - rate) (Srivastava et al. 2014).
    Alpha: set to SELU's negative saturation value alpha' = -lambda alpha with probability `rate`, then x -> a x + b.
    Paper: "New Dropout Technique": a = (q + alpha'^2 q (1 - q))^(-1/2), b = -a (1 - q) alpha', q = 1 - rate.
    """

    def __init__(self, rate: float, *, saturation: float = 0.0) -> None:
        """saturation: the value that dropped units take, alpha'; 0 is standard dropout."""
        super().__init__()
        q = 1 - rate
        self.rate, self.saturation = rate, saturation
        self.a = (q + saturation**2 * q * rate) ** -0.5 if saturation else 1 / q
        self.b = -self.a * rate * saturation

    def forward(self, x_RBF: Tensor, phase: Phase) -> Tensor:
        if phase.masks is None or self.rate == 0:
            return x_RBF
        return self.a * torch.where(phase.masks.keep(x_RBF, self.rate), x_RBF, self.saturation) + self.b


def make_dropout(part: config.AnyDropout, activation: config.Activation, *, inputs: bool = False) -> ReplicaDropout:
    """The dropout that a configuration names, after the inputs or after a hidden layer."""
    if isinstance(part, config.NoDropout):
        return ReplicaDropout(0.0)
    rate = part.input_rate if inputs else part.rate
    if part.name == "standard":
        return ReplicaDropout(rate)
    assert isinstance(activation, config.Selu)  # the configuration allows nothing else
    return ReplicaDropout(rate, saturation=-activation.lambda_ * activation.alpha)
