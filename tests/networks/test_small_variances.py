"""`eps` of every normalization at variances of its own size, where it is half of what a layer divides by."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from selfnorm import config
from selfnorm.networks.export import extract_replica
from selfnorm.networks.layers import EVALUATION, Phase
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.networks.normalization import make_normalization

EPS = 0.01
F = 12
PHASES = {"learning": Phase(group=16, learning=True), "one group": Phase(group=16), "evaluation": EVALUATION}


def inputs() -> torch.Tensor:
    """(R, B, F) of variance 0.01."""
    return 0.1 * torch.randn(2, 16, F, generator=torch.Generator().manual_seed(0)) + 0.3


@pytest.mark.parametrize("phase", PHASES.values(), ids=list(PHASES))
@pytest.mark.parametrize("name", ["batch", "layer"])
def test_eps_is_added_to_a_small_variance_as_in_torchs_layer(
    name: str, phase: Phase, make_job: Callable[..., config.Job]
) -> None:
    job = make_job("activation=relu", f"normalization={name}", f"normalization.eps={EPS}")
    layer = make_normalization(job.normalization, 2, F)
    assert layer is not None
    reference = nn.BatchNorm1d(F, eps=EPS) if name == "batch" else nn.LayerNorm(F, eps=EPS)
    if isinstance(reference, nn.BatchNorm1d) and phase is EVALUATION:
        layer.running_variance_R1F.fill_(EPS)
        reference.eval().running_var = torch.full((F,), EPS)
    found_RBF = layer(inputs(), phase)
    for r, x_BF in enumerate(inputs()):
        torch.testing.assert_close(found_RBF[r], reference(x_BF), rtol=1e-5, atol=1e-5)
    assert 0.5 < found_RBF.std() < 0.9  # without eps it would be 1


@pytest.mark.parametrize("name", ["batch", "layer"])
def test_eps_goes_with_a_network_that_is_taken_out(name: str, make_job: Callable[..., config.Job]) -> None:
    job = make_job("activation=relu", "model.depth=2", f"normalization={name}", f"normalization.eps={EPS}")
    network = ReplicaMLP(job, F, 10).eval()
    for module_name, buffer in network.named_buffers():
        if module_name.endswith("running_variance_R1F"):
            buffer.fill_(EPS)
    for r, x_BF in enumerate(inputs()):
        torch.testing.assert_close(network(inputs(), EVALUATION)[r], extract_replica(network, r)(x_BF))
