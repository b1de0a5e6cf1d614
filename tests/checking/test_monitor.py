"""`MomentMonitor` logs what a pass over all samples of a step would show, and leaves the training as it is."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from checking.networks import chain, drawn, inputs, lecun
from pytorch_lightning.loggers import CSVLogger
from tools.two_processes import in_two_processes
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

import selfnorm

X, Y = inputs(64, 16), torch.arange(64) % 10


class Classifier(pl.LightningModule):
    """A chain of SELU layers; the sum of losses, so that parts of a batch give the gradients of the whole."""

    def __init__(self, *, fails_at: int = -1, dropout: bool = False) -> None:
        super().__init__()
        self.network = drawn(chain(nn.SELU, nn.Tanh, widths=(16, 12, 8)), lecun)
        if dropout:
            self.network.append(nn.AlphaDropout(0.5))
        self.fails_at = fails_at

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        if index == self.fails_at:
            self.network(batch[0])
            raise ZeroDivisionError("training failed")
        return F.cross_entropy(self.network(batch[0]), batch[1], reduction="sum")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 1e-4)


def train(
    module: Any, folder: Path, *callbacks: pl.Callback, batch: int = 16, epochs: int = 3, **settings: Any
) -> pl.Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=epochs, logger=CSVLogger(folder, name="", version=""), callbacks=list(callbacks),
        log_every_n_steps=1, **quiet, **settings,
    )  # fmt: skip
    trainer.fit(module, DataLoader(TensorDataset(X, Y), batch_size=batch))


def logged(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*`isinstance.treespec.*")


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_it_logs_what_check_measures(tmp_path: Path) -> None:
    module = Classifier()
    report = selfnorm.check(module.network, X, loss=lambda out: F.cross_entropy(out, Y, reduction="sum"))
    train(module, tmp_path, selfnorm.MomentMonitor(), batch=64, epochs=1)
    (row,) = logged(tmp_path)
    assert row.pop("step") == 0
    quantities = [
        name for name in report.layers[0].values if name not in ("gain", "gain_needed", "chi") and "theory" not in name
    ]
    # SELU, tanh on top of it, SELU, tanh, and the output, of which no activation is seen
    names = [f"moments/network.{i}/{quantity}" for i in (1, 2, 4, 5) for quantity in quantities]
    names += [f"moments/network.6/{name}" for name in quantities if name.startswith(("pre", "gradient"))]
    assert sorted(row) == sorted(names)
    for layer in report.layers:
        for quantity in quantities:
            if (name := f"moments/network.{layer.name}/{quantity}") in row:
                assert row[name] == pytest.approx(layer.values[quantity], rel=1e-5)


def test_batches_that_are_accumulated_count_as_one(tmp_path: Path) -> None:
    monitors = [selfnorm.MomentMonitor(1) for _ in range(2)]
    train(Classifier(), tmp_path / "whole", monitors[0], batch=64, epochs=1)
    train(Classifier(), tmp_path / "parts", monitors[1], batch=16, epochs=1, accumulate_grad_batches=4)
    (whole,), (parts,) = logged(tmp_path / "whole"), logged(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    for name, value in whole.items():
        expected = value / 16 if "gradient" in name else value  # Lightning divides the loss by the four batches
        assert parts[name] == pytest.approx(expected, rel=1e-4), name


def _share(rank: int, folder: str) -> None:
    path = Path(folder, str(rank))
    monitor = selfnorm.MomentMonitor()
    module = Classifier()
    trainer = pl.Trainer(logger=CSVLogger(path, name="", version=""), accelerator="cpu")
    monitor.on_train_batch_start(trainer, module, None, 0)
    share = slice(0, 16) if rank == 0 else slice(16, 64)
    module.training_step([X[share], Y[share]], 0).backward()
    trainer.fit_loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.increment_completed()
    monitor.on_train_batch_end(trainer, module, None, None, 0)
    trainer.loggers[0].save()


@pytest.mark.slow
def test_processes_count_as_one(tmp_path: Path) -> None:
    in_two_processes(_share, str(tmp_path))
    train(Classifier(), tmp_path / "whole", selfnorm.MomentMonitor(), batch=64, epochs=1)
    (whole,), (shares,) = logged(tmp_path / "whole"), logged(tmp_path / "0")
    for name, value in whole.items():
        assert shares[name] == pytest.approx(value, rel=1e-4), name


def test_training_is_the_same_with_it(tmp_path: Path) -> None:
    modules = [Classifier(dropout=True), Classifier(dropout=True)]
    torch.manual_seed(0)
    train(modules[0], tmp_path / "with", selfnorm.MomentMonitor(2))
    torch.manual_seed(0)
    train(modules[1], tmp_path / "without")
    for p, q in zip(modules[0].parameters(), modules[1].parameters(), strict=True):
        assert torch.equal(p, q)
    assert [row["step"] for row in logged(tmp_path / "with")] == [0, 2, 4, 6, 8, 10]
    assert hooks(modules[0]) == 0


def test_steps_may_be_log_spaced(tmp_path: Path) -> None:
    train(Classifier(), tmp_path, selfnorm.MomentMonitor(None), epochs=5)
    assert [row["step"] for row in logged(tmp_path)] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16]


def test_hooks_are_gone_when_training_fails(tmp_path: Path) -> None:
    module = Classifier(fails_at=1)
    with pytest.raises(ZeroDivisionError):
        train(module, tmp_path, selfnorm.MomentMonitor(1))
    assert hooks(module) == 0


def test_a_compiled_network_is_recorded(tmp_path: Path) -> None:
    module = Classifier()
    module.network.compile(backend="eager")
    train(module, tmp_path, selfnorm.MomentMonitor(2))
    assert [len(row) for row in logged(tmp_path)] == [1 + 4 * 14 + 7] * 6
    torch._dynamo.reset()


def test_layers_that_come_and_go_do_not_end_the_training(tmp_path: Path) -> None:
    class Skipping(Classifier):
        def training_step(self, batch: list[Tensor], index: int) -> Tensor:
            return self.network[:: 1 if index % 2 else -1][:3](batch[0][:, : 16 if index % 2 else 8]).sum()

    train(Skipping(), tmp_path, selfnorm.MomentMonitor(1), epochs=1, accumulate_grad_batches=2)
    assert len(logged(tmp_path)) == 2


def test_an_interval_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="every is 0, must be at least 1, or None"):
        selfnorm.MomentMonitor(0)
