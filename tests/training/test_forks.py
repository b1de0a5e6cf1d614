"""Forks: the run goes on as if they were not there, and a copy is trained exactly as a network of a run is."""

from __future__ import annotations

import copy
import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from selfnorm import config
from selfnorm.data.splits import load_splits
from selfnorm.networks.export import extract_replica
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.networks.randomness import Purpose, generator
from selfnorm.runs.state import is_finished
from selfnorm.training import job as job_module
from selfnorm.training.forks import ForkPoint
from selfnorm.training.job import run_job
from selfnorm.training.module import epoch_order, make_optimizer
from selfnorm.training.perturbations import Recipe, is_forked, sources_of

Make = Callable[..., config.Job]

FORKS = ("recording.forks.copies=3", "recording.forks.readings=2", "training.epochs=5")
BN = ("activation=relu", "normalization=batch")
NETWORKS = {
    "SNN": (),
    "SNN with alpha dropout": ("dropout=alpha", "dropout.rate=0.1"),
    "BN": BN,
    "BN with dropout and Adam": (*BN, "dropout=standard", "dropout.input_rate=0.1", "optimizer=adam"),
    "SNN with momentum": ("optimizer.momentum=0.9",),
}
networks = pytest.mark.parametrize("overrides", NETWORKS.values(), ids=NETWORKS.keys())


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "forks.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def losses(folder: Path, *, source: str, step: int, update: int | None = None) -> dict[int, list[float]]:
    """Seed -> the losses of its copies, at the end of the horizon."""
    chosen = [row for row in rows(folder) if row["source"] == source and int(row["step"]) == step]
    last = max(int(row["update"]) for row in chosen) if update is None else update
    by_seed: dict[int, list[float]] = {}
    for row in chosen:
        if int(row["update"]) == last:
            by_seed.setdefault(int(row["seed"]), []).append(float(row["loss"]))
    return by_seed


@networks
def test_forks_leave_every_file_of_the_run_as_it_is_without_them(overrides: tuple[str, ...], make_job: Make) -> None:
    plain = make_job(*overrides, "training.epochs=5", "tag=plain")
    forked = make_job(*overrides, *FORKS, "tag=forked")
    run_job(plain)
    run_job(forked)
    for name in ("curves.csv", "moments.csv", "network.safetensors"):
        assert (plain.folder / name).read_bytes() == (forked.folder / name).read_bytes(), name
    assert not (plain.folder / "forks.csv").exists()
    assert {int(row["epoch"]) for row in rows(forked.folder)} == {1, 3}
    assert {row["source"] for row in rows(forked.folder)} == set(sources_of(forked))


class AtEpoch(pl.Callback):
    """Keeps the state of the run as epoch 2 begins and as epoch 3 begins, and the error that is recorded there."""

    def __init__(self, job: config.Job) -> None:
        self.job = job
        self.point: ForkPoint | None = None
        self.after: dict[str, Tensor] = {}

    def on_train_epoch_start(self, trainer: pl.Trainer, module: Any) -> None:
        if trainer.current_epoch == 2:
            optimizer = make_optimizer(self.job.optimizer, (network := copy.deepcopy(module.network)).parameters())
            optimizer.load_state_dict(copy.deepcopy(trainer.optimizers[0].state_dict()))
            self.point = ForkPoint(
                job=self.job, network=network, optimizer=optimizer, train=trainer.datamodule.splits.train,
                epoch=2, step=trainer.global_step, batches=trainer.datamodule.batches_per_epoch, copies=(0, 1),
            )  # fmt: skip
        if trainer.current_epoch == 3:
            self.after = {name: tensor.clone() for name, tensor in module.network.state_dict().items()}


