"""`selfnorm.check`: one forward and one backward pass through any network, which is then as it was.

In: a module and a batch. Out: a `Report`.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from selfnorm.checking.judge import findings, notes
from selfnorm.checking.layers import layers_of
from selfnorm.checking.report import Report
from selfnorm.checking.trace import Trace, eagerly


def check(model: nn.Module, batch: Any, *, loss: Callable[[Any], Tensor] | None = None) -> Report:
    """Measure every layer of a network in one forward and one backward pass, in its own mode, on its own device.

    batch: a tensor; a tuple or list, of which forward gets the arguments that it requires (targets that follow are left
    out); or a mapping, by the names of forward's arguments or as its one argument.
    loss: a function of the output, a sum over samples, whose gradients are measured; by default the outputs, each times
    a fixed random number. Parameters, buffers, gradients, random states (but Apple's GPU's) and hooks are as before
    afterwards, also after an error. Raises TypeError if `model` is no module, ValueError if it has lazy parameters.

    >>> network = nn.Sequential(nn.Linear(64, 64), nn.SELU(), nn.Dropout(0.5), nn.Linear(64, 10))
    >>> report = check(network, torch.randn(256, 64))
    >>> print(report.findings[-1])  # doctest: +ELLIPSIS
    Standard dropout follows SELU (`2`): with p = 0.5 it turns the variance 1 into 2 in training; ...
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model is a {type(model).__name__}, must be a torch.nn.Module")
    while hasattr(model, "_orig_mod") or isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        inner = getattr(model, "_orig_mod", None) or model.module  # what torch compiled, or spreads over devices
        assert isinstance(inner, nn.Module)
        model = inner
    if any(is_lazy(parameter) for parameter in model.parameters()):
        raise ValueError("model has lazy layers without a shape; call it once on a batch, then check it")
    args, kwargs = _arguments(model, batch)
    with _as_before(model), eagerly(), Trace(model, through_frozen=True) as trace, torch.enable_grad():
        output = model(*args, **kwargs)
        value = _projection(output) if loss is None else loss(output)
        edges = [row.edge for row in trace.rows if row.edge is not None]
        if edges and value.requires_grad:
            torch.autograd.grad(value, edges, allow_unused=True)
        layers = layers_of(trace)
    return Report(layers, findings(layers, trace.dropouts), list(notes(layers)))


def _arguments(model: nn.Module, batch: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    parameters = list(inspect.signature(model.forward).parameters.values())
    if isinstance(batch, Mapping):
        names = {p.name for p in parameters}
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return (), dict(batch)
        known = {key: value for key, value in batch.items() if key in names}
        return ((), known) if known else ((batch,), {})
    if not isinstance(batch, tuple | list):
        return (batch,), {}
    required = [
        p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    everything = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return tuple(batch if everything else batch[: max(1, len(required))]), {}


@contextmanager
def _as_before(model: nn.Module) -> Iterator[None]:
    """Put buffers (running statistics) and random states back."""
    kept = [(module, name, buffer, buffer.clone()) for module in model.modules()
            for name, buffer in module._buffers.items() if buffer is not None]  # fmt: skip
    devices = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    devices = {device for device in devices if device.type not in ("cpu", "mps")}  # fork_rng does not know mps
    kind = next(iter(devices)).type if devices else "cuda"
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng([device.index or 0 for device in devices], device_type=kind):
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            with torch.no_grad():
                for module, name, buffer, values in kept:
                    module._buffers[name] = buffer.copy_(values)


def _projection(output: Any) -> Tensor:
    """The sum of all outputs that have a gradient, each times a fixed random number of variance 1."""
    source = torch.Generator().manual_seed(0)
    products = [
        (tensor * torch.randn(tensor.shape, generator=source).to(tensor)).sum(dtype=torch.float32)
        for tensor in _tensors(output)
        if tensor.requires_grad and tensor.is_floating_point()
    ]
    return torch.stack(products).sum() if products else torch.zeros(())


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)
    elif is_dataclass(value):
        yield from _tensors(vars(value))
