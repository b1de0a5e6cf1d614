"""Fork a run: share the copies out over processes, train them, and return rows of forks.csv."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import distributed

from selfnorm import config
from selfnorm.config.groups import Forks
from selfnorm.training.checkpoints import Preemption
from selfnorm.training.forks import ForkPoint
from selfnorm.training.module import ReplicaClassifier
from selfnorm.training.perturbations import is_forked

Row = dict[str, Any]


class Forking:
    """The forks of a job that asks for them. Each process trains some of the copies and communicates only their errors.

    Always in single precision, whatever trainer.precision is: bfloat16 rounds away differences of this size.
    """

    def __init__(self, job: config.Job, forks: Forks, preemption: Preemption) -> None:
        self.job, self.forks, self.preemption = job, forks, preemption
        self.on_update: Callable[[int], object] = lambda networks: None  # told how many networks a seed trains at once

    def is_due(self, epoch: int) -> bool:
        """Return whether the run is forked before `epoch`."""
        return is_forked(epoch, self.forks.epochs)

    def rows(self, trainer: pl.Trainer, module: ReplicaClassifier) -> list[Row]:
        """The rows of the fork point at the beginning of the trainer's epoch; none where the run is not forked.

        Raises SIGTERMException when a signal asks the run to end: the resumed run then measures this point again.
        """
        forks, epoch = self.forks, trainer.current_epoch
        if not self.is_due(epoch):
            return []
        # All processes take equally many copies, so that they stop together; some copies may be trained twice
        share = math.ceil(forks.copies / trainer.world_size)
        first = trainer.global_rank * share
        point = ForkPoint(
            job=self.job,
            network=module.network,
            optimizer=trainer.optimizers[0],
            train=trainer.datamodule.splits.train,  # type: ignore[attr-defined]
            epoch=epoch,
            step=trainer.global_step,
            batches=trainer.datamodule.batches_per_epoch,  # type: ignore[attr-defined]
            copies=tuple(number % forks.copies for number in range(first, first + share)),
        )

        def pulse() -> None:
            self.preemption.stop_if_due(trainer)
            self.on_update(forks.copies)

        at = {"step": trainer.global_step, "epoch": epoch}
        rows: list[Row] = []
        for source, update, loss_RK in point.errors(pulse):
            if trainer.world_size > 1:
                of_processes = [torch.empty_like(loss_RK) for _ in range(trainer.world_size)]
                distributed.all_gather(of_processes, loss_RK)
                loss_RK = torch.cat(of_processes, dim=1)[:, : forks.copies]
            rows += [
                {**at, "seed": seed, "source": source, "fork": fork, "update": update, "loss": loss}
                for seed, loss_K in zip(self.job.seeds, loss_RK.tolist(), strict=True)
                for fork, loss in enumerate(loss_K)
            ]
        return rows
