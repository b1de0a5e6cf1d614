"""One step of training in two processes against the same step in one: statistics and gradients are the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from composed import compose_job
from tools.two_processes import in_two_processes

from selfnorm import config
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.training.module import ReplicaClassifier

BATCH, F = 16, 6
SMALL = (f"training.batch_size={BATCH}", "dataset=digits", "scale=smoke", "model.depth=2", "model.width=8")
JOBS = {
    "batch normalization, mean loss": (*SMALL, "activation=relu", "normalization=batch", "training.loss=mean"),
    "no normalization, summed loss": (*SMALL, "activation=selu", "training.loss=sum"),
    "batch normalization, summed loss": (*SMALL, "activation=relu", "normalization=batch", "training.loss=sum"),
}
Values = dict[str, list[Any]]


class Step(NamedTuple):
    """By name of the parameter and of the buffer."""

    gradients: Values
    statistics: Values


def one_step(rank: int, processes: int, job: config.Job) -> Step:
    """Forward and backward of this process's share of the batch, gradients averaged as DDP averages them."""
    source = torch.Generator().manual_seed(0)
    x_RBF = torch.randn(len(job.seeds), BATCH, F, generator=source) * 2 + 1
    y_RB = torch.randint(0, 3, (len(job.seeds), BATCH), generator=source)
    module = ReplicaClassifier(job, ReplicaMLP(job, F, 3))
    module._trainer = SimpleNamespace(world_size=processes, global_rank=rank, global_step=0)  # type: ignore[assignment]
    share = BATCH // processes
    here = slice(rank * share, (rank + 1) * share)
    module.training_step((x_RBF[:, here], y_RB[:, here]), 0).backward()
    gradients = {}
    for name, parameter in module.network.named_parameters():
        assert parameter.grad is not None
        if processes > 1:
            torch.distributed.all_reduce(parameter.grad)
        gradients[name] = (parameter.grad / processes).tolist()
    return Step(gradients, {name: buffer.tolist() for name, buffer in module.network.named_buffers()})


def all_steps(rank: int, processes: int = 2) -> dict[str, Step]:
    return {name: one_step(rank, processes, compose_job(*overrides)) for name, overrides in JOBS.items()}


@pytest.fixture(scope="module")
def two() -> list[dict[str, Step]]:
    return in_two_processes(all_steps)


@pytest.fixture(scope="module")
def one() -> dict[str, Step]:
    return all_steps(0, 1)


def assert_same(found: Values, expected: Values) -> None:
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        # single precision, sums of 16 in another order
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


BATCHES = ("batch normalization, mean loss", "batch normalization, summed loss")


@pytest.mark.parametrize("name", BATCHES)
def test_running_statistics_are_those_of_the_whole_batch_on_every_process(
    name: str, one: dict[str, Step], two: list[dict[str, Step]]
) -> None:
    assert any("running_variance" in key for key in one[name].statistics)
    for rank in range(2):
        assert_same(two[rank][name].statistics, one[name].statistics)


@pytest.mark.parametrize("name", BATCHES)
def test_gradients_pass_through_the_statistics_of_both_processes(
    name: str, one: dict[str, Step], two: list[dict[str, Step]]
) -> None:
    for rank in range(2):
        assert_same(two[rank][name].gradients, one[name].gradients)


def test_a_summed_loss_is_summed_over_the_whole_batch(one: dict[str, Step], two: list[dict[str, Step]]) -> None:
    for rank in range(2):
        name = "no normalization, summed loss"
        assert_same(two[rank][name].gradients, one[name].gradients)
