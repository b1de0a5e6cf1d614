"""The networks of a finished run at its first and at its last record, as arrays that the theory takes.

In: a run folder and its data set. Out: moments of the recorded inputs, and weights, activations and dropout of each
seed. The first networks are drawn again: an initialization depends on the seed alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn

from selfnorm.data.splits import load_splits
from selfnorm.networks.activations import LearnedSelu, Selu
from selfnorm.networks.dropout import ReplicaDropout
from selfnorm.networks.export import load_run
from selfnorm.networks.mlp import HiddenLayer, ReplicaMLP
from selfnorm.theory.activations import Activation, activation
from selfnorm.theory.dropout import Dropout
from selfnorm.theory.overlay import Inputs, Network


class Snapshot(NamedTuple):
    """One seed's network, before the first update or after the last."""

    seed: int
    trained: bool
    network: Network


class RecordedRun:
    """A finished run of plain layers without normalization of their activations, which is what the maps are for.

    Raises ValueError, in one line, for any other.
    """

    def __init__(self, folder: Path) -> None:
        self.job, self._trained, _ = load_run(folder)
        if self.job.model.block != "plain" or self.job.normalization.name in ("batch", "layer"):
            raise ValueError(f"the maps are for plain layers without normalization, not for {self.job.network}")

    def inputs(self) -> Inputs:
        """Moments of the standardized features over the samples that the layers' moments were recorded on."""
        job, dataset = self.job, self.job.dataset
        train = load_splits(dataset.name, data_dir=Path(job.data_dir), train_limit=dataset.train_limit).train
        num_samples = min(job.recording.samples, len(train.y_N))
        group = min(job.training.batch_size, num_samples)  # as training.passes.layer_moments: whole batches
        return Inputs.of(train.x_NF[: num_samples // group * group].double().numpy())

    def snapshots(self) -> Iterator[Snapshot]:
        """Every seed's network before the first update, then every seed's after the last."""
        first, output = _layers(self._trained)[0].linear, self._trained.output
        num_features, num_classes = first.weight_RIO.shape[1], output.weight_RIO.shape[2]
        for network in (ReplicaMLP(self.job, num_features, num_classes), self._trained):
            for replica, seed in enumerate(self.job.seeds):
                yield Snapshot(seed, network is self._trained, as_arrays(network, replica))


def _layers(network: ReplicaMLP) -> list[HiddenLayer]:
    return [layer for layer in network.hidden if isinstance(layer, HiddenLayer)]


@torch.no_grad()
def as_arrays(network: ReplicaMLP, replica: int) -> Network:
    """One replica's hidden layers in double precision."""
    layers = _layers(network)
    return Network(
        weights=[layer.linear.effective_weight()[replica].T.double().numpy() for layer in layers],
        biases=[layer.linear.bias_R1O[replica, 0].double().numpy() for layer in layers],
        activations=[_activation(layer.activation, replica) for layer in layers],
        input_dropout=_dropout(network.input_dropout),
        dropout=_dropout(layers[0].dropout),
    )


def _activation(module: nn.Module, replica: int) -> Activation:
    match module:
        case LearnedSelu():
            return activation("selu", alpha=module.alpha_R[replica].item(), lambda_=module.lambda_R[replica].item())
        case Selu():
            return activation("selu", alpha=module.alpha, lambda_=module.lambda_)
        case nn.ELU():
            return activation("elu", alpha=module.alpha)
        case nn.LeakyReLU():
            return activation("leaky_relu", slope=module.negative_slope)
        case _:
            return activation(type(module).__name__.lower())  # nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid


def _dropout(module: ReplicaDropout) -> Dropout:
    return Dropout(module.rate, module.saturation, module.a, module.b)