@networks
def test_a_copy_with_the_runs_own_batches_and_masks_is_the_run_bit_for_bit(
    overrides: tuple[str, ...], make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(*overrides, *FORKS)
    seen, make = AtEpoch(job), job_module.make_trainer
    monkeypatch.setattr(job_module, "make_trainer", lambda job, calls: make(job, [*calls, seen]))
    run_job(job)
    assert seen.point is not None
    network, optimizer = seen.point._copied()
    for _ in seen.point._trained(network, optimizer, Recipe(), lambda: None):
        pass
    for name, tensor in network.state_dict().items():
        expected = seen.after[name].repeat_interleave(2, 0)
        if isinstance(job.optimizer, config.Sgd) and job.optimizer.momentum == 0:
            assert torch.equal(tensor, expected), name
        else:  # the optimizer's kernel rounds the last few numbers of a tensor, fewer than a vector holds, its own way
            torch.testing.assert_close(tensor, expected, rtol=1e-5, atol=1e-7)


def test_learned_constants_are_copied_with_the_networks(make_job: Make) -> None:
    job = make_job("activation.learn=true", *FORKS)
    run_job(job)
    for found in losses(job.folder, source="order", step=4).values():
        assert len(set(found)) == 3
        assert max(found) / min(found) < 1.01  # copies of one network, not new ones


class Plain(nn.Module):
    """One seed's network by torch's own layers, with batch normalization by hand."""

    def __init__(self, job: config.Job, network: ReplicaMLP, replica: int) -> None:
        super().__init__()
        self.layers = extract_replica(network, replica).train()

    def forward(self, x: Tensor, donor: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            if isinstance(layer, nn.BatchNorm1d):
                given = x if donor is None else donor
                mean, variance = given.mean(0), given.var(0, correction=0)
                scale = layer.weight / (variance + layer.eps).sqrt()
                x = (x - mean) * scale + layer.bias
                donor = None if donor is None else (donor - mean) * scale + layer.bias
            else:
                x, donor = layer(x), None if donor is None else layer(donor)
        return x


def by_hand(job: config.Job, network: ReplicaMLP, seed: int, source: str, fork: int, *, epoch: int) -> float:
    """The training error of one copy after an epoch, by a plain loop over batches of 128."""
    train = load_splits("digits", data_dir=Path("data"), train_limit=job.dataset.train_limit).train
    number, size = len(train.y_N), job.training.batch_size

    def drawn(purpose: Purpose) -> Tensor:
        return torch.randperm(number, generator=generator(seed, purpose, epoch, fork))

    model = Plain(job, network, job.seeds.index(seed))
    parameters = [parameter.requires_grad_() for parameter in model.parameters()]
    order = (
        drawn(Purpose.FORK_ORDER) if source in ("order", "all") else epoch_order(number, seeds=[seed], epoch=epoch)[0]
    )
    donors = drawn(Purpose.FORK_DONORS) if source == "statistics" else None
    for i in range(0, number, size) if source != "evaluation" else ():
        index = order[i : i + size]
        donor = None if donors is None else train.x_NF[donors[i : i + size]]
        loss = nn.functional.cross_entropy(model(train.x_NF[index], donor), train.y_N[index], reduction="sum")
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter -= job.optimizer.lr * gradient
    groups = drawn(Purpose.FORK_GROUPS) if source in ("all", "evaluation") else torch.arange(number)
    with torch.no_grad():
        chunks = groups.split(size)
        return math.fsum(
            nn.functional.cross_entropy(model(train.x_NF[index]), train.y_N[index]).item() for index in chunks
        ) / len(chunks)


@pytest.mark.parametrize("overrides", [(), BN], ids=["SNN", "BN"])
def test_the_copies_errors_are_those_of_a_plain_loop(
    overrides: tuple[str, ...], make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(*overrides, *FORKS, "recording.forks.epochs=[2]")
    seen, make = AtEpoch(job), job_module.make_trainer
    monkeypatch.setattr(job_module, "make_trainer", lambda job, calls: make(job, [*calls, seen]))
    run_job(job)
    assert seen.point is not None
    for source in sources_of(job):
        for seed, found in losses(job.folder, source=source, step=seen.point.step).items():
            expected = [by_hand(job, seen.point.network, seed, source, fork, epoch=2) for fork in range(3)]
            # float32 sums in another order: 1e-6 of an error near 2, below the spread between copies
            assert found == pytest.approx(expected, rel=2e-6), (source, seed)
            if overrides or source != "evaluation":
                assert max(found) - min(found) > 1e-5 * min(found), source


def test_a_run_is_forked_at_ever_rarer_epochs_and_never_before_it_has_begun() -> None:
    assert [epoch for epoch in range(4000) if is_forked(epoch, None)] == [1, 3, 10, 30, 100, 300, 1000, 3000]
    assert [epoch for epoch in range(9) if is_forked(epoch, [2, 5])] == [2, 5]


def test_sources_that_cannot_make_copies_differ_are_left_out(make_job: Make) -> None:
    def left(*overrides: str) -> list[str]:
        return list(sources_of(make_job(*FORKS, *overrides)))

    assert left() == ["order", "all", "evaluation"]
    assert left(*BN) == ["order", "statistics", "all", "evaluation"]
    assert left("dropout=alpha") == ["order", "masks", "all", "evaluation"]


def test_under_dropout_every_source_makes_copies_differ(make_job: Make) -> None:
    job = make_job("dropout=alpha", "dropout.rate=0.1", *FORKS)
    run_job(job)
    for source in ("masks", "order", "all", "evaluation"):
        for found in losses(job.folder, source=source, step=4).values():
            assert len(set(found)) == 3, source


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["killed", "asked to end"])
def test_a_run_that_ends_inside_a_fork_goes_on_to_the_same_files(
    ending: str, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(*BN, *FORKS, "dropout=standard", "training.checkpoint_seconds=0", "tag=quiet")
    run_job(job)
    disturbed = job.model_copy(update={"tag": "disturbed"})
    trained = ForkPoint._trained

    def breaking(self: ForkPoint, *arguments: Any) -> Any:
        for update in trained(self, *arguments):
            yield update
            if self.epoch == 3:
                if ending == "killed":
                    raise RuntimeError("killed")
                preemptions[0].warned = True

    preemptions: list[Any] = []
    make = job_module.make_trainer

    def keeping(job: config.Job, calls: list[pl.Callback]) -> pl.Trainer:
        preemptions.extend(call for call in calls if type(call).__name__ == "Preemption")
        return make(job, calls)

    with monkeypatch.context() as patch:
        patch.setattr(ForkPoint, "_trained", breaking)
        patch.setattr(job_module, "make_trainer", keeping)
        with pytest.raises((RuntimeError, SystemExit)):
            run_job(disturbed)
    assert json.loads((disturbed.folder / "summary.json").read_text())["state"] != "finished"
    run_job(disturbed)
    for name in ("curves.csv", "moments.csv", "forks.csv", "network.safetensors"):
        assert (job.folder / name).read_bytes() == (disturbed.folder / name).read_bytes(), name


def test_a_finished_run_that_lost_its_forks_is_trained_again(make_job: Make, capfd: pytest.CaptureFixture[str]) -> None:
    job = make_job(*FORKS)
    run_job(job)
    assert is_finished(job.folder)
    whole = (job.folder / "forks.csv").read_bytes()
    (job.folder / "forks.csv").unlink()
    assert not is_finished(job.folder)
    run_job(job)
    assert "says finished but is not whole, trained again" in capfd.readouterr().err
    assert (job.folder / "forks.csv").read_bytes() == whole


def test_a_copy_that_diverges_is_recorded_as_no_number_and_the_run_goes_on(
    make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = ForkPoint._copied

    def poisoned(self: ForkPoint) -> Any:
        network, optimizer = copied(self)
        with torch.no_grad():
            network.output.bias_R1O[1] = math.nan  # the second copy of the first seed
        return network, optimizer

    monkeypatch.setattr(ForkPoint, "_copied", poisoned)
    job = make_job(*FORKS)
    assert run_job(job)["state"] == "finished"
    found = losses(job.folder, source="order", step=4)
    assert [math.isnan(loss) for loss in found[0]] == [False, True, False]
    assert all(map(math.isfinite, found[1]))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("recording.forks.copies=1", "recording.forks.copies=1"),
        ("recording.forks.epochs=[5]", "must be below training.epochs=5"),
        ("recording.forks.sources=[noise]", "legal are 'order', 'masks', 'statistics', 'all' or 'evaluation'"),
    ],
)
def test_forks_that_cannot_be_are_refused_in_words(override: str, words: str, make_job: Make) -> None:
    with pytest.raises(config.ConfigError, match=r"^[^\n]*$") as refusal:
        make_job("training.epochs=5", *(FORKS[:1] if "copies" not in override else ()), override)
    assert words in str(refusal.value)
