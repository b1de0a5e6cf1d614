"""The LightningModule: one optimizer step for every replica at once.

Legend: R replica, B samples of this process's share of the batch, F features, C classes.
"""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn import functional as F

from selfnorm import config
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.networks.phase import Phase
from selfnorm.networks.randomness import Masks, Purpose


def cross_entropy(logits_RBC: Tensor, y_RB: Tensor) -> Tensor:
    """Cross-entropy of every sample, (R, B), in nats."""
    return F.cross_entropy(logits_RBC.flatten(0, 1), y_RB.flatten(), reduction="none").view_as(y_RB)


class ReplicaClassifier(pl.LightningModule):
    """Trains R networks on their own batches. Their losses are added, so each gets exactly its own gradient."""

    def __init__(self, job: config.Job, network: ReplicaMLP) -> None:
        super().__init__()
        self.job, self.network = job, network

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x_RBF, y_RB = batch
        processes = self.trainer.world_size
        masks = None
        if self.job.dropout.name != "none":
            step = self.trainer.global_step
            masks = Masks(self.job.seeds, Purpose.TRAINING_DROPOUT, (step,), self.trainer.global_rank, processes)
        logits_RBC = self.network(x_RBF, Phase(group=self.job.training.batch_size, learning=True, masks=masks))
        loss_RB = cross_entropy(logits_RBC, y_RB)
        if self.job.training.loss == "sum":  # Authors' code: TF1 differentiates the sum over the batch
            return loss_RB.sum() * processes  # DDP divides gradients by the number of processes
        return loss_RB.mean(dim=1).sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        part = self.job.optimizer
        if isinstance(part, config.Sgd):
            return torch.optim.SGD(self.parameters(), lr=part.lr, momentum=part.momentum, fused=True)
        return torch.optim.Adam(self.parameters(), lr=part.lr, fused=True)
