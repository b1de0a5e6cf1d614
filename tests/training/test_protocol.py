"""The whole pipeline against the authors' protocol written by hand as a plain PyTorch loop."""

from __future__ import annotations

import copy
import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from selfnorm import config
from selfnorm.data.splits import load_splits
from selfnorm.networks.export import extract_replica, load_run
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.training.job import run_job
from selfnorm.training.module import epoch_order


def by_hand(job: config.Job, seed: int) -> list[float]:
    """Training error before every epoch and at the end, for one seed: torch's layers, one batch at a time."""
    train = load_splits("digits", data_dir=Path("data"), train_limit=job.dataset.train_limit).train
    network = extract_replica(ReplicaMLP(job, train.x_NF.shape[1], 10), job.seeds.index(seed)).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean, module.running_var = torch.zeros(32), torch.ones(32)
    parameters = [parameter.requires_grad_() for parameter in network.parameters()]
    batches = len(train.y_N) // 128
    errors = []
    for epoch in range(job.training.epochs + 1):
        with torch.no_grad():  # in stored order, batches of 128, training mode
            losses = [
                nn.functional.cross_entropy(network(train.x_NF[i : i + 128]), train.y_N[i : i + 128]).item()
                for i in range(0, batches * 128, 128)
            ]
        errors.append(sum(losses) / batches)
        if epoch == job.training.epochs:
            return errors
        order_N = epoch_order(len(train.y_N), seeds=[seed], epoch=epoch)[0]
        for i in range(0, batches * 128, 128):
            index_B = order_N[i : i + 128]
            loss = nn.functional.cross_entropy(network(train.x_NF[index_B]), train.y_N[index_B], reduction="sum")
            gradients = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter -= job.optimizer.lr * gradient
    raise AssertionError("unreachable")


def curve(job: config.Job, seed: int) -> list[float]:
    with (job.folder / "curves.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train" and int(row["seed"]) == seed]
    return [float(row["loss"]) for row in rows]


@pytest.mark.parametrize(
    "overrides",
    [
        ("activation=selu",),
        ("activation=relu", "normalization=batch", "model.depth=3"),  # at depth 8 rounding grows to 3 %
        ("activation=relu", "model.depth=3"),
    ],
    ids=["SNN", "ReLU with BN after the activation", "MSRA ReLU"],
)
def test_the_pipeline_gives_the_curve_of_a_plain_loop(
    overrides: tuple[str, ...], make_job: Callable[..., config.Job]
) -> None:
    # 600 samples: the last, partial batch of 88 is dropped; lr 1e-3 so that the error moves in 4 epochs of 4 steps
    job = make_job("dataset.train_limit=600", "training.epochs=4", "optimizer.lr=1e-3", "model.depth=8", *overrides)
    run_job(job)
    for seed in job.seeds:
        expected = by_hand(job, seed)
        assert expected[-1] < 0.8 * expected[0]  # it learned
        # fp32 rounding in another order: a few 1e-7 after 16 steps
        assert curve(job, seed) == pytest.approx(expected, rel=1e-5)


def test_a_summed_loss_is_a_mean_loss_at_128_times_the_learning_rate(make_job: Callable[..., config.Job]) -> None:
    # Powers of two scale gradients exactly, so only the rounding of lr differs
    summed = make_job("optimizer.lr=1e-3", "training.loss=sum", "training.batch_size=128")
    mean = make_job("optimizer.lr=0.128", "training.loss=mean", "training.batch_size=128")
    run_job(summed), run_job(mean)
    assert curve(mean, 0) == pytest.approx(curve(summed, 0), rel=1e-4)
    assert curve(summed, 0)[-1] != pytest.approx(curve(summed, 0)[0], rel=1e-2)


def test_error_statistics_can_be_the_running_ones_or_those_of_all_samples(make_job: Callable[..., config.Job]) -> None:
    batch = ("activation=relu", "normalization=batch", "optimizer.lr=1e-3", "training.epochs=3")
    last = {}
    for name, override in {"running": "training.error_mode=eval", "all": "training.error_batch_size=all"}.items():
        job = make_job(*batch, override)
        run_job(job)
        last[name] = curve(job, 1)[-1]
    network = extract_replica(load_run(job.folder)[1], job.seeds.index(1))  # the same weights in both runs
    train = load_splits("digits", data_dir=Path("data"), train_limit=job.dataset.train_limit).train
    for name, module in {"running": network.eval(), "all": copy.deepcopy(network).train()}.items():
        with torch.no_grad():
            expected = nn.functional.cross_entropy(module(train.x_NF), train.y_N).item()
        assert last[name] == pytest.approx(expected, rel=1e-4), name
    assert last["running"] != pytest.approx(last["all"], rel=1e-3)


def test_dropout_acts_in_the_training_error_as_in_training(make_job: Callable[..., config.Job]) -> None:
    alpha = ("dropout=alpha", "dropout.rate=0.3")
    noisy, quiet = (make_job(*alpha, f"training.error_mode={mode}") for mode in ("train", "eval"))
    run_job(noisy), run_job(quiet)
    assert curve(noisy, 0)[0] != curve(quiet, 0)[0]
    plain = make_job()
    run_job(plain)
    assert curve(quiet, 0)[0] == pytest.approx(curve(plain, 0)[0], rel=1e-6)  # the same untrained network
