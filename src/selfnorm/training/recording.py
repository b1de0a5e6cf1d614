"""The callback that measures: training error every epoch, moments and validation on a schedule, to files and W&B.

In: the networks and the splits as the trainer holds them. Out: rows of the tables, and what summary.json says at the
end. Legend: R replica, L hidden layer, M moment.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from selfnorm import config
from selfnorm.networks.moments import is_recorded
from selfnorm.runs import layout
from selfnorm.runs.files import Table
from selfnorm.training.passes import Error, evaluation_error, layer_moments, training_error

if TYPE_CHECKING:
    from selfnorm.tracking.mirror import Mirror
    from selfnorm.training.forking import Forking

Row = dict[str, Any]
Timed = Callable[[str], AbstractContextManager[Any]]  # the name of a pass -> what is entered around it


class AllSeedsDiverged(RuntimeError):
    """No network of the run has a finite training error any more; `known` is what a summary can still say."""

    def __init__(self, reason: str, known: dict[str, Any]) -> None:
        super().__init__(reason)
        self.known = known


def is_validated(epoch: int, every: int | None) -> bool:
    """Return whether the validation error is taken before `epoch`: every so many, or at 0 and the powers of two."""
    return epoch % every == 0 if every else epoch & (epoch - 1) == 0


class Recorder(pl.Callback):
    """Measures before each epoch's updates, as the paper's figure does, and once more at the end.

    forking: trains the forks, if the job asks for any. timed: entered around each of the three passes that measure, by
    name, so that a benchmark can time them.
    """

    def __init__(self, job: config.Job, mirror: Mirror | None, forking: Forking | None, timed: Timed) -> None:
        folder = job.folder
        self.job, self.mirror, self.forking, self.timed = job, mirror, forking, timed
        learned = layout.LEARNED_COLUMNS if isinstance(job.activation, config.Selu) and job.activation.learn else ()
        self.curves = Table(folder / layout.CURVES, layout.CURVE_COLUMNS)
        self.moments = Table(folder / layout.MOMENTS, (*layout.MOMENT_COLUMNS, *learned))
        self.forks = Table(folder / layout.FORKS, layout.FORK_COLUMNS)
        self.tables = [self.curves, self.moments, *([self.forks] if job.recording.forks else [])]
        self.diverged: dict[int, int] = {}  # seed -> the step at which its error was first seen not to be finite
        self.latest: dict[str, Error] = {}
        self.started = time.monotonic()

    def known(self, steps: int) -> dict[str, Any]:
        """The part of the summary that any end of the run has; the wall time is the sum over all resumed parts."""
        seconds = round(time.monotonic() - self.started, 2)
        return {"steps": steps, "seconds": seconds, "diverged": {str(s): step for s, step in self.diverged.items()}}

    def summary(self, steps: int) -> dict[str, Any]:
        """The summary of a finished run: the last errors and accuracies, by seed and over the seeds."""
        summary = {"state": layout.FINISHED, "seeds": self.job.seeds, **self.known(steps)}
        for split, error in self.latest.items():
            for quantity, values in (("loss", error.loss_R.tolist()), ("accuracy", error.accuracy_R.tolist())):
                by_seed = zip(self.job.seeds, values, strict=True)
                summary[f"{split}_{quantity}"] = over_seeds(
                    {str(s): v if math.isfinite(v) else None for s, v in by_seed}
                )
        return summary

    def state_dict(self) -> dict[str, Any]:
        return {"diverged": self.diverged, "seconds": time.monotonic() - self.started}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.diverged = dict(state["diverged"])
        self.started -= state["seconds"]

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        if trainer.is_global_zero:
            for table in self.tables:
                table.cut_back(trainer.global_step)
            if self.mirror:
                self.mirror.catch_up()

    def on_train_epoch_start(self, trainer: pl.Trainer, module: Any) -> None:
        # Forks first: a run that is stopped in them has recorded nothing of this step
        forks = self.forking.rows(trainer, module) if self.forking else []
        epoch, every = trainer.current_epoch, self.job.recording.every
        held_out = ["validation"] if is_validated(epoch, every) else []
        self._record(trainer, module, held_out=held_out, with_moments=is_recorded(epoch, every), forks=forks)

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, batch: Any, batch_idx: int) -> None:
        spacing = trainer.datamodule.batches_per_epoch // self.job.recording.errors_per_epoch  # type: ignore[attr-defined]
        if batch_idx and batch_idx % spacing == 0:
            self._record(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        self._record(trainer, module, held_out=["validation", "test"], with_moments=True)

    def _record(
        self,
        trainer: pl.Trainer,
        module: Any,
        *,
        held_out: Sequence[str] = (),
        with_moments: bool = False,
        forks: Sequence[Row] = (),
    ) -> None:
        splits = trainer.datamodule.splits  # type: ignore[attr-defined]
        at = {"step": trainer.global_step, "epoch": trainer.current_epoch}
        with self.timed("training_error"):
            errors = {"train": training_error(module, splits.train)}
        for name in held_out:
            with self.timed("evaluation_error"):
                errors[name] = evaluation_error(module, getattr(splits, name))
        self.latest |= errors
        moments: Mapping[str, Tensor] = {}
        if with_moments:
            with self.timed("layer_moments"):
                moments = layer_moments(module, splits.train)
        for seed, finite in zip(self.job.seeds, errors["train"].loss_R.isfinite().tolist(), strict=True):
            if not finite:
                self.diverged.setdefault(seed, trainer.global_step)
        if trainer.is_global_zero:
            self._write(at, errors, moments, forks)
        if len(self.diverged) == len(self.job.seeds):
            smaller = f"try a smaller optimizer.lr than {self.job.optimizer.lr:g}"
            raise AllSeedsDiverged(
                f"every seed diverged (training error not finite) by step {trainer.global_step}; "
                f"{smaller if trainer.global_step else 'look at the data, nothing was learned yet'}",
                self.known(trainer.global_step),
            )

    def _write(
        self, at: dict[str, int], errors: Mapping[str, Error], moments: Mapping[str, Tensor], forks: Sequence[Row]
    ) -> None:
        curve_rows = [row for split, error in errors.items() for row in self._curve_rows(at, split, error)]
        moment_rows = self._moment_rows(at, moments) if moments else []
        self.curves.append(curve_rows)
        self.moments.append(moment_rows)
        if forks:
            self.forks.append(forks)
        if self.mirror:
            self.mirror.log(at, curve_rows, moment_rows, forks)

    def _curve_rows(self, at: Mapping[str, int], split: str, error: Error) -> list[Row]:
        values = zip(self.job.seeds, error.loss_R.tolist(), error.accuracy_R.tolist(), strict=True)
        return [{**at, "seed": seed, "split": split, "loss": loss, "accuracy": acc} for seed, loss, acc in values]

    def _moment_rows(self, at: Mapping[str, int], moments: Mapping[str, Tensor]) -> list[Row]:
        values_RLM = torch.stack(list(moments.values()), dim=-1).tolist()
        return [
            {**at, "seed": seed, "layer": layer, **dict(zip(moments, values_M, strict=True))}
            for seed, values_LM in zip(self.job.seeds, values_RLM, strict=True)
            for layer, values_M in enumerate(values_LM, start=1)
        ]


def over_seeds(by_seed: Mapping[str, float | None]) -> dict[str, Any]:
    """Mean, standard deviation and n of the seeds that stayed finite, beside all of them."""
    finite = [value for value in by_seed.values() if value is not None]
    return {
        "mean": fmean(finite) if finite else None,
        "sd": stdev(finite) if len(finite) > 1 else None,
        "n": len(finite),
        "by_seed": by_seed,
    }
