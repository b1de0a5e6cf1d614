"""Effects of the initialization on 32 layers: SELU stays normalized, torch's default vanishes, He's gain explodes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from selfnorm import config
from selfnorm.networks.activations import initialization_gain
from selfnorm.networks.layers import EVALUATION
from selfnorm.networks.mlp import LayerTrace, ReplicaMLP

DEEP = ("model.depth=32", "model.width=256", "seeds=[0,1,2,3]")


@torch.no_grad()
def moments_by_layer(job: config.Job, scale: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and variance of activations, (L,), over seeds, samples and units, on normal input of that scale."""
    x_RBF = scale * torch.randn(4, 256, 256, generator=torch.Generator().manual_seed(0))
    traces: list[LayerTrace] = []
    ReplicaMLP(job, 256, 10)(x_RBF, EVALUATION, traces)
    return torch.stack([t.a_RBF.mean() for t in traces]), torch.stack([t.a_RBF.var() for t in traces])


def test_a_deep_selu_network_holds_mean_zero_and_variance_one(make_job: Callable[..., config.Job]) -> None:
    mean_L, variance_L = moments_by_layer(make_job(*DEEP))
    # One network of width 256 scatters around the fixed point by a few times 1 / sqrt(256); four are averaged
    assert mean_L.abs().max() < 0.1
    assert variance_L.sub(1).abs().max() < 0.25


@pytest.mark.parametrize("fixed_point", [(-0.1, 2.0), (0.0, 0.5), (-0.2, 1.0)])
def test_a_deep_network_reaches_the_fixed_point_that_was_asked_for(
    fixed_point: tuple[float, float], make_job: Callable[..., config.Job]
) -> None:
    mu, nu = fixed_point
    mean_L, variance_L = moments_by_layer(make_job(*DEEP, f"activation.fixed_point=[{mu},{nu}]"))
    # from mean 0, variance 1 of the inputs; scatter as above, here also averaged over the last 16 layers
    assert mean_L[16:].mean().item() == pytest.approx(mu, abs=0.03 * nu**0.5)
    assert variance_L[16:].mean().item() == pytest.approx(nu, rel=0.1)


def test_torchs_default_initialization_vanishes(make_job: Callable[..., config.Job]) -> None:
    # nn.Linear draws from U(-1/sqrt(n), 1/sqrt(n)): gain 1/3
    _, variance_L = moments_by_layer(make_job(*DEEP, "model.gain=0.3333333"))
    assert variance_L[-1] < 1e-3
    assert torch.all(variance_L.diff()[:8] < 0)


def test_he_initialization_explodes_under_selu(make_job: Callable[..., config.Job]) -> None:
    _, variance_L = moments_by_layer(make_job(*DEEP, "model.gain=2"))
    assert variance_L[-1] > 20 * variance_L[0]


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"])
def test_the_default_gain_keeps_the_second_moment_of_every_activation(
    name: str, make_job: Callable[..., config.Job]
) -> None:
    job = make_job(*DEEP, f"activation={name}")
    gain = initialization_gain(job.activation)
    mean_L, variance_L = moments_by_layer(job, scale=gain**-0.5)  # so that the first layer's E[z^2] is 1 as well
    # Few layers: nothing pulls the second moment back to 1 (under GELU and SiLU it is even pushed away). It walks by
    # about sqrt(5 / n) = 0.14 in the log per layer of one network, and four are averaged
    assert torch.all((gain * (variance_L + mean_L.square()))[:4].log().abs() < 0.5)
