"""Progress in the terminal: a bar with the error over the seeds and the time left, and a sentence at the end."""

from __future__ import annotations

import math
import sys
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm

from selfnorm import config
from selfnorm.training.perturbations import num_updates
from selfnorm.training.recording import Recorder


class Progress(pl.Callback):
    """One bar over the whole run, in updates of each seed's network and its forks, without reading from the device."""

    def __init__(self, recorder: Recorder, label: str) -> None:
        self.recorder, self.label = recorder, label
        self.bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        if trainer.is_global_zero:
            quiet = 0.5 if sys.stderr.isatty() else 20.0  # a log file needs no animation
            job, batches = self.recorder.job, trainer.datamodule.batches_per_epoch  # type: ignore[attr-defined]
            done, total = trainer.global_step, int(trainer.estimated_stepping_batches)
            done += num_updates(job, batches, epochs=math.ceil(done / batches))
            total += num_updates(job, batches, epochs=job.training.epochs)
            self.bar = tqdm(total=total, initial=done, desc=self.label, unit="update", mininterval=quiet)
            if self.recorder.forking:
                self.recorder.forking.on_update = self.bar.update

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.bar is not None:
            if batch_idx == 0:
                self.bar.set_postfix_str(describe(self.recorder), refresh=False)
            self.bar.update()

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(describe(self.recorder))
            self.bar.close()

    def on_exception(self, trainer: pl.Trainer, module: Any, exception: BaseException) -> None:
        if self.bar is not None:
            self.bar.close()


def describe(recorder: Recorder) -> str:
    """The training error over the seeds that are still finite: mean, standard deviation and how many."""
    if "train" not in recorder.latest:
        return ""
    loss_R = recorder.latest["train"].loss_R
    finite = loss_R[loss_R.isfinite()]
    spread = f" ± {finite.std():.2g}" if len(finite) > 1 else ""
    diverged = f", {len(recorder.diverged)} diverged" if recorder.diverged else ""
    return f"error {finite.mean():.4g}{spread} (n={len(finite)}{diverged})"


def in_one_sentence(job: config.Job, summary: dict[str, Any]) -> str:
    """The outcome of a finished run, with its spread and number of seeds."""
    loss, accuracy = summary["train_loss"], summary["test_accuracy"]
    spread = f" ± {loss['sd']:.2g} (mean ± sd over n={loss['n']} seeds)" if loss["sd"] is not None else " (one seed)"
    diverged = f"; diverged: seeds {', '.join(summary['diverged'])}" if summary["diverged"] else ""
    answered = "none" if accuracy["mean"] is None else f"{accuracy['mean']:.4f}"
    return (
        f"{job.dataset.label} {job.network} d{job.model.depth}: training error {loss['mean']:.4g}{spread}, "
        f"test accuracy {answered}, {summary['steps']} steps in {summary['seconds']:.0f} s{diverged}"
    )
