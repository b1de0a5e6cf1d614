"""The plan's counts against torch's own counter, and its arithmetic against cases done by hand."""

from __future__ import annotations

import pytest
import torch
from composed import ROOT, compose_job
from torch.utils.flop_counter import FlopCounterMode

from selfnorm.benchmark.plan import GPUS, Cost, cost, count_launches, makespan, weight_counts
from selfnorm.benchmark.plan_text import page, paper_jobs
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.networks.phase import EVALUATION, Phase
from selfnorm.training.module import cross_entropy


def test_counted_operations_are_those_that_torch_counts() -> None:
    job = compose_job("dataset=digits", "model.depth=3", "model.width=16", "seeds=[0,1]", "training.batch_size=32")
    network, y_RB = ReplicaMLP(job, 64, 10), torch.zeros(2, 32, dtype=torch.long)
    with FlopCounterMode(display=False) as step:
        cross_entropy(network(torch.randn(2, 32, 64), Phase(group=32, learning=True)), y_RB).sum().backward()
    with FlopCounterMode(display=False) as error, torch.no_grad():
        network(torch.randn(2, 1280, 64), EVALUATION)
    found = cost(job, "fp32", launches=1)
    assert found.step_flops == step.get_total_flops()
    samples = job.dataset.train_limit or 1280
    assert found.error_flops == pytest.approx(error.get_total_flops() * samples / 1280)


def test_memory_counts_every_parameter_twice() -> None:
    shallow, deep = (compose_job(f"model.depth={depth}", "model.width=784", "scale=paper") for depth in (8, 16))
    more = sum(weight_counts(784, 784, 16)) - sum(weight_counts(784, 784, 8))
    difference = cost(deep, "fp32", 1).memory - cost(shallow, "fp32", 1).memory
    assert difference >= 4 * len(deep.seeds) * 2 * more
    assert difference <= 1.4 * 4 * len(deep.seeds) * 2 * more


def test_launches_grow_with_depth_and_with_batch_normalization() -> None:
    counts = {
        (network, depth): count_launches(compose_job(f"+experiment={network}", f"model.depth={depth}"))
        for network in ("selu_deep", "batchnorm_deep")
        for depth in (2, 4)
    }
    assert counts["selu_deep", 4] > counts["selu_deep", 2]
    assert counts["batchnorm_deep", 4] > 2 * counts["selu_deep", 4]


@pytest.mark.parametrize(
    ("values", "seconds"), [((0, 100.0, 0), 200.0), ((67e12, 0, 0), 2.0), ((0, 0, 0.5), 1.0)], ids=str
)
def test_a_step_takes_the_longest_of_products_bytes_and_launches(values: tuple, seconds: float) -> None:
    flops, gigabytes, launches = values
    h100 = GPUS[-1]
    found = Cost(flops, gigabytes * h100.bandwidth, 0, 0, 1, 0, steps_per_epoch=2, epochs=1)
    assert found.seconds(h100, "fp32", launch=launches) == pytest.approx(seconds)


def test_the_last_device_is_done_when_the_longest_work_allows() -> None:
    assert makespan([5, 1, 1, 1, 1, 1], 2) == 5
    assert makespan([3, 3, 2, 2, 2], 2) == 7  # longest first is not always the best possible
    assert makespan([4], 8) == 4


def test_the_committed_plan_is_the_one_that_the_command_writes() -> None:
    assert (ROOT / "docs/gpu_plan.md").read_text() == page(paper_jobs())
