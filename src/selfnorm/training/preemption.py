"""Who wants the machine back: the run ends after the batch in hand, with a checkpoint of just there.

SIGTERM (a preempted SLURM job, a container that stops), SIGINT (Ctrl-C; a second one ends at once) and SIGUSR1 or
SIGUSR2 (SLURM's warning before the time limit) are taken alike, by any process of the job. Whoever handled the latter
two before, such as submitit, which requeues the job, comes after the checkpoint.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from pytorch_lightning.utilities.exceptions import SIGTERMException

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)


def scheduler() -> list[SLURMEnvironment]:
    """SLURM's ranks where srun started this process, without Lightning's requeueing.

    Its checkpoints lie in the working folder, which the cells of a sweep share, and would be taken for any of them.
    """
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    return [SLURMEnvironment(auto_requeue=False)]


class Preemption(pl.Callback):
    """Lets all processes of the job stop after the same batch, and save what is there then.

    In the place of Lightning's handler, which sends a message to the other processes from within whatever they do.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.before: dict[int, Any] = {}
        self.warned = self.interrupted = False
        self.afterwards: Callable[[], Any] | None = None

    def setup(self, trainer: pl.Trainer, module: Any, stage: str) -> None:
        if threading.current_thread() is threading.main_thread():  # nobody else may handle signals
            self.before = {number: signal.getsignal(number) for number in SIGNALS}  # soon SIGTERM is Lightning's

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        for number, handler in self.before.items():
            if not (number == signal.SIGINT and handler == signal.SIG_IGN):  # as a shell's background jobs have it
                signal.signal(number, self._warn)

    def _warn(self, number: int, frame: Any) -> None:
        self.warned = True
        previous = self.before[number]
        if number == signal.SIGINT:
            self.interrupted = True
            signal.signal(number, previous)
        elif number != signal.SIGTERM and callable(previous):
            self.afterwards = lambda: previous(number, frame)

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        if trainer.strategy.reduce_boolean_decision(self.warned, all=False):
            # Lightning looks at it just after this hook, when the batch counts as done
            trainer._signal_connector.received_sigterm = True

    def on_exception(self, trainer: pl.Trainer, module: Any, exception: BaseException) -> None:
        if not isinstance(exception, SIGTERMException):
            return
        # After the last epoch nothing would be left to do, and so no final measurement
        if trainer.current_epoch < (trainer.max_epochs or 0):
            trainer.save_checkpoint(self.checkpoint)
        if self.interrupted:
            exception.code = 128 + signal.SIGINT  # Lightning has one exception for all of them
        self._give_back()
        if self.afterwards:
            self.afterwards()

    def teardown(self, trainer: pl.Trainer, module: Any, stage: str) -> None:
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}
