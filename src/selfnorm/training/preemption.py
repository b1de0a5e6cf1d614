"""A scheduler that wants its machine back: the run ends after the batch in hand, with a checkpoint of just there.

SIGTERM (a preempted SLURM job, a container that stops) and SIGUSR1 or SIGUSR2 (SLURM's warning before the time limit)
are taken alike. Whoever handled the two before, such as submitit, which requeues the job, comes after the checkpoint.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from pytorch_lightning.utilities.exceptions import SIGTERMException

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)


def scheduler() -> list[SLURMEnvironment]:
    """SLURM's ranks where srun started this process, without Lightning's requeueing.

    Its checkpoints lie in the working folder, which the cells of a sweep share, and would be taken for any of them.
    """
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]


class Preemption(pl.Callback):
    """Turns a warning into SIGTERM, which Lightning answers after a batch, and saves what is there then."""

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.before: dict[int, Any] = {}
        self.warned: Callable[[], Any] | None = None

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        if threading.current_thread() is threading.main_thread():  # nobody else may handle signals
            self.before = {number: signal.signal(number, self._warn) for number in WARNINGS}

    def _warn(self, number: int, frame: Any) -> None:
        previous = self.before[number]
        self.warned = (lambda: previous(number, frame)) if callable(previous) else None
        os.kill(os.getpid(), signal.SIGTERM)

    def on_exception(self, trainer: pl.Trainer, module: Any, exception: BaseException) -> None:
        if not isinstance(exception, SIGTERMException):
            return
        # After the last epoch nothing would be left to do, and so no final measurement; processes may stop apart
        if trainer.world_size == 1 and trainer.current_epoch < (trainer.max_epochs or 0):
            trainer.save_checkpoint(self.checkpoint)
        self._give_back()
        if self.warned:
            self.warned()

    def teardown(self, trainer: pl.Trainer, module: Any, stage: str) -> None:
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}
