"""A run's checkpoint: replaced whole between epochs, and taken up only by the configuration that wrote it.

Nothing in a checkpoint is executed: it is read with weights_only.
"""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.io import TorchCheckpointIO

from selfnorm import config
from selfnorm.training.files import table_digest, write_atomically

CHECKPOINT = "checkpoint.ckpt"


class CheckpointRefused(RuntimeError):
    """The checkpoint in the run folder cannot be read, or is not this run's."""


class Checkpointer(pl.Callback):
    """Saves the whole state after an epoch when the job's checkpoint_seconds have passed since the last time.

    Never after the last epoch: a run that is resumed there would have nothing left to do, and so no final measurement.
    """

    def __init__(self, path: Path, job: config.Job) -> None:
        self.path, self.job = path, job
        self.saved_at = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"identity": self.job.identity}

    def on_train_epoch_end(self, trainer: pl.Trainer, module: Any) -> None:
        assert trainer.max_epochs is not None
        waited = time.monotonic() - self.saved_at
        due = waited >= self.job.training.checkpoint_seconds and trainer.current_epoch + 1 < trainer.max_epochs
        if trainer.strategy.broadcast(due):  # every process must enter, whatever its own clock says
            trainer.save_checkpoint(self.path)
            self.saved_at = time.monotonic()


class BesideTheOld(TorchCheckpointIO):
    """Lightning's own writes into the system's temporary folder: often another disk, from where no move is atomic."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()  # torch's own writer ends in no OSError when the disk is full
        torch.save(checkpoint, content)
        write_atomically(Path(path), content.getbuffer())


def checked(path: Path, job: config.Job, module: pl.LightningModule) -> Path:
    """The path of a checkpoint that `job` can go on from; raises CheckpointRefused with what is wrong."""
    try:
        with zipfile.ZipFile(path) as parts:
            if (damaged := parts.testzip()) is not None:  # torch writes checksums and does not look at them
                raise ValueError(f"{damaged} in it is damaged")
        state = torch.load(path, weights_only=True, map_location="meta")
        theirs = dict(_flat(state["callbacks"][Checkpointer.__qualname__]["identity"]))
        shapes = {name: weight.shape for name, weight in state["state_dict"].items()}
        whole = {"optimizer_states", "loops"} <= state.keys()
        tables, step = state["callbacks"]["Recorder"]["tables"], state["global_step"]
        changed = [name for name, digest in tables.items() if table_digest(path.with_name(name), step) != digest]
    except Exception as error:  # a damaged file fails in many ways
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise CheckpointRefused(f"{path} cannot be read ({reason}); delete it to start this run afresh") from None
    ours = dict(_flat(job.identity))
    differ = [f"{key}={theirs.get(key)} there, {ours.get(key)} here" for key in ours | theirs
              if theirs.get(key) != ours.get(key)]  # fmt: skip
    if differ:
        raise CheckpointRefused(
            f"{path} is of another configuration ({'; '.join(differ[:5])}{'; ...' if len(differ) > 5 else ''}); "
            "delete it to start this run afresh"
        )
    if not whole or shapes != {name: weight.shape for name, weight in module.state_dict().items()}:
        raise CheckpointRefused(f"{path} lacks a part of this run's state; delete it to start this run afresh")
    if changed:
        raise CheckpointRefused(
            f"{' and '.join(changed)} in {path.parent} changed since {path.name} was written; put back what was there, "
            f"or delete {path.name} to start this run afresh"
        )
    return path


def _flat(part: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(`optimizer.lr`, value) for every value of a nested configuration."""
    for key, value in part.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
