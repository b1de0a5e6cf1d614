"""Dropout of the inputs: alpha dropout keeps their mean 0 and variance 1, whatever fixed point the layers have."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from selfnorm import config
from selfnorm.networks.layers import Phase
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.networks.randomness import Masks, Purpose
from selfnorm.theory.expected import expected

ALPHA = ("activation.fixed_point=[-0.3,2.0]", "dropout=alpha", "dropout.rate=0.2", "dropout.input_rate=0.3")
NUM_SAMPLES, F = 50_000, 8


@pytest.mark.parametrize(("place", "mean", "variance"), [("inputs", 0.0, 1.0), ("layer", -0.3, 2.0)])
def test_alpha_dropout_keeps_the_moments_of_its_place(
    place: str, mean: float, variance: float, make_job: Callable[..., config.Job]
) -> None:
    job = make_job(*ALPHA, "model.depth=2", "seeds=[0]")
    network = ReplicaMLP(job, F, 10)
    dropout = network.input_dropout if place == "inputs" else network.layers[0].dropout
    x_RBF = torch.randn(1, NUM_SAMPLES, F, generator=torch.Generator().manual_seed(1)) * variance**0.5 + mean
    out_RBF = dropout(x_RBF, Phase(masks=Masks([0], Purpose.TRAINING_DROPOUT, (0,))))
    assert not torch.equal(out_RBF, x_RBF)
    # 400 000 values of standard deviation up to 1.4: 0.0022 of standard error, 0.005 for the variance
    assert out_RBF.mean().item() == pytest.approx(mean, abs=0.012)
    assert out_RBF.var().item() == pytest.approx(variance, abs=0.03)


def test_the_pages_theory_keeps_the_inputs_moments_under_alpha_dropout(make_job: Callable[..., config.Job]) -> None:
    curves = {}
    for rate in (0.0, 0.3):
        job = make_job(*ALPHA, "model.depth=4", f"dropout.input_rate={rate}")
        curves[rate] = expected(job.model_dump(by_alias=True))["curves"]
    assert curves[0.0].keys() == curves[0.3].keys()
    for column, maps in curves[0.0].items():
        for name, values in maps.items():
            assert curves[0.3][column][name] == pytest.approx(values, rel=1e-12, abs=1e-12), (column, name)
    assert curves[0.3]["preactivation_variance"]["paper"][0] == pytest.approx(1.0)
