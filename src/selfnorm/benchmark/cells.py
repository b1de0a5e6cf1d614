"""The jobs that are timed: cells of the figure, how long each trains, and the job whose start is timed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from selfnorm import config
from selfnorm.sweeps.compose import compose_job


@dataclass(frozen=True)
class Cell:
    """A job that trains `epochs`, and the number of `steps` for which the bare loops beside it are timed."""

    name: str
    overrides: tuple[str, ...]
    num_seeds: int
    epochs: int
    steps: int

    def job(self, folder: Path, *overrides: str) -> config.Job:
        """Compose the job as a user would start it, in `folder`, W&B offline."""
        seeds = ",".join(map(str, range(self.num_seeds)))
        fixed = (f"seeds=[{seeds}]", f"training.epochs={self.epochs}", f"runs_dir={folder}", "tag=benchmark")
        return compose_job(*self.overrides, *fixed, *overrides)


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
START = ("+experiment=selu_deep", "training.epochs=2")
TINY_START = ("dataset=digits", "scale=smoke")
TINY = (Cell("digits, tiny", (*TINY_START, "model.depth=2", "model.width=16"), num_seeds=2, epochs=2, steps=3),)
