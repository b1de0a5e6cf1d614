"""Activation functions, and the initialization gain that keeps the second moment at one under each."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from selfnorm import config


class Selu(nn.Module):
    """lambda (z if z > 0 else alpha (e^z - 1)). Paper: Eq. 2; the constants of Eq. 14 by default."""

    def __init__(self, alpha: float = config.SELU_ALPHA, lambda_: float = config.SELU_LAMBDA) -> None:
        super().__init__()
        self.alpha, self.lambda_ = alpha, lambda_

    def forward(self, z: Tensor) -> Tensor:
        return torch.ops.aten.elu(z, self.alpha, self.lambda_, 1.0)  # one fused kernel, as torch's own selu

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, lambda_={self.lambda_}"


_WITHOUT_PARAMETERS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def make_activation(part: config.Activation) -> nn.Module:
    """The activation function that a configuration names; element by element, so replicas share it."""
    match part:
        case config.Selu():
            return Selu(part.alpha, part.lambda_)
        case config.LeakyRelu():
            return nn.LeakyReLU(part.slope)
        case config.Elu():
            return nn.ELU(part.alpha)
        case _:
            return _WITHOUT_PARAMETERS[part.name]()


def initialization_gain(part: config.Activation) -> float:
    """gain = n Var[w], such that E[z^2] = 1 is kept from layer to layer: 1 / E[f(z)^2] for z ~ N(0, 1).

    This is 2 for ReLU (He et al. 2015) and 2 / (1 + slope^2) for leaky ReLU; SELU is made for 1.
    Only SELU's, ELU's and the bounded functions' fixed point attracts; GELU's and SiLU's repels, so deep ones drift.
    """
    if isinstance(part, config.Selu):
        return 1.0
    # Trapezoids are spectrally accurate for a Gaussian tail; the kink at 0 is a node, so the error is O(step^2).
    z = torch.linspace(-12, 12, 240_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2) / (2 * torch.pi) ** 0.5
    return 1 / torch.trapezoid(make_activation(part)(z).square() * density, z).item()
