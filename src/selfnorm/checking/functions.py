"""Activation functions: tell which modules are some by trying them, and give their theory.

In: a module of any origin. Out: its function in float64, as torch and as the theory take it.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from selfnorm.networks.activations import Selu
from selfnorm.theory import activations, selu
from selfnorm.theory.quadrature import Array

# By the name of a node in autograd's graph: functions that were called without a module
_CALLED: dict[str, Callable[..., nn.Module]] = {
    "ReluBackward0": nn.ReLU,
    "LeakyReluBackward0": nn.LeakyReLU,
    "GeluBackward0": nn.GELU,
    "SiluBackward0": nn.SiLU,
    "MishBackward0": nn.Mish,
    "TanhBackward0": nn.Tanh,
    "SigmoidBackward0": nn.Sigmoid,
    "SoftplusBackward0": nn.Softplus,
}


def called_function(node: torch.autograd.graph.Node) -> nn.Module | None:
    """The activation function whose call left this node in autograd's graph, with its default constants."""
    if node.name() == "EluBackward0":  # SELU too; these constants are torch's private names
        return Selu(node._saved_alpha, node._saved_scale)  # type: ignore[attr-defined]
    return _CALLED[node.name()]() if node.name() in _CALLED else None


def elementwise(module: nn.Module) -> nn.Module | None:
    """A copy in float64 if the module works element by element, always alike, and is not a straight line; else None."""
    own = (*module.parameters(), *module.buffers())
    if any(module.children()) or sum(tensor.numel() for tensor in own) > 4:  # a few constants may be trained
        return None
    z = torch.linspace(-4, 4, 33, dtype=torch.float64)
    try:
        f = copy.deepcopy(module).cpu().double().requires_grad_(False)  # a probe must not change what it probes
        with warnings.catch_warnings(), torch.no_grad(), torch.random.fork_rng([]):
            warnings.simplefilter("ignore")
            whole, part, turned = (f.forward(x.clone()) for x in (z, z[::4], z.flip(0)))
        straight = bool(whole.diff().diff().abs().max() < 1e-9)
        alike = torch.equal(whole[::4], part) and torch.equal(whole.flip(0), turned)
    except Exception:  # whatever a module says to a row of numbers, it is no such function
        return None
    return f if whole.shape == z.shape and alike and not straight else None


def theory_of(f: nn.Module) -> activations.Activation:
    """The function as the theory takes it: SELU in closed form, any other by its values and slopes."""
    grid = np.linspace(-6, 6, 241)
    theory = activations.Pointwise(lambda z: _evaluate(f, z)[0], lambda z: _evaluate(f, z)[1])
    return selu.Selu() if np.allclose(theory(grid), selu.Selu()(grid), rtol=1e-6) else theory


def _evaluate(f: nn.Module, z: Array) -> tuple[Array, Array]:
    a, slope = value_and_slope(f, torch.tensor(z, dtype=torch.float64))
    return a.numpy(), slope.numpy()


@torch.enable_grad()
def value_and_slope(f: nn.Module, z: Tensor) -> tuple[Tensor, Tensor]:
    """Return f(z) and f'(z), without hooks and beside any graph that z is part of."""
    z = z.detach().requires_grad_()
    a = f.forward(z.clone())  # a clone: f may work in place
    (slope,) = torch.autograd.grad(a, z, torch.ones_like(a))
    return a.detach(), slope
