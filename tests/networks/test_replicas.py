"""Replicas never meet: each equals the same network trained alone, and a NaN in one leaves the others as they were."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from compared import NETWORKS
from torch import Tensor

from selfnorm import config
from selfnorm.networks.layers import EVALUATION, Phase
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.networks.randomness import Masks, Purpose
from selfnorm.training.module import cross_entropy

SEEDS = [3, 5, 7]


def train(job: config.Job, x_RBF: Tensor, y_RB: Tensor, steps: int = 4) -> ReplicaMLP:
    network = ReplicaMLP(job, x_RBF.shape[2], 10)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for step in range(steps):
        masks = Masks(job.seeds, Purpose.TRAINING_DROPOUT, (step,))
        loss = cross_entropy(network(x_RBF, Phase(32, learning=True, masks=masks)), y_RB).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(0)
    return torch.randn(3, 32, 64, generator=source), torch.randint(0, 10, (3, 32), generator=source)


@pytest.mark.parametrize("overrides", NETWORKS.values(), ids=NETWORKS.keys())
def test_replica_equals_its_seed_alone(
    overrides: tuple[str, ...], make_job: Callable[..., config.Job], batch: tuple[Tensor, Tensor]
) -> None:
    x_RBF, y_RB = batch
    together = train(make_job("model.depth=5", f"seeds={SEEDS}", *overrides), x_RBF, y_RB).state_dict()
    for r, seed in enumerate(SEEDS):
        job = make_job("model.depth=5", f"seeds=[{seed}]", *overrides)
        alone = train(job, x_RBF[r : r + 1], y_RB[r : r + 1]).state_dict()
        for name, value in alone.items():
            # fp32 rounding of a batched against a single matrix product, over four steps
            torch.testing.assert_close(together[name][r : r + 1], value, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("overrides", NETWORKS.values(), ids=NETWORKS.keys())
def test_a_nan_replica_leaves_the_others_bit_identical(
    overrides: tuple[str, ...], make_job: Callable[..., config.Job], batch: tuple[Tensor, Tensor]
) -> None:
    x_RBF, y_RB = batch
    job = make_job("model.depth=5", f"seeds={SEEDS}", *overrides)
    healthy = train(job, x_RBF, y_RB).state_dict()
    poisoned_RBF = x_RBF.clone()
    poisoned_RBF[1] = torch.nan
    sick = train(job, poisoned_RBF, y_RB).state_dict()
    assert sick["output.weight_RIO"][1].isnan().all()
    for name, value in healthy.items():
        assert torch.equal(sick[name][[0, 2]], value[[0, 2]]), name


def test_seeds_differ_and_repeat(make_job: Callable[..., config.Job]) -> None:
    job = make_job("seeds=[0,1]")
    first, again = (ReplicaMLP(job, 64, 10).hidden[0].linear.weight_RIO for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.isclose(first[0], first[1]).any()


@pytest.mark.parametrize("block", ["residual", "highway"])
def test_blocks_are_what_their_papers_say(block: str, make_job: Callable[..., config.Job]) -> None:
    network = ReplicaMLP(make_job("activation=tanh", f"model={block}", "model.depth=4", "seeds=[1]"), 64, 10)
    x_RBF = torch.randn(1, 8, 64, generator=torch.Generator().manual_seed(0))
    linear = [(layer.linear.weight_RIO[0], layer.linear.bias_R1O[0]) for layer in network.hidden]
    hidden = torch.tanh(x_RBF[0] @ linear[0][0] + linear[0][1])
    if block == "residual":  # He et al.: f(W2 f(W1 x) + x), then one layer that is left over
        inner = torch.tanh(hidden @ linear[1][0] + linear[1][1])
        hidden = torch.tanh(inner @ linear[2][0] + linear[2][1] + hidden)
        hidden = torch.tanh(hidden @ linear[3][0] + linear[3][1])
    else:  # Srivastava et al.: t h + (1 - t) x, gates biased towards x
        for layer, (weight, bias) in list(zip(network.hidden, linear, strict=True))[1:]:
            assert torch.all(layer.gate.bias_R1O == -2)
            gate = torch.sigmoid(hidden @ layer.gate.weight_RIO[0] + layer.gate.bias_R1O[0])
            hidden = gate * torch.tanh(hidden @ weight + bias) + (1 - gate) * hidden
    expected = hidden @ network.output.weight_RIO[0] + network.output.bias_R1O[0]
    torch.testing.assert_close(network(x_RBF, EVALUATION)[0], expected, rtol=1e-4, atol=1e-5)
