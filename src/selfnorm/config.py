"""What a job may ask for, as one schema: names, ranges and impossible combinations.

`parsing.parse_job` makes a frozen `Job` of the composed configuration. Imports no torch, so that a mistake is answered
at once.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from selfnorm.finished import is_whole
from selfnorm.selu_constants import PAPERS_FIXED_POINT, complete_selu
from selfnorm.wandb_names import wandb_name

# Training samples of each data set. Authors' code: the last 10 000 of MNIST and of CIFAR-10 validate.
NUM_TRAIN = {"mnist": 50_000, "cifar10": 40_000, "fashion_mnist": 50_000, "digits": 1280}
MAX_DEPTH = 1000

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
WandbName = Annotated[str, AfterValidator(wandb_name)]
Folder = Annotated[str, Field(min_length=1)]


class ConfigError(ValueError):
    """The configuration asks for something that does not exist or cannot work."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Dataset(Part):
    name: Literal["mnist", "cifar10", "fashion_mnist", "digits"]
    train_limit: Count | None = None


class Model(Part):
    depth: Annotated[int, Field(ge=1, le=MAX_DEPTH)]
    width: Count | None = None
    block: Literal["plain", "residual", "highway"] = "plain"
    gain: Positive | None = None


class Selu(Part):
    """SELU by its constants or by its fixed point; whichever is given, all three are there afterwards.

    fixed_point: mean and variance that layers of independent random weights of variance 1/n keep; null only for
    constants that were chosen otherwise. learn: every layer of every replica trains its own alpha and lambda.
    """

    name: Literal["selu"]
    fixed_point: Annotated[list[Finite], Field(min_length=2, max_length=2)] | None = None
    alpha: Positive
    lambda_: Positive = Field(alias="lambda")
    learn: bool = False

    @model_validator(mode="before")
    @classmethod
    def _constants_and_fixed_point_agree(cls, part: Any) -> Any:
        return complete_selu(part) if isinstance(part, dict) else part

    @property
    def label(self) -> str:
        """`selu` for the paper's own, else with what differs, fit for a folder's name."""
        if self.fixed_point is None:
            target = f"_a{self.alpha:g}_l{self.lambda_:g}"
        else:
            target = "" if self.fixed_point == PAPERS_FIXED_POINT else "_m{:g}_v{:g}".format(*self.fixed_point)
        return f"selu{target}{'_learned' if self.learn else ''}"


class LeakyRelu(Part):
    name: Literal["leaky_relu"]
    slope: Annotated[float, Field(ge=0, lt=1)] = 0.01


class Elu(Part):
    name: Literal["elu"]
    alpha: Positive = 1.0


class PlainActivation(Part):
    name: Literal["relu", "gelu", "silu", "tanh", "sigmoid"]


class NoNormalization(Part):
    name: Literal["none"]


class Batch(Part):
    name: Literal["batch"]
    position: Literal["before", "after"] = "after"
    eps: Positive = 1e-3
    momentum: Annotated[float, Field(gt=0, le=1)] = 0.1


class Layer(Part):
    name: Literal["layer"]
    eps: Positive = 1e-5


class Weight(Part):
    name: Literal["weight"]


class NoDropout(Part):
    name: Literal["none"]


class Dropout(Part):
    name: Literal["standard", "alpha"]
    rate: Rate = 0.05
    input_rate: Rate = 0.0


class Sgd(Part):
    name: Literal["sgd"]
    lr: Positive
    momentum: Rate = 0.0


class Adam(Part):
    name: Literal["adam"]
    lr: Positive


class Training(Part):
    epochs: Annotated[int, Field(ge=1, le=10**9)]
    batch_size: Count = 128
    loss: Literal["sum", "mean"] = "sum"
    error_mode: Literal["train", "eval"] = "train"
    error_batch_size: Count | Literal["all"] | None = None
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 30.0


class Recording(Part):
    errors_per_epoch: Count = 1
    error_samples: Count | None = None
    every: Count | None = None
    samples: Count = 256


class Trainer(Part):
    name: Literal["cpu", "gpu", "ddp", "ddp_cpu"]
    accelerator: Literal["cpu", "cuda"]
    devices: Count | Literal["auto"] = 1
    num_nodes: Count = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"
    shard: Literal["batch", "seeds"] = "batch"

    @model_validator(mode="after")
    def _every_device_has_work(self) -> Trainer:
        if self.num_nodes > 1 and self.strategy == "auto":
            raise ValueError(
                f"trainer.num_nodes={self.num_nodes}: trainer={self.name} trains in one process; use trainer=ddp"
            )
        if self.shard == "seeds" and self.strategy != "auto":
            raise ValueError("trainer.shard=seeds is for the devices of one machine: use it with trainer=cpu or gpu")
        if self.shard == "batch" and self.strategy == "auto" and self.devices not in (1, "auto"):
            raise ValueError(
                f"trainer.devices={self.devices} with trainer={self.name}: add trainer.shard=seeds, or use trainer=ddp"
            )
        return self


class Logger(Part):
    mode: Literal["online", "offline", "disabled"] = "offline"
    project: WandbName = "selfnorm"
    entity: WandbName | None = None


