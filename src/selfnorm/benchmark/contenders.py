"""Ways to do the same work: plain PyTorch, Lightning as usual, this pipeline, and the matrix products alone.

In: a job and its data. Out: for each way a function that trains and returns seconds per seed and step.

Legend: R replica, B batch, F features.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from selfnorm import config
from selfnorm.data.splits import Splits
from selfnorm.networks.layers import Phase
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.training.module import cross_entropy

Work = Callable[[int], float]  # number of steps -> seconds per seed and step
BATCH = 128


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def timed(step: Callable[[int], None], device: torch.device, *, num_seeds: int = 1) -> Work:
    """Make the work that does step 0, step 1 and so on by the clock; num_seeds: trained by one step together."""

    def work(steps: int) -> float:
        synchronize(device)
        start = time.perf_counter()
        for index in range(steps):
            step(index)
        synchronize(device)
        return (time.perf_counter() - start) / steps / num_seeds

    return work


def plain_network(job: config.Job) -> nn.Sequential:
    """Build one seed's network as a tutorial would write it."""
    layers: list[nn.Module] = []
    *hidden, (width, num_classes) = pairwise(job.sizes)
    for num_in, num_out in hidden:
        linear = nn.Linear(num_in, num_out)
        nn.init.normal_(linear.weight, std=num_in**-0.5)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.SELU()]
    return nn.Sequential(*layers, nn.Linear(width, num_classes))


def plain_pytorch(job: config.Job, splits: Splits, device: torch.device, precision: str) -> Work:
    """Train one seed after the other: the steps alone, without any measurement of the error."""
    network = plain_network(job).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=job.optimizer.lr)
    x_NF, y_N = splits.train.x_NF.to(device), splits.train.y_N.to(device)
    order_N = torch.randperm(len(y_N), device=device)

    def step(index: int) -> None:
        batch_B = order_N[index * BATCH % (len(y_N) - BATCH) :][:BATCH]
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            loss = F.cross_entropy(network(x_NF[batch_B]), y_N[batch_B], reduction="sum")
        loss.backward()
        optimizer.step()

    return timed(step, device)


class UsualModule(pl.LightningModule):
    """Lightning as its guides show it: every step logs its loss, forward hooks see every layer's moments."""

    def __init__(self, network: nn.Sequential, lr: float) -> None:
        super().__init__()
        self.network, self.lr = network, lr
        for index, layer in enumerate(network):
            if isinstance(layer, nn.SELU):
                layer.register_forward_hook(self._hook(f"layer_{index // 2}"))

    def _hook(self, name: str) -> Callable[..., None]:
        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            if self.training and self.trainer.global_step % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
                self.log_dict({f"mean/{name}": output.mean(), f"variance/{name}": output.var()})

        return hook

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        x_BF, y_B = batch
        loss = F.cross_entropy(self.network(x_BF), y_B, reduction="sum")
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class _Clock(pl.Callback):
    """Measure the seconds between the end of the first and of the last training batch, and count the batches."""

    start = seconds = 0.0
    batches = 0

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        synchronize(module.device)
        if self.start:
            self.seconds, self.batches = time.perf_counter() - self.start, self.batches + 1
        else:
            self.start = time.perf_counter()


def lightning_as_usual(job: config.Job, splits: Splits, device: torch.device, folder: Path) -> Work:
    """Train one seed after the other: DataLoader, `self.log` each step, WandbLogger, forward hooks, progress bar."""
    from pytorch_lightning.loggers import WandbLogger

    loader = DataLoader(
        TensorDataset(splits.train.x_NF, splits.train.y_N), batch_size=BATCH, shuffle=True, drop_last=True
    )

    def work(steps: int) -> float:
        clock = _Clock()
        with quiet():
            logger = WandbLogger(project="benchmark", offline=True, save_dir=folder)
            trainer = pl.Trainer(
                accelerator=device.type, devices=1, max_steps=steps + 1, max_epochs=-1, logger=logger,
                callbacks=[clock], default_root_dir=folder, enable_model_summary=False,
            )  # fmt: skip
            trainer.fit(UsualModule(plain_network(job), job.optimizer.lr), loader)
            logger.experiment.finish()
        return clock.seconds / clock.batches

    return work


def replica_steps(job: config.Job, splits: Splits, device: torch.device) -> Work:
    """Train this pipeline's networks in a bare loop: all seeds at once, no Lightning, no recording."""
    network = ReplicaMLP(job, splits.num_features, splits.num_classes).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=job.optimizer.lr, fused=True)
    x_NF, y_N = splits.train.x_NF.to(device), splits.train.y_N.to(device)
    order_RN = torch.stack([torch.randperm(len(y_N), device=device) for _ in job.seeds])

    def step(index: int) -> None:
        batch_RB = order_RN[:, index * BATCH % (len(y_N) - BATCH) :][:, :BATCH]
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=job.trainer.precision == "bf16"):
            logits_RBC = network(x_NF[batch_RB], Phase(group=BATCH, learning=True))
        cross_entropy(logits_RBC, y_N[batch_RB]).sum().backward()
        optimizer.step()

    return timed(step, device, num_seeds=len(job.seeds))


def products_alone(job: config.Job, splits: Splits, device: torch.device) -> Work:
    """The limit: forward, weight-gradient and input-gradient products of every layer, in the job's precision."""
    dtype = torch.bfloat16 if job.trainer.precision == "bf16" else torch.float32
    num_seeds = len(job.seeds)

    def filled(*shape: int) -> Tensor:
        return torch.randn(num_seeds, *shape, device=device).to(dtype)

    layers = [(filled(BATCH, i), filled(i, o), filled(BATCH, o)) for i, o in pairwise(job.sizes)]

    def step(_: int) -> None:
        for layer, (x_RBI, w_RIO, g_RBO) in enumerate(layers):
            torch.bmm(x_RBI, w_RIO)
            torch.bmm(x_RBI.transpose(1, 2), g_RBO)
            if layer:  # no product needs the gradient of the inputs
                torch.bmm(g_RBO, w_RIO.transpose(1, 2))

    return timed(step, device, num_seeds=num_seeds)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide banners and progress bars, which are drawn all the same."""
    for name in ("pytorch_lightning", "lightning_fabric", "wandb"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stderr(nowhere),
        redirect_stdout(nowhere),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
