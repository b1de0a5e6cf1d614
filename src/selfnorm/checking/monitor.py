"""`selfnorm.MomentMonitor`: the layers' moments during any Lightning training, to the trainer's own loggers.

In: the module that is trained. Out: one dict of numbers for each recording.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytorch_lightning as pl

from selfnorm.checking.trace import Trace, eagerly
from selfnorm.networks.moments import LayerMoments, is_recorded


class MomentMonitor(pl.Callback):
    """Log `LayerMoments` of every layer in the training step itself, under moments/LAYER/QUANTITY, to all loggers.

    every: optimizer steps between two recordings; None: log-spaced, about four to a doubling. Batches that are
    accumulated for a step count as one, and so do those of all processes. Gradients are those of the training loss.
    A recording adds the time of 0.3 steps for wide layers to 6 steps for narrow ones; between them there are no hooks.
    """

    def __init__(self, every: int | None = 250) -> None:
        if every is not None and every < 1:
            raise ValueError(f"every is {every}, must be at least 1, or None for log-spaced recordings")
        self.every = every
        self._trace: Trace | None = None
        self._hooks = ExitStack()
        self._names: list[str] = []
        self._metric: LayerMoments | None = None
        self._step, self._loss_scale = -1, 1.0

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Any, batch_idx: int) -> None:
        self._hooks.close()  # of a batch that was skipped
        if not trainer.loggers or not is_recorded(trainer.global_step, self.every):
            return
        if self._trace is None or self._trace.model is not module:
            self._trace = Trace(module, through_frozen=False)
        self._step = trainer.global_step
        scaler = getattr(trainer.precision_plugin, "scaler", None)  # of 16-bit training: it multiplies the loss
        self._loss_scale = scaler.get_scale() if scaler else 1.0
        self._hooks.enter_context(eagerly())
        self._hooks.enter_context(self._trace)

    def on_train_batch_end(
        self, trainer: pl.Trainer, module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._trace is None or self._step < 0:
            return
        self._hooks.close()
        names, rows = self._trace.labels(), self._trace.rows
        if rows and (self._metric is None or names != self._names):  # other layers: a network that skips some at random
            self._metric, self._names = self._trace.metric(), names
        if self._metric is not None:
            self._metric.update(row.batch() for row in rows)
        seen = [(row.a is not None, row.gradient is not None) for row in rows]
        self._trace.forget()
        if trainer.global_step > self._step:  # else another batch is accumulated
            if self._metric is not None:
                self._log(trainer, self._metric, seen)
            self._metric, self._step = None, -1

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self._hooks.close()

    def _log(self, trainer: pl.Trainer, metric: LayerMoments, seen: list[tuple[bool, bool]]) -> None:
        columns = {name: values.flatten().tolist() for name, values in metric.compute().items()}
        numbers = {}
        for i, (name, (activation, gradient)) in enumerate(zip(self._names, seen, strict=True)):
            for column, values in columns.items():
                of_gradient = column == "gradient_second_moment"
                if gradient if of_gradient else activation or column.startswith("preactivation"):
                    numbers[f"moments/{name}/{column}"] = values[i] / (self._loss_scale**2 if of_gradient else 1)
        for logger in trainer.loggers:
            logger.log_metrics(numbers, step=self._step)