Activation = Annotated[Selu | LeakyRelu | Elu | PlainActivation, Field(discriminator="name")]
Normalization = Annotated[NoNormalization | Batch | Layer | Weight, Field(discriminator="name")]
AnyDropout = Annotated[NoDropout | Dropout, Field(discriminator="name")]
Optimizer = Annotated[Sgd | Adam, Field(discriminator="name")]


class Job(Part):
    """One cell of Figure 1: a network, a data set, how it is trained, and its seeds."""

    dataset: Dataset
    model: Model
    activation: Activation
    normalization: Normalization
    dropout: AnyDropout
    optimizer: Optimizer
    training: Training
    recording: Recording
    trainer: Trainer
    logger: Logger
    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], Field(min_length=1)]
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    scale: str
    data_dir: Folder = "data"
    runs_dir: Folder = "runs"
    overwrite: bool = False
    progress: bool = True

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        if repeated := sorted({seed for seed in seeds if seeds.count(seed) > 1}):
            raise ValueError(f"repeats {repeated}; every seed is one network, so list each once")
        return seeds

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Job:
        if self.dropout.name == "alpha" and self.activation.name != "selu":
            raise ValueError(
                f"dropout=alpha keeps the moments of SELU only, not of activation={self.activation.name}; "
                "use dropout=standard or activation=selu"
            )
        if self.dropout.name == "alpha" and isinstance(self.activation, Selu) and self.activation.learn:
            raise ValueError(
                "dropout=alpha is made for constants that stay, activation.learn=true changes them; "
                "use dropout=none, dropout=standard or activation.learn=false"
            )
        num_train = NUM_TRAIN[self.dataset.name]
        if self.dataset.train_limit is not None and self.dataset.train_limit > num_train:
            raise ValueError(
                f"dataset.train_limit={self.dataset.train_limit}: {self.dataset.name} has {num_train} "
                f"training samples; use 1 to {num_train}, or null for all"
            )
        num_samples = self.dataset.train_limit or num_train
        least = 2 if self.normalization.name == "batch" else 1
        if not least <= self.training.batch_size <= num_samples:
            raise ValueError(f"training.batch_size={self.training.batch_size}: must be {least} to {num_samples} here")
        error_batch = self.training.error_batch_size
        if isinstance(error_batch, int) and not least <= error_batch <= num_samples:
            raise ValueError(f"training.error_batch_size={error_batch}: must be {least} to {num_samples} here")
        if self.recording.error_samples is not None and self.recording.error_samples > num_samples:
            raise ValueError(
                f"recording.error_samples={self.recording.error_samples}: must be 1 to {num_samples} here; null is all"
            )
        batches = num_samples // self.training.batch_size
        if batches % self.recording.errors_per_epoch:
            raise ValueError(
                f"recording.errors_per_epoch={self.recording.errors_per_epoch}: an epoch has {batches} batches here; "
                "use a divisor of that, so that the curve is evenly spaced"
            )
        if isinstance(self.trainer.devices, int) and self.trainer.shard == "batch":
            processes = self.trainer.devices * self.trainer.num_nodes
            if self.training.batch_size % processes:
                raise ValueError(
                    f"training.batch_size={self.training.batch_size} cannot be shared by {processes} processes; "
                    f"use a multiple of {processes}, or trainer.devices=1"
                )
        return self

    @property
    def network(self) -> str:
        """The network's name in folders and tables, such as `relu-batch` or `highway-selu`."""
        block = [] if self.model.block == "plain" else [self.model.block]
        extras = [part.name for part in (self.normalization, self.dropout) if part.name != "none"]
        activation = self.activation.label if isinstance(self.activation, Selu) else self.activation.name
        return "-".join([*block, activation, *extras])

    @property
    def identity(self) -> dict[str, Any]:
        """All that decides the numbers, and nothing that only says where or how they are computed."""
        elsewhere = {"logger", "data_dir", "runs_dir", "overwrite", "progress", "scale"}
        job = self.model_dump(by_alias=True, exclude=elsewhere)
        job["trainer"] = {"precision": self.trainer.precision}
        del job["training"]["checkpoint_seconds"]
        return job

    @property
    def folder(self) -> Path:
        """The run's own folder: its coordinates, and a hash so that two configurations never share one."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:8]
        return Path(self.runs_dir, self.tag, self.dataset.name, self.network, f"d{self.model.depth}-{digest}")

    @property
    def is_finished(self) -> bool:
        """Whether the run's folder says that it was trained to the end, and holds what it then must hold."""
        return is_whole(self.folder)

    @property
    def warnings(self) -> list[str]:
        """Where the paper's theory says that a choice breaks self-normalization."""
        if not isinstance(self.activation, Selu) or self.normalization.name != "none":
            return []
        found = []
        if self.model.gain is not None and self.model.gain != 1:
            gain = f"{self.model.gain:g}"
            found.append(f"model.gain={gain}: SELU is self-normalizing for weights of variance 1/n, gain 1")
        # One that is asked for attracts: E selu(s z)^2 / s^2 falls with s, so the second moment returns to it
        if self.activation.fixed_point is None:
            found.append("activation.alpha and lambda are not those whose fixed point is mean 0, variance 1")
        if self.dropout.name == "standard":
            found.append("dropout=standard changes mean and variance under SELU; dropout=alpha keeps them")
        return found
