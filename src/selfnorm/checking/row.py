"""A `Row`: what one forward and backward pass showed of one layer, reduced as soon as it is seen.

Legend: z enters the activation function, a leaves it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from selfnorm.networks.moments import LayerBatch, UnitMoments, unit_moments, units_last


@dataclass(eq=False)
class Row:
    """One layer in one pass. entered: mean and mean square of what enters the weights."""

    weights: str = ""
    module: nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | None = None  # the weights
    unit_dim: int | None = None  # as `units_last` takes it
    entered: tuple[Tensor, Tensor] | None = None
    raw: bool = False  # what enters was computed from nothing that can be trained: data
    shape: torch.Size = field(default_factory=torch.Size)
    z: UnitMoments | None = None
    gradient: Tensor | None = None  # the sum of squares with respect to z
    edge: GradientEdge | None = None  # of z in autograd's graph
    normalization: str = ""
    activation: str = ""
    function: nn.Module | None = None  # the activation function, in float64
    hidden: bool = False  # it was called without a module: no hook saw what left it
    a: UnitMoments | None = None
    saturated: Tensor | None = None  # the number of values

    def batch(self) -> LayerBatch:
        """The row for `LayerMoments`; what was not seen is NaN."""
        assert self.z is not None
        nan = torch.full((1,), math.nan, dtype=torch.float64, device=self.z.mean.device)
        unseen = UnitMoments(self.z.samples, *(moment * nan for moment in self.z[1:]))
        saturated, gradient = (nan if seen is None else seen.view(1) for seen in (self.saturated, self.gradient))
        return LayerBatch(self.z, self.a or unseen, saturated, gradient)

    def measure(self, z: Tensor) -> None:
        """Measure z, which enters the row's activation function, now, and its gradient in the backward pass."""
        self.shape, self.z = z.shape, moments(z, self.unit_dim)
        if z.requires_grad:
            self.edge, measured = get_gradient_edge(z), self.z

            def keep(gradient: Tensor) -> None:
                if self.z is measured:  # else normalization followed, and a later z was measured
                    self.gradient = measurable(gradient).double().square().sum()

            z.register_hook(keep)


def moments(x: Tensor, unit_dim: int | None) -> UnitMoments:
    """Moments of (batch, ...) or of a single sample, as one replica."""
    return unit_moments(units_last(measurable(x if x.ndim > 1 else x[None])[None], unit_dim))


def measurable(x: Tensor) -> Tensor:
    return x.detach().cpu() if x.device.type == "mps" else x.detach()  # Apple's GPUs have no float64
