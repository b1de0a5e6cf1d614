"""A run's checkpoint: saved on a schedule and on a signal that ends the run; resumed only by the job that wrote it.

In: the job, the trainer and its callbacks. Out: checkpoint.ckpt, replaced whole. Nothing in it is executed: it is read
with weights_only.
"""

from __future__ import annotations

import io
import math
import signal
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io import TorchCheckpointIO
from pytorch_lightning.utilities.exceptions import SIGTERMException

from selfnorm import config
from selfnorm.runs.files import Table, Unreadable, table_digest, write_atomically

WARNINGS = (signal.SIGUSR1, signal.SIGUSR2)
ENDINGS = (signal.SIGTERM, signal.SIGHUP)
SIGNALS = (*ENDINGS, signal.SIGINT, *WARNINGS)
IGNORABLE = (signal.SIGHUP, signal.SIGINT)  # nohup ignores the first, a shell the second in its background jobs


class CheckpointRefused(RuntimeError):
    """The checkpoint in the run folder cannot be read, or is not this run's."""


class Checkpointer(pl.Callback):
    """Saves the whole state after an epoch when the job's checkpoint_seconds have passed since the last time.

    It always saves before an epoch that begins with forks, which may take long and cannot be resumed half-way, and
    never after the last epoch: a run that is resumed there has nothing left to do, and so no final measurement.
    """

    def __init__(
        self, path: Path, job: config.Job, tables: Sequence[Table], is_forked: Callable[[int], bool] | None
    ) -> None:
        """tables: must be unchanged when the run is resumed. is_forked: tells whether an epoch begins with forks."""
        self.path, self.job, self.tables, self.is_forked = path, job, tables, is_forked
        self.saved_at = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        digests = {table.path.name: table_digest(table.path, math.inf) for table in self.tables}
        return {"identity": self.job.identity, "tables": digests}

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        assert trainer.max_epochs is not None
        next_epoch = trainer.current_epoch + 1
        due = time.monotonic() - self.saved_at >= self.job.training.checkpoint_seconds
        due = due or (self.is_forked is not None and self.is_forked(next_epoch))
        # Every process must enter, whatever its own clock says
        if trainer.strategy.broadcast(due and next_epoch < trainer.max_epochs):
            trainer.save_checkpoint(self.path)
            self.saved_at = time.monotonic()


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a job as Ctrl-C does, also before it trains: a download of its data takes minutes."""

    def end(number: int, frame: Any) -> NoReturn:
        raise SIGTERMException(128 + signal.SIGTERM)

    in_main_thread = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (*ENDINGS, signal.SIGINT) if in_main_thread}
    for number in ENDINGS:
        if before.get(number) == signal.SIG_DFL:
            signal.signal(number, end)
    try:
        yield
    finally:  # Lightning ignores Ctrl-C after the first
        for number, handler in before.items():
            signal.signal(number, handler)


class Preemption(pl.Callback):
    """Graceful preemption: on a signal to any process, all finish the current batch, save a checkpoint and stop.

    SIGTERM (a preempted SLURM job, a container that stops), SIGHUP (a closed terminal), SIGINT (Ctrl-C; a second one
    ends at once) and SIGUSR1 or SIGUSR2 (SLURM's warning before the time limit) are treated alike. A handler of the
    latter two that was there before, such as submitit's, which requeues the job, is called after the checkpoint.
    Lightning's own handler sends a message to the other processes from within whatever they do.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.before: dict[int, Any] = {}
        self.warned = self.interrupted = False
        self.saves = False  # before the first step there is nothing to save
        self.afterwards: Callable[[], Any] | None = None

    def setup(self, trainer: pl.Trainer, module: Any, stage: str) -> None:
        if threading.current_thread() is threading.main_thread():  # no other thread may handle signals
            self.before = {number: signal.getsignal(number) for number in SIGNALS}  # soon SIGTERM is Lightning's

    def on_train_start(self, trainer: pl.Trainer, module: Any) -> None:
        self.saves = True
        for number, handler in self.before.items():
            if number not in IGNORABLE or handler != signal.SIG_IGN:
                signal.signal(number, self._warn)

    def _warn(self, number: int, frame: Any) -> None:
        self.warned = True
        previous = self.before[number]
        if number == signal.SIGINT:
            self.interrupted = True
            signal.signal(number, previous)
        elif number in WARNINGS and callable(previous):
            self.afterwards = lambda: previous(number, frame)

    def is_due(self, trainer: pl.Trainer) -> bool:
        """Return whether any process of the job received a signal; all of them must call this together."""
        return trainer.strategy.reduce_boolean_decision(self.warned, all=False)

    def stop_if_due(self, trainer: pl.Trainer) -> None:
        """Between two epochs: end the run if a signal came, without a checkpoint.

        Lightning cannot resume at the start of an epoch's hooks; the Checkpointer saved the end of the epoch before.
        """
        if self.is_due(trainer):
            self.saves = False
            raise SIGTERMException

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        if self.is_due(trainer):
            # Lightning looks at it just after this hook, when the batch counts as done
            trainer._signal_connector.received_sigterm = True

    def on_exception(self, trainer: pl.Trainer, module: Any, exception: BaseException) -> None:
        if not isinstance(exception, SIGTERMException):
            return
        # After the last epoch nothing would be left to do, and so no final measurement
        if self.saves and trainer.current_epoch < (trainer.max_epochs or 0):
            trainer.save_checkpoint(self.checkpoint)
        if self.interrupted:
            exception.code = 128 + signal.SIGINT  # Lightning has one exception for all of them
        self.teardown()
        if self.afterwards:
            self.afterwards()

    def teardown(self, *_: Any, **__: Any) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the old file. Lightning's own writes to the temporary folder, often on another disk: not atomic."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()  # torch's own writer does not raise an OSError when the disk is full
        torch.save(checkpoint, content)
        write_atomically(Path(path), content.getbuffer())


def verify_checkpoint(path: Path, job: config.Job, module: pl.LightningModule) -> None:
    """Raises CheckpointRefused, saying what is wrong, for a checkpoint that `job` cannot resume."""
    afresh = f"delete {path.name} to start this run afresh"
    try:
        with zipfile.ZipFile(path) as archive:
            if (damaged := archive.testzip()) is not None:  # torch writes checksums and does not look at them
                raise ValueError(f"{damaged} in it is damaged")
        state = torch.load(path, weights_only=True, map_location="meta")
        ours = state["callbacks"][Checkpointer.__qualname__]
        saved, digests, step = dict(_flat(ours["identity"])), ours["tables"], state["global_step"]
        shapes = {name: weight.shape for name, weight in state["state_dict"].items()}
        whole = {"optimizer_states", "loops"} <= state.keys()
        changed = [name for name, digest in digests.items() if table_digest(path.with_name(name), step) != digest]
    except Unreadable:  # a table: the checkpoint is not to blame
        raise
    except Exception as error:  # a damaged file fails in many ways
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise CheckpointRefused(f"{path} cannot be read ({reason}); {afresh}") from None
    wanted = dict(_flat(job.identity))
    different = [key for key in wanted | saved if saved.get(key) != wanted.get(key)]
    if different:
        values = "; ".join(f"{key}={saved.get(key)} there, {wanted.get(key)} here" for key in different[:5])
        more = "; ..." if len(different) > 5 else ""
        raise CheckpointRefused(f"{path} is of another configuration ({values}{more}); {afresh}")
    if not whole or shapes != {name: weight.shape for name, weight in module.state_dict().items()}:
        raise CheckpointRefused(f"{path} lacks a part of this run's state; {afresh}")
    if changed:
        tables = f"{' and '.join(changed)} in {path.parent}"
        raise CheckpointRefused(f"{tables} changed since {path.name} was written; put back what was there, or {afresh}")


def _flat(group: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(`optimizer.lr`, value) for every value of a nested configuration."""
    for key, value in group.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
