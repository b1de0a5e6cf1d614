"""Hooks that reduce one forward and backward pass of any network to a row for each layer.

In: an `nn.Module`, whose forward and backward pass happen inside the `Trace`. Out: `Row`s, in the order of the calls.
A layer is a linear map or convolution, the normalization after it, and its activation function; each may be missing.
Legend: z enters the activation function, a leaves it.
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from selfnorm.checking.functions import called_function, elementwise, value_and_slope
from selfnorm.checking.row import Row, measurable, moments
from selfnorm.networks.moments import SATURATED_SLOPE, LayerMoments

WEIGHTS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)  # not alpha dropout
VIEWS = {"ViewBackward0", "UnsafeViewBackward0", "TransposeBackward0", "PermuteBackward0", "SqueezeBackward1"}
VIEWS |= {"ToCopyBackward0", "UnsqueezeBackward0", "CloneBackward0", "ReshapeAliasBackward0", "TBackward0"}
NORMS = dict.fromkeys(
    ("NativeBatchNormBackward0", "CudnnBatchNormBackward0", "MiopenBatchNormBackward0"), "batch or instance"
)
NORMS |= {"NativeLayerNormBackward0": "layer", "NativeGroupNormBackward0": "group"}
# Between an activation function and the next weights; multiplication is dropout's
BETWEEN = {"MulBackward0", "NativeDropoutBackward0", "MeanBackward1", "AdaptiveAvgPool2DBackward0"}
BETWEEN |= {"MaxPool2DWithIndicesBackward0", "AvgPool2DBackward0"}


def eagerly() -> AbstractContextManager[Any]:
    """A context in which what torch compiled runs as it was written, so that hooks are called."""
    # Entering the stance imports the compiler, which takes seconds; without it nothing is compiled
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else nullcontext()


class Trace:
    """A context: hooks are on `model` inside it, and gone after it, whatever happens.

    through_frozen: whether gradients are to reach layers that nothing trainable precedes, at the cost of memory.
    """

    def __init__(self, model: nn.Module, *, through_frozen: bool) -> None:
        self.model, self.through_frozen = model, through_frozen
        found = ((module, elementwise(module)) for module in model.modules())
        self._functions = {module: function for module, function in found if function is not None}
        self._handles: list[Any] = []
        self.forget()

    def forget(self) -> None:
        """Drop what was measured, and the graph with it."""
        self.rows: list[Row] = []
        self.dropouts: list[tuple[str, float, Row]] = []  # standard dropout after an activation function: name, rate
        self._made: dict[Node, Row] = {}  # what made the output of weights, or of an activation function
        self._open: dict[nn.Module, Row] = {}  # modules whose forward is running

    def __enter__(self) -> Trace:
        self.forget()
        for name, module in self.model.named_modules():
            if module in self._functions or isinstance(module, (*WEIGHTS, *DROPOUT)):
                before = partial(self._before, name or type(module).__name__)
                self._handles.append(module.register_forward_pre_hook(before))
                self._handles.append(module.register_forward_hook(self._after))
        return self

    def __exit__(self, *_: object) -> None:
        while self._handles:
            self._handles.pop().remove()

    def metric(self) -> LayerMoments:
        """An empty metric for these rows."""
        states = [row.z for row in self.rows if row.z is not None]
        return LayerMoments([z.mean.shape[-1] for z in states]).to(states[0].mean.device)

    def labels(self) -> list[str]:
        """A name for each row: that of the activation function, else of the weights; numbered if called again."""
        calls: Counter[str] = Counter()
        labels = []
        for row in self.rows:
            name = row.weights if row.hidden else row.activation or row.weights
            calls[name] += 1
            labels.append(f"{name} ({calls[name]})" if calls[name] > 1 else name)
        return labels

    def _before(self, name: str, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        x = args[0] if args else None
        in_backward = torch._C._current_graph_task_id() != -1  # checkpointing calls layers again
        if not isinstance(x, Tensor) or not x.is_floating_point() or in_backward:
            return None
        raw = torch.is_grad_enabled() and not x.requires_grad
        if raw and self.through_frozen:  # a clone, since what requires a gradient must not be changed in place
            x = x.detach().requires_grad_().clone()
        if isinstance(module, DROPOUT):
            row, _ = self._origin(x.grad_fn, VIEWS)
            if row is not None and row.function is not None and module.p:
                self.dropouts.append((name, module.p, row))
        elif isinstance(module, WEIGHTS):
            self._origin(x.grad_fn, VIEWS | BETWEEN)  # notes functions that no hook sees
            values = measurable(x).double()
            row = Row(name, module, -1 if isinstance(module, nn.Linear) else 1 - module.weight.ndim, raw=raw)
            row.entered = values.mean(), values.square().mean()
            self._open[module] = row
        else:
            self._open[module] = self._activate(name, module, x)
        return (x, *args[1:])

    def _after(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if (row := self._open.pop(module, None)) is None:
            return
        if isinstance(module, WEIGHTS):
            self.rows.append(row)
            row.measure(output)
        if output.grad_fn is not None:
            self._made[output.grad_fn] = row

    def _activate(self, name: str, module: nn.Module, z: Tensor) -> Row:
        row, normalization = self._origin(z.grad_fn, VIEWS)
        if row is None or row.activation or row.shape.numel() != z.numel():
            row, normalization = Row(), ""
            self.rows.append(row)
        if normalization or row.z is None:
            row.measure(z)
        row.normalization, row.activation, row.function = normalization, name, self._functions[module]
        a, slope = value_and_slope(module, z)
        row.a = moments(a, row.unit_dim if z.shape == row.shape else None)
        row.saturated = (measurable(slope).abs() < SATURATED_SLOPE).sum()
        return row

    def _origin(self, node: Node | None, through: set[str]) -> tuple[Row | None, str]:
        """The row that made a node's value, through nodes of these names and normalizations, and the latter's name.

        A function that is met on the way, and that no hook saw, is noted in its row.
        """
        normalization = ""
        while node is not None and node not in self._made:
            if (function := called_function(node)) is not None:
                row, normalization = self._origin(node.next_functions[0][0], VIEWS)
                if row is not None and not row.activation:
                    row.function, row.hidden, row.normalization = elementwise(function), True, normalization
                    row.activation = type(function).__name__
                return row, ""
            if node.name() not in through and node.name() not in NORMS:
                return None, ""
            normalization = NORMS.get(node.name(), normalization)
            node = node.next_functions[0][0]
        return (None if node is None else self._made[node]), normalization
