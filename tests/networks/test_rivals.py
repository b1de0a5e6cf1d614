"""The rivals of batch normalization and SELU since 2017: layers against formulas, and 128 layers against theory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from selfnorm import config
from selfnorm.networks.layers import EVALUATION, CentredLinear, Orthogonal, Phase, ReplicaLinear
from selfnorm.networks.mlp import LayerTrace, ReplicaMLP
from selfnorm.networks.moments import LayerMoments, measure_layer
from selfnorm.networks.normalization import DynamicFunction, ReplicaRmsNorm
from selfnorm.networks.randomness import Masks, Purpose, generator
from selfnorm.theory.expected import expected_chain

Make = Callable[..., config.Job]
SEEDS = [3, 5, 7]


def sources() -> list[torch.Generator]:
    return [generator(seed, Purpose.INITIALIZATION) for seed in SEEDS]


def inputs(batch: int = 16, features: int = 12) -> Tensor:
    return torch.randn(len(SEEDS), batch, features, generator=torch.Generator().manual_seed(0)) * 3 + 1


def test_rms_norm_is_torchs_per_replica() -> None:
    layer = ReplicaRmsNorm(len(SEEDS), 12, eps=1e-3)
    nn.init.uniform_(layer.scale_R1F, 0.5, 2)
    found_RBF = layer(inputs(), EVALUATION)
    for r, x_BF in enumerate(inputs()):
        reference = nn.RMSNorm(12, eps=1e-3)
        reference.weight.data = layer.scale_R1F.data[r, 0]
        torch.testing.assert_close(found_RBF[r], reference(x_BF), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "function"), [("dyt", torch.tanh), ("derf", torch.erf)])
def test_dynamic_functions_are_their_papers_formulas(name: str, function: Callable[[Tensor], Tensor]) -> None:
    layer = DynamicFunction(name, torch.full((3, 1, 1), 0.5), torch.ones(3, 1, 12))
    torch.testing.assert_close(layer(inputs()), function(0.5 * inputs()))  # the first values
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, 0.1, 1)
    offset = layer.offset if name == "derf" else 0.0
    expected = layer.scale * function(layer.alpha * inputs() + offset) + layer.shift
    torch.testing.assert_close(layer(inputs()), expected)
    assert len(list(layer.parameters())) == (4 if name == "derf" else 3)


def test_centred_weights_sum_to_zero_whatever_was_learned_and_keep_their_variance() -> None:
    layer = CentredLinear(500, 200, gain=1.0, sources=sources())
    tau_RO = layer.effective_weight().square().sum(1)
    assert tau_RO.mean().item() == pytest.approx(1, abs=4 * (2 / 500 / 600) ** 0.5)  # mean of 600 chi-squares over 500
    with torch.no_grad():
        layer.weight_RIO.add_(0.3)
    assert layer.effective_weight().sum(1).abs().max() < 1e-4  # rounding of 500 numbers near 1 / sqrt(500)
    layer(torch.randn(3, 8, 500)).square().sum().backward()
    assert layer.weight_RIO.grad.sum(1).abs().max() < 1e-2 * layer.weight_RIO.grad.abs().sum(1).max()


@pytest.mark.parametrize(("num_in", "num_out"), [(64, 64), (64, 16), (16, 64)])
def test_orthogonal_weights_are_orthogonal_with_the_mean_square_of_normal_ones(num_in: int, num_out: int) -> None:
    for weight_IO in ReplicaLinear(num_in, num_out, gain=Orthogonal(2.0), sources=sources()).weight_RIO:
        assert weight_IO.square().sum(0).mean().item() == pytest.approx(2, rel=1e-5)
        gram = weight_IO.T @ weight_IO if num_out <= num_in else weight_IO @ weight_IO.T
        torch.testing.assert_close(gram, gram[0, 0] * torch.eye(len(gram)), rtol=0, atol=1e-5)


def test_rezero_starts_as_its_first_layer_and_adds_what_its_paper_says(make_job: Make) -> None:
    network = ReplicaMLP(make_job("activation=tanh", "model=rezero", "model.depth=3", "seeds=[1]"), 64, 10)
    x_BF = torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
    linear = [(layer.linear.weight_RIO[0], layer.linear.bias_R1O[0]) for layer in network.layers]
    hidden = torch.tanh(x_BF @ linear[0][0])

    def logits() -> Tensor:
        return hidden @ network.output.weight_RIO[0]

    torch.testing.assert_close(network(x_BF[None], EVALUATION)[0], logits())
    for layer, (weight, bias) in list(zip(network.layers, linear, strict=True))[1:]:
        nn.init.constant_(layer.factor_R11, 0.3)
        hidden = hidden + 0.3 * torch.tanh(hidden @ weight + bias)
    torch.testing.assert_close(network(x_BF[None], EVALUATION)[0], logits(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("normalization", ["none", "weight", "centred"])
def test_lsuv_gives_every_layer_unit_variance_over_the_batch(normalization: str, make_job: Make) -> None:
    job = make_job(
        "model.initialization=lsuv", "activation=tanh", f"normalization={normalization}", "model.depth=6", "seeds=[0,1]"
    )
    network = ReplicaMLP(job, 64, 10)
    x_RBF = (3 * torch.randn(32, 64, generator=torch.Generator().manual_seed(0)) + 1).expand(2, -1, -1)
    network.scale_to_unit_variance(x_RBF)
    traces: list[LayerTrace] = []
    network(x_RBF, Phase(group=32), traces)
    for trace in traces:
        torch.testing.assert_close(trace.z_RBF.var(dim=(1, 2)), torch.ones(2), rtol=1e-4, atol=0)


RIVALS = {
    "snn": (),
    "centred weights": ("normalization=centred",),
    "gaussian poincare": ("activation=gaussian_poincare",),
    "dks": ("activation=dks",),
    "tat": ("activation=tat",),
    "rms": ("activation=relu", "normalization=rms"),
    "layer": ("activation=relu", "normalization=layer"),
    "batch": ("activation=relu", "normalization=batch"),
    "orthogonal": ("model.initialization=orthogonal",),
    "rezero": ("model=rezero",),
    "alpha dropout": ("dropout=alpha", "dropout.rate=0.05"),
}


@pytest.mark.slow
@pytest.mark.parametrize("rival", RIVALS)
def test_128_layers_have_the_variance_and_correlation_that_the_theory_predicts(rival: str, make_job: Make) -> None:
    seeds, width, samples = 8, 256, 64
    job = make_job("model.depth=128", f"model.width={width}", f"seeds={list(range(seeds))}", *RIVALS[rival])
    predicted = expected_chain(job.model_dump(by_alias=True))
    x_BF = torch.randn(samples, width, generator=torch.Generator().manual_seed(9))
    x_BF /= x_BF.square().mean(1, keepdim=True).sqrt()  # every sample of mean square 1
    network, traces = ReplicaMLP(job, width, 10), list[LayerTrace]()
    masks = Masks(job.seeds, Purpose.PROBE_DROPOUT, (0,))
    with torch.no_grad():
        network(x_BF.expand(seeds, -1, -1), Phase(group=samples, masks=masks), traces)
    metric = LayerMoments([width] * 128, seeds)
    metric.update(measure_layer(*trace, trace.z_RBF, trace.z_RBF) for trace in traces)
    found = metric.compute()
    for column in ("preactivation_variance", "activation_variance", "activation_cosine", "preactivation_cosine"):
        value_RL, expected_L = found[column], torch.tensor(getattr(predicted, column))
        error_L = value_RL.std(0) / seeds**0.5
        # 4 standard errors; batch statistics of 64 samples; and what a width of 256 adds to the limit of wide layers:
        # 1 / width a layer, summed over the layers in which a deviation lasts
        slack = 1 / 64 + 6 / width
        beyond = (value_RL.mean(0) - expected_L).abs() - 4 * error_L - slack * (1 + expected_L.abs())
        assert beyond.max() < 0, (column, int(beyond.argmax()), value_RL.mean(0)[-1].item(), expected_L[-1].item())
