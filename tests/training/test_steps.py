"""What a step of training does, what a record counts, and what a run leaves: each against numbers worked out here."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from selfnorm import config
from selfnorm.data.cache import read_digits
from selfnorm.data.datasets import DIGITS
from selfnorm.runs.layout import MOMENTS, NETWORK
from selfnorm.training.job import run_job
from selfnorm.training.module import epoch_order, make_optimizer
from selfnorm.training.recording import Recorder

Make = Callable[..., config.Job]


def test_every_epoch_and_every_seed_has_an_order_of_its_own() -> None:
    orders = [tuple(order_N.tolist()) for epoch in range(4) for order_N in epoch_order(512, seeds=[3, 5], epoch=epoch)]
    assert len(set(orders)) == 8
    assert all(sorted(order) == list(range(512)) for order in orders)
    # Orders that are drawn anew agree in one place on average; five or more happen once in 270
    same = [np.equal(one, other).sum() for i, one in enumerate(orders) for other in orders[:i]]
    assert np.mean(same) < 3


def test_sgd_moves_a_weight_by_its_momentum(make_job: Make) -> None:
    job = make_job("optimizer=sgd", "optimizer.lr=0.1", "optimizer.momentum=0.5")
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = make_optimizer(job.optimizer, [weight])
    for _ in range(3):
        weight.grad = torch.ones(1)
        optimizer.step()
    # velocities 1, 1.5 and 1.75: each is half of the last one and the gradient
    assert weight.item() == pytest.approx(-0.1 * (1 + 1.5 + 1.75))


def test_moments_are_over_whole_batches_of_the_recorded_samples(make_job: Make) -> None:
    moments = []
    for samples in (200, 128):
        job = make_job(f"recording.samples={samples}", "training.batch_size=128", "model.depth=2", "training.epochs=1")
        run_job(job)
        moments.append((job.folder / MOMENTS).read_bytes())
    assert moments[0] == moments[1]  # the other 72 samples are no batch


def test_the_networks_file_holds_mean_and_standard_deviation_of_the_inputs_in_use(make_job: Make) -> None:
    job = make_job("model.depth=1", "training.epochs=1", "dataset.train_limit=300")
    run_job(job)
    features, _ = read_digits(DIGITS, Path(), "train", range(300))
    pixels, kept = features / 16, load_file(job.folder / NETWORK)
    np.testing.assert_allclose(kept["input_mean_F"], pixels.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(kept["input_std_F"], np.where(np.ptp(pixels, axis=0) > 0, pixels.std(axis=0), 1))


def test_the_seconds_of_a_resumed_run_are_those_of_all_its_parts(make_job: Make, tmp_path: Path) -> None:
    nobody = cast(Any, None)
    seconds = 0.0
    for part in (100.0, 30.0):
        recorder = Recorder(make_job(), tmp_path, nobody, nobody)
        recorder.load_state_dict(recorder.state_dict() | {"seconds": seconds})
        recorder.started -= part  # as if it had trained for so long
        assert seconds + part <= recorder.known(1)["seconds"] + 0.01 < seconds + part + 20
        seconds = recorder.known(1)["seconds"]
    before = time.monotonic()
    assert seconds == pytest.approx(130, abs=20)
    assert recorder.started < before - 129
