"""Activation functions, and the initialization gain that keeps the second moment at one under each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from selfnorm import config
from selfnorm.config.activation import SELU_ALPHA, SELU_LAMBDA

if TYPE_CHECKING:
    from selfnorm.theory.tailoring import Affine


class Selu(nn.Module):
    """lambda (z if z > 0 else alpha (e^z - 1)). Paper: Eq. 2; the constants of Eq. 14 by default."""

    def __init__(self, alpha: float = SELU_ALPHA, lambda_: float = SELU_LAMBDA) -> None:
        super().__init__()
        self.alpha, self.lambda_ = alpha, lambda_

    def forward(self, z: Tensor) -> Tensor:
        return torch.ops.aten.elu(z, self.alpha, self.lambda_, 1.0)  # one fused kernel, as torch's own selu

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, lambda_={self.lambda_}"


class LearnedSelu(nn.Module):
    """A SELU whose alpha and lambda are trained, one pair for each replica of the layer."""

    def __init__(self, num_replicas: int, alpha: float, lambda_: float) -> None:
        super().__init__()
        self.alpha_R = nn.Parameter(torch.full((num_replicas,), alpha))
        self.lambda_R = nn.Parameter(torch.full((num_replicas,), lambda_))

    def forward(self, z_RBF: Tensor) -> Tensor:
        alpha_R11, lambda_R11 = (learned_R.view(-1, 1, 1) for learned_R in (self.alpha_R, self.lambda_R))
        # p + alpha q of Eq. 2, whose halves p = max(z, 0) and q = min(e^z - 1, 0) sum up to ELU
        return lambda_R11 * torch.lerp(z_RBF.relu(), nn.functional.elu(z_RBF), alpha_R11.to(z_RBF.dtype))


class Tailored(nn.Module):
    """gamma (f(alpha z + beta) + delta) with constants from theory/tailoring.py."""

    def __init__(self, function: nn.Module, constants: Affine) -> None:
        super().__init__()
        self.function, self.constants = function, constants

    def forward(self, z: Tensor) -> Tensor:
        alpha, beta, gamma, delta = self.constants
        return gamma * (self.function(alpha * z + beta) + delta)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.constants._asdict().items())


_TORCH = {name.lower(): module for name, module in vars(nn).items()}  # torch's own, such as leakyrelu


def make_activation(part: config.Activation, num_replicas: int, table: Mapping[str, Any] | None = None) -> nn.Module:
    """The activation function that a configuration names; element by element, so replicas share what is not learned.

    table: of a user's own function, where a run folder names it, so that it is not imported.
    """
    if isinstance(part, config.Custom):
        from selfnorm.networks.own_activation import load, rebuild  # brings the theory along

        return load(part) if table is None else rebuild(part, table)
    if isinstance(part, config.Selu):
        return LearnedSelu(num_replicas, part.alpha, part.lambda_) if part.learn else Selu(part.alpha, part.lambda_)
    if isinstance(part, config.Tailored):
        from selfnorm.theory.activations import tailor  # scipy: slow to import

        function, arguments, affine = tailor(**part.model_dump())
        return Tailored(_TORCH[function.replace("_", "")](*arguments.values()), affine)
    constants = part.model_dump(exclude={"name"}).values()  # in the order of torch's arguments
    module: nn.Module = _TORCH[part.name.replace("_", "")](*constants)
    return module


def initialization_gain(part: config.Activation, table: Mapping[str, Any] | None = None) -> float:
    """gain = n Var[w], such that E[z^2] = 1 is kept from layer to layer: 1 / E[f(z)^2] for z ~ N(0, 1).

    This is 2 for ReLU (He et al. 2015) and 2 / (1 + slope^2) for leaky ReLU; SELU and tailored ones are made for 1.
    Only SELU's, ELU's and the bounded functions' fixed point attracts; GELU's and SiLU's repels, so deep ones drift.
    """
    if isinstance(part, config.Selu | config.Tailored):
        return 1.0
    # Trapezoids are spectrally accurate for a Gaussian tail; the kink at 0 is a node, so the error is O(step^2).
    z = torch.linspace(-12, 12, 240_001, dtype=torch.float64)
    density = torch.exp(-z.square() / 2) / (2 * torch.pi) ** 0.5
    return 1 / torch.trapezoid(make_activation(part, 1, table)(z).square() * density, z).item()
