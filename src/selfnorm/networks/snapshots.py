"""The networks of a finished run before its first and after its last update, as arrays that the theory takes.

In: a run folder. Out: weights, activations and dropout of each seed, and moments of the inputs.
The first networks are drawn again: an initialization depends on the seed alone.

Legend: N samples, F features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from selfnorm import config
from selfnorm.networks.activations import LearnedSelu
from selfnorm.networks.export import load_run
from selfnorm.networks.layers import ReplicaDropout
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.runs.reading import read_activation
from selfnorm.theory.activations import Activation, activation
from selfnorm.theory.dropout import Dropout
from selfnorm.theory.expected import UNNORMALIZED
from selfnorm.theory.prediction import Inputs, Network
from selfnorm.theory.tabulated import from_table


class Snapshot(NamedTuple):
    """One seed's network, before the first update or after the last."""

    seed: int
    trained: bool
    network: Network


class RecordedRun:
    """A finished run of plain layers without normalization of their activations, for which the maps are made.

    Raises ValueError, in one line, for any other run.
    """

    def __init__(self, folder: Path) -> None:
        self.job, self._trained, _ = load_run(folder)
        self._table = read_activation(folder) or {}
        if self.job.model.block != "plain" or self.job.normalization.name not in UNNORMALIZED:
            raise ValueError(f"the maps are for plain layers without normalization, not for {self.job.network}")
        if self.job.model.initialization == "lsuv":
            raise ValueError("model.initialization=lsuv: the first weights depend on the data and are not drawn again")

    def inputs(self, x_NF: Tensor) -> Inputs:
        """Moments of the standardized training features, over the samples that the run measured its layers on."""
        num_samples = min(self.job.recording.samples, len(x_NF))
        group = min(self.job.training.batch_size, num_samples)  # as training.passes.layer_moments: whole batches
        return Inputs.of(x_NF[: num_samples // group * group].double().numpy())

    def snapshots(self) -> Iterator[Snapshot]:
        """Every seed's network before the first update, then every seed's after the last."""
        first, output = self._trained.layers[0].linear, self._trained.output
        num_features, num_classes = first.weight_RIO.shape[1], output.weight_RIO.shape[2]
        for network in (ReplicaMLP(self.job, num_features, num_classes, self._table), self._trained):
            for replica, seed in enumerate(self.job.seeds):
                yield Snapshot(seed, network is self._trained, as_arrays(self.job, network, replica, self._table))


@torch.no_grad()
def as_arrays(job: config.Job, network: ReplicaMLP, replica: int, table: Mapping[str, Any] | None = None) -> Network:
    """One replica's hidden layers in double precision. table: see `make_activation`."""
    layers = network.layers
    return Network(
        weights=[layer.linear.effective_weight()[replica].T.double().numpy() for layer in layers],
        biases=[layer.linear.bias_R1O[replica, 0].double().numpy() for layer in layers],
        activations=[_activation(job.activation, layer.activation, replica, table) for layer in layers],
        input_dropout=_dropout(network.input_dropout),
        dropout=_dropout(layers[0].dropout),
    )


def _activation(
    part: config.Activation, module: nn.Module, replica: int, table: Mapping[str, Any] | None
) -> Activation:
    if isinstance(part, config.Custom):
        return from_table(table)
    if isinstance(module, LearnedSelu):
        return activation("selu", alpha=module.alpha_R[replica].item(), lambda_=module.lambda_R[replica].item())
    if isinstance(part, config.Selu):
        return activation("selu", alpha=part.alpha, lambda_=part.lambda_)
    return activation(part.name, **part.model_dump(exclude={"name"}))  # alpha of ELU, slope of leaky ReLU


def _dropout(module: ReplicaDropout) -> Dropout:
    return Dropout(module.rate, module.saturation, module.a, module.b)
