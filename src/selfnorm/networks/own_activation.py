"""A user's own activation as a module: imported by the job that trains with it, or rebuilt from the table it wrote.

In: the configuration's name of a function, and the table (networks/probing.py) where a run folder names it, since
readers import nothing that a folder names. Out: a module, or a ConfigError in one line.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from selfnorm import config
from selfnorm.theory.tabulated import columns_of


class Elementwise(nn.Module):
    """A function of a tensor as a layer."""

    def __init__(self, function: Callable[..., Tensor], arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.function, self.arguments = function, dict(arguments)

    def forward(self, z: Tensor) -> Tensor:
        return self.function(z, **self.arguments)

    def extra_repr(self) -> str:
        return getattr(self.function, "__name__", repr(self.function))


class Tabulated(nn.Module):
    """An activation from its table (theory/tabulated.py), in torch."""

    table: Tensor

    def __init__(self, table: Mapping[str, Any]) -> None:
        super().__init__()
        self.register_buffer("table", torch.from_numpy(np.stack(columns_of(table))), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        at, low, high, slope_low, slope_high = self.table
        x = z.double()
        cell = (torch.searchsorted(at, x.detach().contiguous(), right=True) - 1).clamp(0, len(at) - 2)
        width, rise = at[cell + 1] - at[cell], low[cell + 1] - high[cell]
        t = ((x - at[cell]) / width).clamp(0, 1)
        a, b = width * slope_high[cell] - rise, rise - width * slope_low[cell + 1]
        inside = high[cell] + t * rise + t * (1 - t) * ((1 - t) * a + t * b)
        out = inside + slope_low[-1] * (x - at[-1]).clamp(min=0) + slope_high[0] * (x - at[0]).clamp(max=0)
        return out.to(z.dtype)


def load(part: config.Custom) -> nn.Module:
    """Import the function; raises ConfigError. The folder in which the job was started can be imported from."""
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # last: a file there must not stand in for a library
    module, colon, name = part.function.partition(":")
    if not colon:
        module, _, name = part.function.rpartition(".")
    try:
        found: Any = importlib.import_module(module)
        for step in name.split("."):
            found = getattr(found, step)
    except (Exception, SystemExit) as error:
        raise refusal(part, f"cannot be imported ({words(error)})") from None
    return _as_module(part, found)


def rebuild(part: config.Custom, table: Mapping[str, Any]) -> nn.Module:
    """The activation of a run folder, by torch's own layer or function or by the table: nothing else is imported."""
    if match := re.fullmatch(r"torch\.nn\.(functional\.)?([A-Za-z]\w*)", part.function):
        return _as_module(part, getattr(nn.functional if match[1] else nn, match[2], None))
    return Tabulated(table)


def _as_module(part: config.Custom, found: Any) -> nn.Module:
    if not isinstance(found, type):
        if not callable(found):
            raise refusal(part, f"is {type(found).__name__}, not a function")
        return Elementwise(found, part.kwargs)
    if not issubclass(found, nn.Module):
        raise refusal(part, "is a class, but not one of torch.nn.Module")
    try:
        module = found(**part.kwargs)
    except Exception as error:
        raise refusal(part, f"cannot be made with activation.kwargs={dict(part.kwargs)} ({words(error)})") from None
    if module.state_dict():
        raise refusal(part, f"has parameters or state ({', '.join(module.state_dict())}), which seeds would share")
    return module


def words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def refusal(part: config.Custom, reason: str) -> config.ConfigError:
    return config.ConfigError(f"activation.function={part.function}: {reason}")
