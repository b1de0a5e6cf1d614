"""A probe of a user's own activation: whether it can be one, its table for readers, and what deep chains of it do.

In: the configuration's name of a function. Out: values and slopes on a grid, and warnings; a ConfigError, in one line,
for a function that is no activation, or is another one than the run was trained with.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from selfnorm import config
from selfnorm.networks.own_activation import load, refusal, words
from selfnorm.runs.reading import read_activation
from selfnorm.theory.stability import drift, normalizing_gain
from selfnorm.theory.tabulated import COLUMNS, columns_of, from_table

# Dense where the activations of a normalized network are. Its points are multiples of 1/32, so that usual kinks are on
# them, and it ends where the theory takes every activation to be straight.
NEAR, FAR = 8.0, 40.0
SIDE = 1e-9  # how far beside a point its two sides are
SAME = {"rtol": 1e-4, "atol": 1e-6}  # rounding in single precision, other kernels for other shapes included


def probe(part: config.Custom) -> dict[str, Any]:
    """Try the function on a grid and return its table; raises ConfigError for one that is no activation."""
    module = load(part)
    near = torch.arange(-NEAR, NEAR, 1 / 32, dtype=torch.float64)
    far = torch.arange(NEAR, FAR + 0.25, 0.25, dtype=torch.float64)
    z = torch.cat([-far.flip(0)[:-1], near, far])
    _check_elementwise(part, module, z.float())
    _, below, above = (_value_and_slope(part, module, z + side) for side in (0.0, -SIDE, SIDE))
    columns = dict(zip(COLUMNS, (z, below[0], above[0], below[1], above[1]), strict=True))
    return {
        "function": part.function,
        "kwargs": dict(part.kwargs),
        **{name: [float(f"{value:.9g}") for value in column.tolist()] for name, column in columns.items()},
    }


def check_same_function(folder: Path, table: Mapping[str, Any]) -> None:
    """Raises ConfigError if the run in this folder was trained with a function of other values, under the same name."""
    recorded = read_activation(folder)
    if recorded is None:
        return
    before, now = columns_of(recorded), columns_of(table)
    if not all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-6, atol=1e-6) for a, b in zip(before, now, strict=True)
    ):
        raise config.ConfigError(
            f"activation.function={table['function']}: is not the function any more that {folder} was trained with; "
            "overwrite=true trains it again, another tag keeps both"
        )


def warnings_of(job: config.Job, table: Mapping[str, Any]) -> list[str]:
    """Sentences about what a deep chain of the function does, by the theory of plain layers."""
    if job.normalization.name != "none" or job.model.block != "plain":
        return []
    try:
        f = from_table(table)
    except ValueError as error:
        return [f"no theory: {error}"]
    sentence = drift(f, tau=job.model.gain or normalizing_gain(f), depth=job.model.depth)
    return [sentence] if sentence else []


def _check_elementwise(part: config.Custom, module: nn.Module, z: Tensor) -> None:
    """Raises ConfigError unless values stay the same in another order, shape and company."""
    order = torch.randperm(len(z), generator=torch.Generator().manual_seed(0))
    whole, some = z[order][: len(z) // 12 * 12].view(2, 6, -1), order[: len(z) // 24 * 12]
    kept = whole.clone()
    value = _call(part, module, whole)
    if value.shape != whole.shape:
        raise refusal(part, f"turns the shape {tuple(whole.shape)} into {tuple(value.shape)}")
    if not torch.equal(whole, kept):
        raise refusal(part, "changes its input in place; return a new tensor")
    if not torch.equal(value.nan_to_num(), _call(part, module, kept).nan_to_num()):
        raise refusal(part, "is random: twice the same input gives two results")
    backwards = some.flip(0)
    position = torch.empty(len(z), dtype=torch.long)
    position[order] = torch.arange(len(z))
    alone = _call(part, module, z[backwards].view(3, -1, 4))
    if not torch.allclose(alone.flatten(), value.flatten()[position[backwards]], equal_nan=True, **SAME):
        raise refusal(part, "is not element by element: a value depends on the others beside it")


def _value_and_slope(part: config.Custom, module: nn.Module, z: Tensor) -> tuple[Tensor, Tensor]:
    z = z.requires_grad_()
    value = _call(part, module, z)
    if not value.isfinite().all():
        raise refusal(part, f"is not finite at {z[~value.isfinite()][0]:.4g}")
    if value.max() == value.min():
        raise refusal(part, f"is constant: {value[0].item():g} from {-FAR:g} to {FAR:g}")
    if not value.requires_grad:
        raise refusal(part, "is not differentiable: no gradient reaches its input")
    (slope,) = torch.autograd.grad(value.sum(), z)
    if not slope.isfinite().all():
        raise refusal(part, f"has a slope that is not finite at {z[~slope.isfinite()][0]:.4g}")
    if not slope.any():
        raise refusal(part, "has the slope 0 everywhere, so that nothing below it would learn")
    return value.detach().double(), slope.double()


def _call(part: config.Custom, module: nn.Module, z: Tensor) -> Tensor:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters is the value
            value = module(z)
    except Exception as error:
        raise refusal(part, f"fails on a tensor ({words(error)})") from None
    if not isinstance(value, Tensor) or not value.is_floating_point():
        kind = value.dtype if isinstance(value, Tensor) else type(value).__name__
        raise refusal(part, f"returns {kind}, not a tensor of floats")
    return value
