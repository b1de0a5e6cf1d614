"""The groups of a job's configuration: every key, its type, and the range in which a job can work.

The defaults are in conf/ alone, so every key here is required. A job writes all of them to its config.yaml.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from selfnorm.config.own_data import Arrays, Standardize, Table
from selfnorm.config.values import MAX_DEPTH, Count, Depth, Factor, Finite, Group, Rate
from selfnorm.data import datasets

WANDB_FORBIDDEN, WANDB_LONGEST = r"/\#?%:", 128


def wandb_name(text: str) -> str:
    """Return the text if W&B accepts it as the name of a project, a user or a team.

    Raises ValueError with the end of a sentence that begins with the text.
    """
    legal = 0 < len(text) <= WANDB_LONGEST and text.isprintable() and text.strip()
    if not legal or set(WANDB_FORBIDDEN) & set(text):
        raise ValueError(
            f"is not a name that W&B accepts: 1 to {WANDB_LONGEST} characters, none of {' '.join(WANDB_FORBIDDEN)}"
        )
    return text


Width = Annotated[int, Field(ge=1, le=10**6)]
Machines = Annotated[int, Field(ge=1, le=1024)]
Epsilon = Annotated[Finite, Field(ge=1e-12, le=1)]
# A larger one overflows single precision inside torch's optimizers; networks diverge long before that.
LearningRate = Annotated[Finite, Field(gt=0, le=1e30)]
WandbName = Annotated[str, AfterValidator(wandb_name)]


class Dataset(Group):
    name: Literal[tuple(datasets.DATASETS)]  # type: ignore[valid-type]  # mypy knows literals alone
    train_limit: Count | None
    standardize: Standardize

    @property
    def label(self) -> str:
        """The name of the data in folders and tables."""
        return str(self.name)

    @property
    def declaration(self) -> datasets.Dataset:
        return datasets.DATASETS[self.name]


class Model(Group):
    depth: Depth
    width: Width | None
    widths: Annotated[list[Width], Field(min_length=1, max_length=MAX_DEPTH)] | None
    block: Literal["plain", "residual", "highway", "rezero"]
    initialization: Literal["normal", "orthogonal", "lsuv", "torch"]
    gain: Factor | None
    output: Literal["glorot", "lecun", "torch"]

    @model_validator(mode="before")
    @classmethod
    def _widths_set_the_depth(cls, keys: Any) -> Any:
        widths = keys.get("widths") if isinstance(keys, dict) else None
        return keys | {"depth": len(widths), "width": None} if isinstance(widths, list) else keys

    def layer_widths(self, num_inputs: int) -> list[int]:
        """The number of units of every hidden layer."""
        return self.widths or [self.width or num_inputs] * self.depth


class NoNormalization(Group):
    name: Literal["none"]


class Batch(Group):
    name: Literal["batch"]
    position: Literal["before", "after"]
    eps: Epsilon
    momentum: Annotated[Finite, Field(gt=0, le=1)]


class Layer(Group):
    name: Literal["layer"]
    eps: Epsilon


class Rms(Group):
    name: Literal["rms"]
    eps: Epsilon


class Dynamic(Group):
    """tanh or erf in the place of normalization; alpha: its first slope at 0."""

    name: Literal["dyt", "derf"]
    alpha: Factor


class OfWeights(Group):
    name: Literal["weight", "centred"]


class NoDropout(Group):
    name: Literal["none"]


class Dropout(Group):
    name: Literal["standard", "alpha"]
    rate: Rate
    input_rate: Rate


class Sgd(Group):
    name: Literal["sgd"]
    lr: LearningRate
    momentum: Rate


class Adam(Group):
    name: Literal["adam"]
    lr: LearningRate


class Training(Group):
    epochs: Count
    batch_size: Count
    loss: Literal["sum", "mean"]
    error_mode: Literal["train", "eval"]
    error_batch_size: Count | Literal["all"] | None
    checkpoint_seconds: Annotated[Finite, Field(ge=0, le=1e9)]


class Forks(Group):
    """Copies of the trained state that differ in one perturbation only, trained on the side (training/forks.py).

    epochs: the run is forked before each of these; None: 1, 3, 10, 30, 100 and so on. horizon: epochs that copies
    train. readings: how many times an epoch their training error is measured.
    """

    copies: Annotated[int, Field(ge=2, le=1000)]
    epochs: Annotated[list[Count], Field(min_length=1)] | None
    horizon: Count
    readings: Count
    sources: Annotated[list[Literal["order", "masks", "statistics", "all", "evaluation"]], Field(min_length=1)]


class Recording(Group):
    errors_per_epoch: Count
    error_samples: Count | None
    every: Count | None
    samples: Count
    forks: Forks | None

    @field_validator("forks", mode="before")
    @classmethod
    def _no_copies_are_no_forks(cls, forks: Any) -> Any:
        return None if isinstance(forks, dict) and forks.get("copies") == 0 else forks


class Trainer(Group):
    name: Literal["cpu", "gpu", "ddp", "ddp_cpu"]
    accelerator: Literal["cpu", "cuda"]
    devices: Machines | Literal["auto"]
    num_nodes: Machines
    strategy: Literal["auto", "ddp"]
    precision: Literal["fp32", "bf16"]
    shard: Literal["batch", "seeds"]


class Logger(Group):
    mode: Literal["online", "offline", "disabled"]
    project: WandbName
    entity: WandbName | None


AnyDataset = Annotated[Dataset | Table | Arrays, Field(discriminator="name")]
Normalization = Annotated[NoNormalization | Batch | Layer | Rms | Dynamic | OfWeights, Field(discriminator="name")]
AnyDropout = Annotated[NoDropout | Dropout, Field(discriminator="name")]
Optimizer = Annotated[Sgd | Adam, Field(discriminator="name")]
