"""Batches for many replicas: each sees the same training set in its own order.

Legend: R replica, B samples of this process's share of the batch, F features, N samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor

from selfnorm.config import ConfigError
from selfnorm.data.splits import Splits
from selfnorm.networks.randomness import Purpose, generator


def epoch_order(num_samples: int, *, seeds: Sequence[int], epoch: int) -> Tensor:
    """The order (R, N) in which each seed's network sees the samples: a function of (seed, epoch) alone."""
    sources = [generator(seed, Purpose.ORDER, epoch) for seed in seeds]
    return torch.stack([torch.randperm(num_samples, generator=source) for source in sources])


class ReplicaBatches:
    """One epoch of (x_RBF, y_RB) batches from memory; the last, partial batch is dropped. Authors' code: as there."""

    def __init__(self, datamodule: ReplicaDataModule) -> None:
        self.datamodule = datamodule

    def __len__(self) -> int:
        return self.datamodule.batches_per_epoch

    def state_dict(self) -> dict[str, int]:
        """Nothing: the order is a function of (seed, epoch), and the trainer knows the batch."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Nothing; that it is there tells the trainer that an epoch can be resumed."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        data, trainer = self.datamodule, self.datamodule.trainer
        assert trainer is not None
        split = data.splits.train
        order_RN = epoch_order(len(split.y_N), seeds=data.seeds, epoch=trainer.current_epoch).to(split.y_N.device)
        share = data.batch_size // trainer.world_size
        resumed_at = trainer.fit_loop.epoch_loop.batch_progress.current.ready  # 0 but for a run stopped in this epoch
        for batch in range(resumed_at, len(self)):
            start = batch * data.batch_size + trainer.global_rank * share
            index_RB = order_RN[:, start : start + share]
            yield split.x_NF[index_RB], split.y_N[index_RB]


class ReplicaDataModule(pl.LightningDataModule):
    """The splits in memory, on the device that trains, and the training batches."""

    def __init__(self, splits: Splits, *, seeds: Sequence[int], batch_size: int) -> None:
        super().__init__()
        self.splits, self.seeds, self.batch_size = splits, seeds, batch_size

    @property
    def batches_per_epoch(self) -> int:
        return len(self.splits.train.y_N) // self.batch_size

    def train_dataloader(self) -> ReplicaBatches:
        assert self.trainer is not None
        if self.batch_size % self.trainer.world_size:
            raise ConfigError(
                f"training.batch_size={self.batch_size} cannot be shared by {self.trainer.world_size} processes; "
                f"use a multiple of {self.trainer.world_size}, or fewer trainer.devices"
            )
        self.splits = self.splits.to(self.trainer.strategy.root_device)
        return ReplicaBatches(self)
