"""Every layer of many replicas against torch's own layer, one replica at a time, forward and backward."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from selfnorm import config
from selfnorm.config.activation import SELU_ALPHA, SELU_LAMBDA
from selfnorm.networks.activations import LearnedSelu, Selu, initialization_gain, make_activation
from selfnorm.networks.layers import (
    EVALUATION,
    Phase,
    ReplicaDropout,
    ReplicaLinear,
    WeightNormLinear,
    make_dropout,
)
from selfnorm.networks.normalization import ReplicaBatchNorm, ReplicaLayerNorm
from selfnorm.networks.randomness import Masks, Purpose, generator

SEEDS = [3, 5, 7]
LEARNING = Phase(group=16, learning=True)


def sources() -> list[torch.Generator]:
    return [generator(seed, Purpose.INITIALIZATION) for seed in SEEDS]


def inputs(batch: int = 16, features: int = 12) -> torch.Tensor:
    return torch.randn(len(SEEDS), batch, features, generator=torch.Generator().manual_seed(0)) * 3 + 1


def assert_same_gradients(ours: torch.Tensor, theirs: list[torch.Tensor]) -> None:
    # Both are fp32 sums over 16 samples in different orders: a few units in the last place of numbers near 10
    torch.testing.assert_close(ours, torch.stack(theirs), rtol=1e-4, atol=1e-4)


def test_linear_is_nn_linear_per_replica() -> None:
    layer, x_RBI = ReplicaLinear(12, 9, gain=2.0, sources=sources()), inputs().requires_grad_()
    nn.init.normal_(layer.bias_R1O)
    out_RBO = layer(x_RBI)
    out_RBO.square().sum().backward()
    for r in range(len(SEEDS)):
        reference = nn.Linear(12, 9)
        reference.weight.data, reference.bias.data = layer.weight_RIO.data[r].T, layer.bias_R1O.data[r, 0]
        x_BI = inputs()[r].requires_grad_()
        out_BO = reference(x_BI)
        out_BO.square().sum().backward()
        torch.testing.assert_close(out_RBO[r], out_BO)
        assert_same_gradients(layer.weight_RIO.grad[r], [*reference.weight.grad.T])
        assert_same_gradients(layer.bias_R1O.grad[r], [reference.bias.grad])
        assert_same_gradients(x_RBI.grad[r], [*x_BI.grad])


def test_weight_norm_is_torchs_weight_norm_per_replica() -> None:
    layer, x_RBI = WeightNormLinear(12, 9, gain=1.0, sources=sources()), inputs()
    torch.testing.assert_close(layer.effective_weight(), layer.weight_RIO)  # starts as drawn
    nn.init.uniform_(layer.norm_R1O, 0.5, 2)
    out_RBO = layer(x_RBI)
    out_RBO.square().sum().backward()
    for r in range(len(SEEDS)):
        reference = nn.utils.parametrizations.weight_norm(nn.Linear(12, 9), dim=0)
        norms, directions = (getattr(reference.parametrizations.weight, f"original{i}") for i in (0, 1))
        norms.data, directions.data = layer.norm_R1O.data[r].T, layer.weight_RIO.data[r].T.contiguous()
        reference.bias.data = layer.bias_R1O.data[r, 0]
        out_BO = reference(x_RBI[r])
        out_BO.square().sum().backward()
        torch.testing.assert_close(out_RBO[r], out_BO, rtol=1e-5, atol=1e-5)
        assert_same_gradients(layer.weight_RIO.grad[r], [*directions.grad.T])
        assert_same_gradients(layer.norm_R1O.grad[r, 0], [*norms.grad[:, 0]])


def test_batch_norm_is_nn_batchnorm_per_replica_in_training_and_evaluation() -> None:
    layer, x_RBF = ReplicaBatchNorm(len(SEEDS), 12, eps=1e-3, momentum=0.2), inputs().requires_grad_()
    nn.init.uniform_(layer.scale_R1F), nn.init.normal_(layer.shift_R1F)
    references = [nn.BatchNorm1d(12, eps=1e-3, momentum=0.2) for _ in SEEDS]
    out_RBF = layer(x_RBF, LEARNING)
    out_RBF.pow(3).sum().backward()
    for r, reference in enumerate(references):
        reference.weight.data, reference.bias.data = layer.scale_R1F.data[r, 0], layer.shift_R1F.data[r, 0]
        x_BF = inputs()[r].requires_grad_()
        out_BF = reference(x_BF)
        out_BF.pow(3).sum().backward()
        torch.testing.assert_close(out_RBF[r], out_BF, rtol=1e-5, atol=1e-5)
        assert_same_gradients(x_RBF.grad[r], [*x_BF.grad])
        assert_same_gradients(layer.scale_R1F.grad[r], [reference.weight.grad])
        reference.eval()
        evaluated_BF = layer(inputs(), EVALUATION)[r]
        torch.testing.assert_close(evaluated_BF, reference(inputs()[r]), rtol=1e-5, atol=1e-5)


def test_batch_norm_of_a_large_batch_is_that_of_its_groups_and_moves_no_running_statistics() -> None:
    layer, x_RBF = ReplicaBatchNorm(len(SEEDS), 12, eps=1e-3, momentum=0.2), inputs(batch=64)
    whole_RBF = layer(x_RBF, Phase(group=16))
    parts = [nn.BatchNorm1d(12, eps=1e-3)(x_RBF[1, i : i + 16]) for i in range(0, 64, 16)]
    torch.testing.assert_close(whole_RBF[1], torch.cat(parts), rtol=1e-5, atol=1e-5)
    assert layer.running_mean_R1F.abs().max() == 0


def test_layer_norm_is_nn_layernorm_per_replica() -> None:
    layer, x_RBF = ReplicaLayerNorm(len(SEEDS), 12, eps=1e-5), inputs().requires_grad_()
    nn.init.uniform_(layer.scale_R1F), nn.init.normal_(layer.shift_R1F)
    out_RBF = layer(x_RBF, LEARNING)
    out_RBF.pow(3).sum().backward()
    for r in range(len(SEEDS)):
        reference = nn.LayerNorm(12, eps=1e-5)
        reference.weight.data, reference.bias.data = layer.scale_R1F.data[r, 0], layer.shift_R1F.data[r, 0]
        x_BF = inputs()[r].requires_grad_()
        out_BF = reference(x_BF)
        out_BF.pow(3).sum().backward()
        torch.testing.assert_close(out_RBF[r], out_BF, rtol=1e-5, atol=1e-5)
        assert_same_gradients(x_RBF.grad[r], [*x_BF.grad])


def test_selu_is_torchs_selu_and_follows_other_constants() -> None:
    z = torch.linspace(-6, 6, 1001, dtype=torch.float64)
    torch.testing.assert_close(Selu()(z), nn.functional.selu(z))
    torch.testing.assert_close(Selu(0.7, 1.3)(z), torch.where(z > 0, 1.3 * z, 1.3 * 0.7 * torch.expm1(z)))


@pytest.mark.parametrize(("name", "gain"), [("relu", 2.0), ("tanh", 1 / 0.394294)])
def test_gain_keeps_the_second_moment(name: str, gain: float) -> None:
    # 2 is He's; 0.394294 = E tanh(z)^2, known to six digits
    assert initialization_gain(config.PlainActivation(name=name)) == pytest.approx(gain, rel=1e-5)


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "tanh", "sigmoid"])
def test_gain_agrees_with_samples(name: str) -> None:
    part = config.PlainActivation(name=name)
    z = torch.randn(10**6, generator=torch.Generator().manual_seed(1))
    second_moment = make_activation(part, 1)(z).square()
    standard_error = (second_moment.std() / 1000).item()
    assert second_moment.mean().item() * initialization_gain(part) == pytest.approx(
        1, abs=5 * standard_error * initialization_gain(part)
    )


def test_standard_dropout_is_torchs_in_distribution() -> None:
    x_RBF = torch.ones(len(SEEDS), 500, 400)
    out_RBF = ReplicaDropout(0.3)(x_RBF, Phase(masks=Masks(SEEDS, Purpose.TRAINING_DROPOUT, (0,))))
    reference = nn.Dropout(0.3)(x_RBF)
    assert out_RBF.unique().tolist() == reference.unique().tolist()
    # 200 000 draws a replica: standard error sqrt(.3 .7 / 2e5) = 0.001
    assert torch.all((out_RBF == 0).float().mean((1, 2)).sub(0.3).abs() < 0.005)


def test_alpha_dropout_is_torchs_in_distribution_and_keeps_mean_and_variance() -> None:
    a_RBF = nn.functional.selu(torch.randn(len(SEEDS), 1000, 500, generator=torch.Generator().manual_seed(0)))
    saturation = -SELU_LAMBDA * SELU_ALPHA
    phase = Phase(masks=Masks(SEEDS, Purpose.TRAINING_DROPOUT, (0,)))
    out_RBF = ReplicaDropout(0.1, saturation=saturation)(a_RBF, phase)
    torch.manual_seed(0)
    reference = nn.AlphaDropout(0.1)(a_RBF)
    assert out_RBF.min().item() == pytest.approx(reference.min().item(), rel=1e-6)  # what a dropped unit becomes
    quantiles = torch.linspace(0.15, 0.98, 25)  # the lowest tenth is that one value; its edge has no quantile
    ours, theirs = (torch.quantile(sample.flatten()[:1_000_000], quantiles) for sample in (out_RBF, reference))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.02)  # quantiles of 1e6 draws scatter by a few 1e-3
    # 500 000 draws a replica: standard errors of mean and variance are 0.0014 and about 0.003
    assert torch.all(out_RBF.mean((1, 2)).abs() < 0.008)
    assert torch.all(out_RBF.var((1, 2)).sub(1).abs() < 0.015)


@pytest.mark.parametrize("fixed_point", [(0.0, 1.0), (-0.1, 2.0), (0.2, 0.5)])
def test_alpha_dropout_keeps_the_moments_of_any_fixed_point(fixed_point: tuple[float, float]) -> None:
    part = config.Selu.model_validate({"name": "selu", "fixed_point": [*fixed_point], "learn": False})
    z = torch.randn(len(SEEDS), 1000, 500, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a_RBF = make_activation(part, 1)(z * (fixed_point[1] + fixed_point[0] ** 2) ** 0.5)
    dropout = make_dropout(config.Dropout(name="alpha", rate=0.2, input_rate=0.0), part)
    out_RBF = dropout(a_RBF, Phase(masks=Masks(SEEDS, Purpose.TRAINING_DROPOUT, (0,))))
    for x_RBF in (a_RBF, out_RBF):  # both by 500 000 draws a replica, standard errors as above
        assert torch.all(x_RBF.mean((1, 2)).sub(fixed_point[0]).abs() < 0.008 * fixed_point[1] ** 0.5)
        assert torch.all(x_RBF.var((1, 2)).div(fixed_point[1]).sub(1).abs() < 0.015)
    values, counts = out_RBF[0].unique(return_counts=True)
    assert counts.max().item() == pytest.approx(0.2 * out_RBF[0].numel(), rel=0.02)  # dropped units share one value
    assert values[counts.argmax()].item() == pytest.approx(dropout.a * dropout.saturation + dropout.b)


def test_learned_constants_act_per_replica_and_have_the_right_gradients() -> None:
    f = LearnedSelu(2, 1.5, 1.1).double()
    with torch.no_grad():
        f.alpha_R[1], f.lambda_R[1] = 0.7, 1.3
    z_RBF = torch.randn(2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for r, (alpha, lambda_) in enumerate([(1.5, 1.1), (0.7, 1.3)]):
        torch.testing.assert_close(f(z_RBF)[r], Selu(alpha, lambda_)(z_RBF[r]))
    assert torch.autograd.gradcheck(
        lambda z, alpha, lambda_: torch.func.functional_call(f, {"alpha_R": alpha, "lambda_R": lambda_}, z),
        (z_RBF, f.alpha_R.detach().requires_grad_(), f.lambda_R.detach().requires_grad_()),
    )


def test_dropout_is_off_in_evaluation() -> None:
    x_RBF = inputs()
    assert ReplicaDropout(0.5)(x_RBF, EVALUATION) is x_RBF


def test_masks_do_not_depend_on_the_number_of_processes() -> None:
    like = torch.empty(len(SEEDS), 8, 5)
    whole = Masks(SEEDS, Purpose.TRAINING_DROPOUT, (4,)).keep(torch.empty(len(SEEDS), 16, 5), 0.5)
    parts = [Masks(SEEDS, Purpose.TRAINING_DROPOUT, (4,), part, 2).keep(like, 0.5) for part in (0, 1)]
    assert torch.equal(whole, torch.cat(parts, dim=1))


def test_initialization_has_the_asked_variance_and_zero_biases() -> None:
    layer = ReplicaLinear(400, 300, gain=2.0, sources=sources())
    # 120 000 weights a replica: relative standard error of the variance sqrt(2 / 1.2e5) = 0.004
    assert torch.all(layer.weight_RIO.var((1, 2)).div(2 / 400).sub(1).abs() < 0.02)
    assert layer.bias_R1O.abs().max() == 0
    bound = math.sqrt(6 / 700)
    glorot_RIO = ReplicaLinear(400, 300, gain="glorot", sources=sources()).weight_RIO
    assert bound * 0.999 < glorot_RIO.abs().max() <= bound
