"""Functions that a user might bring along as an activation: good ones, and those that are none."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def squareplus(z: Tensor, b: float = 4.0) -> Tensor:
    return (z + torch.sqrt(z * z + b)) / 2


class Bent(nn.Module):
    """A class without arguments, with kinks at 1 and -1."""

    def forward(self, z: Tensor) -> Tensor:
        return z + 0.5 * z.clamp(-1, 1)


class Learned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor) -> Tensor:
        return self.slope * z


class NoModule:
    pass


def beside_others(z: Tensor) -> Tensor:
    return z - z.mean(-1, keepdim=True)


def by_position(z: Tensor) -> Tensor:
    return z * torch.arange(z.shape[-1])


def noisy(z: Tensor) -> Tensor:
    return z + torch.randn_like(z)


def in_place(z: Tensor) -> Tensor:
    return z.mul_(2)


def constant(z: Tensor) -> Tensor:
    return 0 * z + 3


def without_gradient(z: Tensor) -> Tensor:
    return z.detach().tanh()


def without_inner_slope(z: Tensor) -> Tensor:
    return torch.sqrt(z.abs())


def a_number(z: Tensor) -> float:
    return float(z.sum())


def jumps(z: Tensor) -> Tensor:
    return torch.where(z > 0, z + 1, z)


FUNCTIONS = "networks.own_functions:"
BAD_FUNCTIONS = {
    "no_such_module:f": "cannot be imported (ModuleNotFoundError: No module named 'no_such_module')",
    "torch.nn.functional.mishmash": "cannot be imported (AttributeError: module 'torch.nn.functional' has no",
    f"{FUNCTIONS}FUNCTIONS": "is str, not a function",
    f"{FUNCTIONS}NoModule": "is a class, but not one of torch.nn.Module",
    f"{FUNCTIONS}Learned": "has parameters or state (slope), which seeds would share",
    "torch.nn.Linear": "cannot be made with activation.kwargs={} (TypeError: ",
    "torch.nn.functional.softmax": "is not element by element",
    f"{FUNCTIONS}beside_others": "is not element by element",
    f"{FUNCTIONS}by_position": "is not element by element",
    "torch.nn.functional.glu": "turns the shape ",
    "torch.nn.functional.layer_norm": "fails on a tensor (TypeError: ",
    "torch.nn.functional.dropout": "is random",
    f"{FUNCTIONS}noisy": "is random",
    f"{FUNCTIONS}in_place": "changes its input in place",
    f"{FUNCTIONS}constant": "is constant: 3 from -40 to 40",
    f"{FUNCTIONS}without_gradient": "is not differentiable",
    f"{FUNCTIONS}without_inner_slope": "has a slope that is not finite at ",
    f"{FUNCTIONS}a_number": "returns float, not a tensor of floats",
    "torch.isfinite": "returns torch.bool, not a tensor of floats",
    "torch.log": "is not finite at -40",
    "torch.sign": "has the slope 0 everywhere",
}
