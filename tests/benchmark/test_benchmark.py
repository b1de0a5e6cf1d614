"""The benchmark at its smallest: every contender runs, every number is there. No time is asserted."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from composed import ROOT, compose_job
from torch.utils.flop_counter import FlopCounterMode

from selfnorm.benchmark.cells import CELLS, TINY
from selfnorm.benchmark.contenders import plain_network, products_alone
from selfnorm.benchmark.measuring import JobTimes, parts_of_a_job, shares_of_a_job, spread
from selfnorm.benchmark.report import page
from selfnorm.benchmark.start import floor_bytes
from selfnorm.data.splits import load_splits
from selfnorm.networks.mlp import ReplicaMLP

CONTENDERS = 6


@pytest.mark.slow
def test_the_benchmark_measures_every_contender_and_writes_its_tables(tmp_path: Path) -> None:
    command = [sys.executable, "scripts/benchmark.py", "--tiny", "--rounds", "2", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads((tmp_path / "benchmark.json").read_text())
    (cell,) = found["cells"]
    assert len(cell["milliseconds"]) == CONTENDERS
    spreads = [*cell["milliseconds"].values(), *cell["faster"].values(), *cell["of_limit"].values()]
    assert all(0 < low <= median <= high for median, low, high in spreads)
    assert all(0 <= low <= median <= high < 1 for median, low, high in cell["shares"].values())
    assert found["start"]["seconds_to_first_step"] > 0
    assert (tmp_path / "benchmark.md").read_text() == page(found, shlex.join(["python", *command[1:]]))


def test_the_committed_tables_are_those_of_the_committed_numbers() -> None:
    found = json.loads((ROOT / "docs/benchmark.json").read_text())
    assert [cell["cell"] for cell in found["cells"]] == [cell.name for cell in CELLS]
    assert (ROOT / "docs/benchmark.md").read_text() == page(found, "python scripts/benchmark.py")


def test_the_plain_network_does_the_same_work_as_a_replica() -> None:
    job = TINY[0].job(Path("runs"))
    splits = load_splits("digits", data_dir=Path("data"), train_limit=256)
    plain = plain_network(job)
    replica = ReplicaMLP(job, splits.num_features, splits.num_classes)
    assert sum(p.numel() for p in plain.parameters()) * len(job.seeds) == sum(p.numel() for p in replica.parameters())


def test_the_limit_is_three_products_a_layer_but_no_gradient_of_the_inputs() -> None:
    job = compose_job("dataset=digits", "model.depth=2", "model.width=16", "seeds=[0,1]")
    splits = load_splits("digits", data_dir=Path("data"), train_limit=256)
    with FlopCounterMode(display=False) as counted:
        products_alone(job, splits, torch.device("cpu"))(1)
    weights = [64 * 16, 16 * 16, 16 * 10]
    assert counted.get_total_flops() == 2 * 128 * (6 * sum(weights) - 2 * weights[0])  # seeds, batch, multiply and add


def test_every_cell_of_the_benchmark_is_a_job_that_can_be_asked_for(tmp_path: Path) -> None:
    for cell in CELLS:
        job = cell.job(tmp_path)
        assert len(job.seeds) == cell.num_seeds
        assert floor_bytes(job) > 0


def test_parts_scale_a_short_job_to_a_whole_one() -> None:
    passes = {"training_error": [1.0, 1.0, 3.0], "evaluation_error": [0.5], "layer_moments": [0.5]}
    times = JobTimes(seconds=10.0, steps=20, passes=passes)
    found = parts_of_a_job(times, epochs=4, batches=10)
    assert found["steps"] == pytest.approx((10 - 5 - 0.5 - 0.5) / 20 * 40)
    assert found["training_error"] == 5 * 1.0  # four epochs and the end, at the median
    whole = sum(found.values())
    around = "Lightning, W&B, bar, checkpoints"
    assert shares_of_a_job(found, bare=found["steps"])[around] == 0
    assert shares_of_a_job(found, bare=found["steps"] / 2)[around] == pytest.approx(found["steps"] / 2 / whole)


def test_a_spread_is_the_median_between_the_extremes() -> None:
    assert spread([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
