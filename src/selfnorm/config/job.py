"""A job: one cell of Figure 1, the settings that decide its numbers, and the folder of its run.

`parsing.parse_job` makes a frozen `Job` of the composed configuration. Imports no torch, so that a mistake is answered
at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator

from selfnorm.config.activation import Activation, Selu, activation_label
from selfnorm.config.groups import (
    AnyDataset,
    AnyDropout,
    Logger,
    Model,
    Normalization,
    Optimizer,
    Recording,
    Trainer,
    Training,
)
from selfnorm.config.own_data import ELSEWHERE
from selfnorm.config.values import Group, Seed

Folder = Annotated[str, Field(min_length=1), AfterValidator(os.path.expanduser)]  # no shell expands it after a "="


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """Select from a resolved configuration what decides the numbers, without what only says where or how to compute."""
    elsewhere = {"logger", "data_dir", "runs_dir", "overwrite", "progress", "scale"}
    return {
        group: {key: value for key, value in keys.items() if _decides(group, key, value)}
        if isinstance(keys, Mapping)
        else keys
        for group, keys in config.items()
        if group not in elsewhere
    }


# Keys that came later, and the value that means what was done before: a run that has it keeps its identity.
LATER: dict[tuple[str, str], Any] = {
    ("recording", "forks"): None,
    ("model", "widths"): None,
    ("model", "initialization"): "normal",
    ("model", "output"): "glorot",
    ("dataset", "standardize"): "feature",
    ("dataset", "test_fold"): None,
}


def _decides(group: str, key: str, value: Any) -> bool:
    if (group, key) in LATER:
        return bool(value != LATER[group, key])
    match group, key:
        case "trainer", _:
            return key == "precision"
        case "dataset", _:
            return key not in ELSEWHERE
        case _:
            return (group, key) != ("training", "checkpoint_seconds")


class Job(Group):
    """A network, a data set, how the network is trained, and the seeds: one network each, trained together."""

    dataset: AnyDataset
    model: Model
    activation: Activation
    normalization: Normalization
    dropout: AnyDropout
    optimizer: Optimizer
    training: Training
    recording: Recording
    trainer: Trainer
    logger: Logger
    seeds: Annotated[list[Seed], Field(min_length=1)]
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    scale: str
    data_dir: Folder
    runs_dir: Folder
    overwrite: bool
    progress: bool

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        if repeated := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
            raise ValueError(f"repeats {repeated}; every seed is one network, so list each once")
        return seeds

    @property
    def network(self) -> str:
        """The network's name in folders and tables, such as `relu-batch` or `highway-selu`."""
        block = [] if self.model.block == "plain" else [self.model.block]
        extras = [group.name for group in (self.normalization, self.dropout) if group.name != "none"]
        activation = self.activation
        label = activation.label if isinstance(activation, Selu) else activation_label(activation.model_dump())
        return "-".join([*block, label, *extras])

    @property
    def sizes(self) -> list[int]:
        """The number of inputs, of units of each hidden layer, and of classes."""
        data = self.dataset.declaration
        return [data.num_inputs, *self.model.layer_widths(data.num_inputs), data.num_classes]

    @property
    def num_weights(self) -> int:
        """The weights of one network, biases aside."""
        return sum(num_in * num_out for num_in, num_out in pairwise(self.sizes))

    @property
    def identity(self) -> dict[str, Any]:
        """The settings of this job that decide its numbers."""
        return identity(self.model_dump(by_alias=True))

    @property
    def folder(self) -> Path:
        """The run's folder: its coordinates, and a hash of the identity so that two configurations never share one."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:8]
        return Path(self.runs_dir, self.tag, self.dataset.label, self.network, f"d{self.model.depth}-{digest}")

    @property
    def warnings(self) -> list[str]:
        """Sentences about choices that break self-normalization, by the paper's theory."""
        if not isinstance(self.activation, Selu) or self.normalization.name != "none":
            return []
        sentences = []
        if self.model.gain is not None and self.model.gain != 1:
            gain = f"{self.model.gain:g}"
            sentences.append(f"model.gain={gain}: SELU is self-normalizing for weights of variance 1/n, gain 1")
        # A requested fixed point needs no warning: it is always stable, because E selu(s z)^2 / s^2 falls with s
        if self.activation.fixed_point is None:
            sentences.append("activation.alpha and lambda are not those whose fixed point is mean 0, variance 1")
        if self.dropout.name == "standard":
            sentences.append("dropout=standard changes mean and variance under SELU; dropout=alpha keeps them")
        return sentences
