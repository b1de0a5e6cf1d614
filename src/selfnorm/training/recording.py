"""The callback that measures: training error every epoch, moments and validation on a schedule, to files and W&B.

Legend: R replica, L hidden layer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from selfnorm import config
from selfnorm.tracking.mirror import Mirror
from selfnorm.training.files import CURVES, LEARNED, MOMENTS, Table, table_digest
from selfnorm.training.metrics import Error
from selfnorm.training.passes import evaluation_error, layer_moments, training_error

Row = dict[str, Any]


class AllSeedsDiverged(RuntimeError):
    """No network of the run has a finite training error any more; `known` is what a summary can still say."""

    def __init__(self, reason: str, known: dict[str, Any]) -> None:
        super().__init__(reason)
        self.known = known


def is_recorded(epoch: int, every: int | None) -> bool:
    """Whether moments are taken before `epoch`: every so many epochs, or log-spaced, about four to a doubling.

    Log-spaced: 0 to 7 all, to 15 every second, to 31 every fourth, and so on.
    """
    spacing = every or max(1, 1 << max(0, epoch.bit_length() - 3))
    return epoch % spacing == 0


def is_validated(epoch: int, every: int | None) -> bool:
    """Whether the validation error is taken before `epoch`: every so many epochs, or at 0 and the powers of two."""
    return epoch % every == 0 if every else epoch & (epoch - 1) == 0


class Recorder(pl.Callback):
    """Measures before each epoch's updates, as the paper's figure does, and once more at the end."""

    def __init__(self, job: config.Job, folder: Path, mirror: Mirror) -> None:
        self.job, self.mirror = job, mirror
        learned = LEARNED if isinstance(job.activation, config.Selu) and job.activation.learn else ()
        self.curves = Table(folder / "curves.csv", CURVES)
        self.moments = Table(folder / "moments.csv", (*MOMENTS, *learned))
        self.diverged: dict[int, int] = {}  # seed -> the step at which its error was first seen not to be finite
        self.latest: dict[str, Error] = {}
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Wall time of the run so far, over all the times it was resumed."""
        return time.monotonic() - self.started

    def known(self, steps: int) -> dict[str, Any]:
        """What can be said of the run after `steps`, whatever became of it."""
        diverged = {str(seed): step for seed, step in self.diverged.items()}
        return {"steps": steps, "seconds": round(self.seconds, 2), "diverged": diverged}

    def state_dict(self) -> dict[str, Any]:
        tables = {table.path.name: table_digest(table.path, math.inf) for table in (self.curves, self.moments)}
        return {"diverged": self.diverged, "seconds": self.seconds, "tables": tables}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.diverged = dict(state["diverged"])
        self.started -= state["seconds"]

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        if trainer.is_global_zero:
            self.curves.cut_back(trainer.global_step)
            self.moments.cut_back(trainer.global_step)
            self.mirror.catch_up()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: Any) -> None:
        self._record(trainer, module, trainer.current_epoch, on_schedule=True)

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        spacing = trainer.datamodule.batches_per_epoch // self.job.recording.errors_per_epoch  # type: ignore[attr-defined]
        if batch_idx and batch_idx % spacing == 0:
            self._record(trainer, module, trainer.current_epoch)

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        self._record(trainer, module, trainer.current_epoch, final=True)

    def _record(
        self, trainer: pl.Trainer, module: Any, epoch: int, *, on_schedule: bool = False, final: bool = False
    ) -> None:
        every = self.job.recording.every
        splits = trainer.datamodule.splits  # type: ignore[attr-defined]
        at = {"step": trainer.global_step, "epoch": epoch}
        errors = {"train": training_error(module, splits.train)}
        if final or (on_schedule and is_validated(epoch, every)):
            errors["validation"] = evaluation_error(module, splits.validation)
        if final:
            errors["test"] = evaluation_error(module, splits.test)
        self.latest |= errors
        due = final or (on_schedule and is_recorded(epoch, every))
        moments = layer_moments(module, splits.train) if due else {}
        self._mark_diverged(errors["train"].loss_R, trainer.global_step)
        if trainer.is_global_zero:
            curve_rows = [row for split, error in errors.items() for row in self._curve_rows(at, split, error)]
            moment_rows = self._moment_rows(at, moments)
            self.curves.append(curve_rows)
            self.moments.append(moment_rows)
            self.mirror.log(at, curve_rows, moment_rows)
        if len(self.diverged) == len(self.job.seeds):
            smaller = f"try a smaller optimizer.lr than {self.job.optimizer.lr:g}"
            raise AllSeedsDiverged(
                f"every seed diverged (training error not finite) by step {trainer.global_step}; "
                f"{smaller if trainer.global_step else 'look at the data, nothing was learned yet'}",
                self.known(trainer.global_step),
            )

    def _mark_diverged(self, loss_R: Tensor, step: int) -> None:
        for seed, finite in zip(self.job.seeds, loss_R.isfinite().tolist(), strict=True):
            if not finite:
                self.diverged.setdefault(seed, step)

    def _curve_rows(self, at: Mapping[str, int], split: str, error: Error) -> list[Row]:
        values = zip(self.job.seeds, error.loss_R.tolist(), error.accuracy_R.tolist(), strict=True)
        return [{**at, "seed": seed, "split": split, "loss": loss, "accuracy": acc} for seed, loss, acc in values]

    def _moment_rows(self, at: Mapping[str, int], moments: Mapping[str, Tensor]) -> list[Row]:
        if not moments:
            return []
        names = list(moments)
        values_RLM = torch.stack([moments[name] for name in names], dim=-1).tolist()
        return [
            {**at, "seed": seed, "layer": layer, **dict(zip(names, values_M, strict=True))}
            for seed, values_LM in zip(self.job.seeds, values_RLM, strict=True)
            for layer, values_M in enumerate(values_LM, start=1)
        ]
