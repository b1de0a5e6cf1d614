"""Lightning's module and data: one optimizer step for every replica at once, on batches in each replica's own order.

Legend: R replica, B samples of this process's share of the batch, F features, C classes, N samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from selfnorm import config
from selfnorm.config.groups import Optimizer
from selfnorm.data.splits import Splits
from selfnorm.networks.layers import Phase
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.networks.randomness import Masks, Purpose, generator


def cross_entropy(logits_RBC: Tensor, y_RB: Tensor) -> Tensor:
    """Cross-entropy of every sample, (R, B), in nats."""
    return F.cross_entropy(logits_RBC.flatten(0, 1), y_RB.flatten(), reduction="none").view_as(y_RB)


def training_loss(job: config.Job, logits_RBC: Tensor, y_RB: Tensor) -> Tensor:
    """The loss that one step minimizes: those of the replicas, each summed or averaged over the batch, added up."""
    loss_RB = cross_entropy(logits_RBC, y_RB)
    if job.training.loss == "sum":  # Authors' code: TF1 differentiates the sum over the batch
        return loss_RB.sum()
    return loss_RB.mean(dim=1).sum()


def make_optimizer(part: Optimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer that a configuration names."""
    if isinstance(part, config.Sgd):
        return torch.optim.SGD(parameters, lr=part.lr, momentum=part.momentum, fused=True)
    return torch.optim.Adam(parameters, lr=part.lr, fused=True)


class ReplicaClassifier(pl.LightningModule):
    """Trains R networks on their own batches. Their losses are added, so each gets exactly its own gradient."""

    def __init__(self, job: config.Job, network: ReplicaMLP) -> None:
        super().__init__()
        self.job, self.network = job, network

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x_RBF, y_RB = batch
        step, rank, processes = self.trainer.global_step, self.trainer.global_rank, self.trainer.world_size
        masks = Masks(self.job.seeds, Purpose.TRAINING_DROPOUT, (step,), rank, processes)
        phase = Phase(group=self.job.training.batch_size, learning=True, processes=processes, masks=masks)
        loss = training_loss(self.job, self.network(x_RBF, phase), y_RB)
        # DDP divides gradients by the number of processes, which is right for a mean over the batch alone
        return loss * processes if self.job.training.loss == "sum" else loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return make_optimizer(self.job.optimizer, self.parameters())


def epoch_order(num_samples: int, *, seeds: Sequence[int], epoch: int) -> Tensor:
    """The order (R, N) in which each seed's network sees the samples: a function of (seed, epoch) alone."""
    sources = [generator(seed, Purpose.ORDER, epoch) for seed in seeds]
    return torch.stack([torch.randperm(num_samples, generator=source) for source in sources])


class ReplicaBatches:
    """One epoch of (x_RBF, y_RB) batches from memory. Authors' code: the last, partial batch is dropped there too."""

    def __init__(self, datamodule: ReplicaDataModule) -> None:
        self.datamodule = datamodule

    def __len__(self) -> int:
        return self.datamodule.batches_per_epoch

    def state_dict(self) -> dict[str, int]:
        """Return nothing: the order is a function of (seed, epoch), and the trainer knows the batch."""
        return {}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Do nothing: Lightning resumes in the middle of an epoch where a loader has this method."""

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
            raise config.ConfigError(
                f"training.batch_size={self.batch_size} cannot be shared by {self.trainer.world_size} processes; "
                f"use a multiple of {self.trainer.world_size}, or fewer trainer.devices"
            )
        self.splits = self.splits.to(self.trainer.strategy.root_device)
        return ReplicaBatches(self)
