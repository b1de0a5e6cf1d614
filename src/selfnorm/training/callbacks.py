"""A progress bar that shows the error over the seeds and the time left."""

from __future__ import annotations

import sys
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm

from selfnorm.training.recording import Recorder


class Progress(pl.Callback):
    """One bar over the whole run, in optimizer steps; refreshed without reading anything back from the device."""

    def __init__(self, recorder: Recorder, label: str) -> None:
        self.recorder, self.label = recorder, label
        self.bar: tqdm[Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        if trainer.is_global_zero:
            quiet = 0.5 if sys.stderr.isatty() else 20.0  # a log file needs no animation
            total = int(trainer.estimated_stepping_batches)
            self.bar = tqdm(total=total, initial=trainer.global_step, desc=self.label, unit="step", mininterval=quiet)

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.bar is not None:
            if batch_idx == 0:
                self.bar.set_postfix_str(describe(self.recorder), refresh=False)
            self.bar.update()

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(describe(self.recorder))
        self.close()

    def on_exception(self, trainer: pl.Trainer, module: Any, exception: BaseException) -> None:
        self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def describe(recorder: Recorder) -> str:
    """The training error over the seeds that are still finite: mean, standard deviation and how many."""
    if "train" not in recorder.latest:
        return ""
    loss_R = recorder.latest["train"].loss_R
    finite = loss_R[loss_R.isfinite()]
    spread = f" ± {finite.std():.2g}" if len(finite) > 1 else ""
    lost = f", {len(recorder.diverged)} diverged" if recorder.diverged else ""
    return f"error {finite.mean():.4g}{spread} (n={len(finite)}{lost})"
