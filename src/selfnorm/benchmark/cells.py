"""What is timed: a cell of the figure as a job, and how many of its steps make one measurement."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfnorm import config
from selfnorm.parsing import parse_job

# What is compared
JOB = "this pipeline, whole job"
STEPS = "this pipeline, steps alone"
FP32, BF16 = "plain PyTorch, fp32", "plain PyTorch, bf16"
LIGHTNING = "Lightning as usual, fp32"
LIMIT = "matrix products alone"

CONF = Path(__file__).parents[3] / "conf"


@dataclass(frozen=True)
class Cell:
    """A job of the benchmark. steps: of the loops that are timed beside the job itself, which runs `epochs`."""

    name: str
    overrides: tuple[str, ...]
    num_seeds: int
    epochs: int
    steps: int

    def job(self, folder: Path, *overrides: str) -> config.Job:
        """The job as a user would start it, in `folder`, W&B offline."""
        seeds = ",".join(map(str, range(self.num_seeds)))
        fixed = (f"seeds=[{seeds}]", f"training.epochs={self.epochs}", f"runs_dir={folder}", "tag=benchmark")
        return compose_job(*self.overrides, *fixed, *overrides)


def compose_job(*overrides: str) -> config.Job:
    """The job that `python train.py <overrides>` would run. Raises what Hydra and the schema raise."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed: Any = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    return parse_job(composed)


DIGITS = ("dataset=digits", "model.width=64")
MNIST = ("dataset=mnist", "model.width=784", "trainer.precision=bf16")
CIFAR = ("dataset=cifar10", "model.width=1024", "trainer.precision=bf16")
CELLS = (
    Cell("digits, width 64, depth 8, 16 seeds", (*DIGITS, "model.depth=8"), num_seeds=16, epochs=100, steps=200),
    Cell("digits, width 64, depth 32, 16 seeds", (*DIGITS, "model.depth=32"), num_seeds=16, epochs=30, steps=60),
    Cell("MNIST, width 784, depth 8, 4 seeds", (*MNIST, "model.depth=8"), num_seeds=4, epochs=4, steps=12),
    Cell("MNIST, width 784, depth 32, 1 seed", (*MNIST, "model.depth=32"), num_seeds=1, epochs=3, steps=12),
    Cell("CIFAR-10, width 1024, depth 8, 2 seeds", (*CIFAR, "model.depth=8"), num_seeds=2, epochs=3, steps=12),
)
START = ("+experiment=selu_deep", "training.epochs=2")  # what is started anew to time the start
TINY = (
    Cell("digits, width 16, depth 2, 2 seeds", ("dataset=digits", "scale=smoke", "model.depth=2", "model.width=16"),
         num_seeds=2, epochs=2, steps=3),
)  # fmt: skip
TINY_START = ("dataset=digits", "scale=smoke")
