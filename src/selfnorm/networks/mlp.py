"""Deep feed-forward networks, many replicas at once: plain, residual, ReZero and highway.

Legend: R replica, B batch, F features, C classes. `z` is what enters an activation function f, `a` = f(z).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from selfnorm import config
from selfnorm.networks.activations import LearnedSelu, initialization_gain, make_activation
from selfnorm.networks.layers import (
    CentredLinear,
    Gain,
    Orthogonal,
    Phase,
    ReplicaLinear,
    WeightNormLinear,
    make_dropout,
)
from selfnorm.networks.randomness import Purpose, generator

if TYPE_CHECKING:
    from selfnorm.networks.normalization import ReplicaNorm

LINEAR = {"weight": WeightNormLinear, "centred": CentredLinear}  # normalizations of the weights
GATE_BIAS = -2.0  # Srivastava et al. (2015): negative, so that a highway layer starts close to the identity


class LayerTrace(NamedTuple):
    """The values in one hidden layer: z_RBF entered its activation function, a_RBF left it."""

    z_RBF: Tensor
    a_RBF: Tensor


class HiddenLayer(nn.Module):
    """linear -> [normalization] -> f -> [normalization] -> dropout; if it joins its input, by a gate or a factor."""

    def __init__(
        self,
        job: config.Job,
        num_in: int,
        num_out: int,
        *,
        sources: Sequence[torch.Generator],
        joins: bool,
        table: Mapping[str, Any] | None,
    ) -> None:
        super().__init__()
        linear = LINEAR.get(job.normalization.name, ReplicaLinear)
        self.linear = linear(num_in, num_out, gain=_gain(job, table), sources=sources)
        gated = joins and job.model.block == "highway"
        self.gate = linear(num_in, num_out, gain=1.0, sources=sources) if gated else None
        if self.gate is not None:
            nn.init.constant_(self.gate.bias_R1O, GATE_BIAS)
        weighed = joins and job.model.block == "rezero"
        self.factor_R11 = nn.Parameter(torch.zeros(len(sources), 1, 1)) if weighed else None
        self.normalization = _normalization(job, len(sources), num_out)
        self.normalize_after = isinstance(job.normalization, config.Batch) and job.normalization.position == "after"
        self.activation = make_activation(job.activation, len(sources), table)
        self.dropout = make_dropout(job.dropout, job.activation)

    def forward(self, x_RBF: Tensor, phase: Phase, skip_RBF: Tensor | None = None) -> tuple[Tensor, LayerTrace]:
        """The layer's output and its trace; a residual pair's `skip_RBF` joins before the activation function."""
        z_RBF = self.linear(x_RBF)
        if self.normalization is not None and not self.normalize_after:
            z_RBF = self.normalization(z_RBF, phase)
        if skip_RBF is not None:
            z_RBF = z_RBF + skip_RBF
        a_RBF = out_RBF = self.activation(z_RBF)
        if self.normalization is not None and self.normalize_after:
            out_RBF = self.normalization(out_RBF, phase)
        if self.gate is not None:
            t_RBF = torch.sigmoid(self.gate(x_RBF))
            out_RBF = torch.lerp(x_RBF.to(out_RBF.dtype), out_RBF, t_RBF.to(out_RBF.dtype))
        if self.factor_R11 is not None:
            out_RBF = x_RBF + self.factor_R11 * out_RBF
        return self.dropout(out_RBF, phase), LayerTrace(z_RBF, a_RBF)


def _normalization(job: config.Job, num_replicas: int, num_out: int) -> ReplicaNorm | None:
    if job.normalization.name in ("none", *LINEAR):
        return None
    from selfnorm.networks.normalization import make_normalization

    return make_normalization(job.normalization, num_replicas, num_out)


def _gain(job: config.Job, table: Mapping[str, Any] | None) -> Gain:
    if job.model.initialization == "torch":
        return "torch"
    gain = job.model.gain if job.model.gain is not None else initialization_gain(job.activation, table)
    return gain if job.model.initialization == "normal" else Orthogonal(gain)


class ReplicaMLP(nn.Module):
    """R networks of `depth` hidden layers and a linear output, one per seed, independent of one another.

    plain: one layer after the other. residual: the first layer, then pairs of layers, the pair's input added before
    the second activation function (He et al. 2016); a layer that is left over is plain. highway: the first layer is
    plain, each later one is out = t h(x) + (1 - t) x with a learned gate t (Srivastava et al. 2015). rezero: the first
    layer is plain, each later one is out = x + s h(x) with a number s that is learned from 0 on (Bachlechner et al.
    2020; De and Smith 2020 call it SkipInit).
    """

    def __init__(
        self, job: config.Job, num_features: int, num_classes: int, table: Mapping[str, Any] | None = None
    ) -> None:
        """table: see `make_activation`."""
        super().__init__()
        sources = [generator(seed, Purpose.INITIALIZATION) for seed in job.seeds]
        sizes = [num_features, *job.model.layer_widths(num_features)]
        self.input_dropout = make_dropout(job.dropout, job.activation, inputs=True)
        self.hidden = nn.ModuleList(
            HiddenLayer(job, num_in, num_out, sources=sources, joins=layer > 0, table=table)
            for layer, (num_in, num_out) in enumerate(pairwise(sizes))
        )
        output = 1.0 if job.model.output == "lecun" else job.model.output
        self.output = ReplicaLinear(sizes[-1], num_classes, gain=output, sources=sources)
        # 0 is the first layer; pairs are (1, 2), (3, 4), ...; the second of a pair receives the first one's input
        self.receives_skip = [job.model.block == "residual" and i > 0 and i % 2 == 0 for i in range(job.model.depth)]

    @property
    def layers(self) -> list[HiddenLayer]:
        """The hidden layers; `hidden` holds the same as modules."""
        return [layer for layer in self.hidden if isinstance(layer, HiddenLayer)]

    @torch.no_grad()
    def scale_to_unit_variance(self, x_RBF: Tensor) -> None:
        """Scale the weights, layer by layer, so that the pre-activations of x have variance 1.

        With orthogonal weights this is LSUV (Mishkin and Matas 2016); the output layer keeps its own weights.
        """

        def scale(linear: ReplicaLinear, _: Any, z_RBF: Tensor) -> Tensor:
            factor_R11 = z_RBF.var(dim=(1, 2), keepdim=True).rsqrt()
            linear.scale_weights(factor_R11)
            return z_RBF * factor_R11  # biases are 0 before training

        hooks = [layer.linear.register_forward_hook(scale) for layer in self.layers]
        self(x_RBF, Phase(group=x_RBF.shape[1]))
        for hook in hooks:
            hook.remove()

    @property
    def learned_constants(self) -> dict[str, Tensor]:
        """alpha and lambda of every hidden layer, (R, L), where they are trained; else empty."""
        learned = [layer.activation for layer in self.layers if isinstance(layer.activation, LearnedSelu)]
        if not learned:
            return {}
        return {
            "alpha": torch.stack([selu.alpha_R.detach() for selu in learned], dim=1),
            "lambda": torch.stack([selu.lambda_R.detach() for selu in learned], dim=1),
        }

    def forward(self, x_RBF: Tensor, phase: Phase, trace: list[LayerTrace] | None = None) -> Tensor:
        """Logits (R, B, C). `trace`, if given, receives every hidden layer's z and a."""
        x_RBF = before_pair_RBF = self.input_dropout(x_RBF, phase)
        for layer, receives_skip in zip(self.hidden, self.receives_skip, strict=True):
            entered_RBF = x_RBF
            x_RBF, computed = layer(x_RBF, phase, before_pair_RBF if receives_skip else None)
            before_pair_RBF = entered_RBF
            if trace is not None:
                trace.append(computed)
        # Single precision under autocast too: logits rounded to 8 bits would add noise of their own to the error
        with torch.autocast(x_RBF.device.type, enabled=False):
            return self.output(x_RBF.float())
