"""Each mistake is named, with its numbers, in networks made wrong on purpose; right networks get no sentence."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from checking.networks import RIGHT, chain, convolutions, drawn, he, inputs, lecun
from torch import Tensor, nn
from torch.nn import functional as F

import selfnorm


def findings(model: nn.Module, batch: Any = None) -> list[str]:
    return selfnorm.check(model, inputs(256, 64) if batch is None else batch).findings


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_right_networks_get_no_sentence(name: str, training: bool) -> None:
    model, shape = RIGHT[name]()
    assert findings(model.train(training), inputs(*shape)) == []


def default(weight: Tensor) -> None:
    nn.init.kaiming_uniform_(weight, a=5**0.5)


WRONG_GAINS = {
    "torch's default initialization, 1/3": default,
    "Kaiming's initialization, 2": he,
    "torch's calculate_gain('selu') = 3/4, squared": lambda w: nn.init.kaiming_normal_(w, nonlinearity="selu"),
    "Xavier's initialization": nn.init.xavier_uniform_,
    "Xavier's initialization with calculate_gain('selu')": lambda w: nn.init.xavier_normal_(
        w, nn.init.calculate_gain("selu")
    ),
}


@pytest.mark.parametrize("source", WRONG_GAINS)
@pytest.mark.parametrize("model", ["linear", "convolutions"])
def test_the_wrong_initialization_of_selu_is_named(source: str, model: str) -> None:
    widths = (256, 64, 32, 64, 32) if "Xavier" in source else (64,) * 33
    network: nn.Module = chain(nn.SELU, widths=widths)
    batch = inputs(256, widths[0])
    if model == "convolutions":
        if "Xavier" in source:
            pytest.skip("Xavier's is LeCun's where as many channels go in and out")
        network, batch = convolutions(nn.SELU), inputs(16, 3, 12, 12)
    (found, *_) = findings(drawn(network, WRONG_GAINS[source]), batch)
    assert found.startswith("SELU needs weights of gain 1 (variance 1 / fan_in), not ")
    assert f"({source})" in found


def test_torchs_own_selu_network_is_wrong_by_its_numbers() -> None:
    torch.manual_seed(0)
    model = drawn(chain(nn.SELU, widths=(64,) * 33), default)  # without biases, which would feed the signal
    report = selfnorm.check(model, inputs(256, 64))
    gains, signal, gradient = report.findings
    last = report.table[report.table.activation != ""].iloc[-1]
    moment = last.activation_mean**2 + last.activation_variance
    assert " as in `0`, `2` and 30 more (torch's default initialization, 1/3): after `63` " in gains
    assert gains.endswith(f" the second moment is {moment:.2g}.")
    assert moment < 2e-6
    assert signal.startswith("The signal vanishes: the second moment goes from 0.4")
    assert signal.endswith(f" at `1` to {moment:.2g} at `63`.")
    assert gradient.startswith("The gradient vanishes: the sum of its squares on the way back goes from ")


def test_selu_as_a_function_is_judged_and_said_to_be_hidden() -> None:
    class Functional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.third = (nn.Linear(64, 64) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            return self.third(F.dropout(F.selu(self.second(F.selu(self.first(x)))), 0.1, self.training))

    report = selfnorm.check(drawn(Functional(), default), inputs(256, 64))
    assert "gain 1 (variance 1 / fan_in), not 0.3" in report.findings[0]
    assert "as in `first`, `second` (torch's default initialization, 1/3)" in report.findings[0]
    (note,) = report.notes
    assert note.startswith("After `first`, `second` Selu was called as a function, which no hook sees")
    assert note in str(report)


def test_gains_that_training_moved_are_left_in_peace() -> None:
    model = drawn(chain(nn.SELU), lambda w: nn.init.normal_(w, 0, (1.4 / w.shape[1]) ** 0.5))
    assert findings(model) == []
    model = drawn(chain(nn.SELU), lambda w: nn.init.normal_(w, 0, (3 / w.shape[1]) ** 0.5))
    assert "not 2." in findings(model)[0]


@pytest.mark.parametrize("training", [True, False])
def test_standard_dropout_after_selu_is_named(training: bool) -> None:
    model = drawn(chain(nn.SELU, lambda: nn.Dropout(0.1), widths=(64,) * 5), lecun).train(training)
    (found,) = findings(model)
    assert found.startswith(
        "Standard dropout follows SELU (`2`, `5` and 2 more): with p = 0.1 it turns the variance 1 into 1.11"
    )


@pytest.mark.parametrize(
    ("batch", "numbers"),
    [
        (inputs(256, 64) + 3, "mean 2.99 and variance 1.01"),
        (torch.rand(256, 64, generator=torch.Generator().manual_seed(0)), "mean 0.502 and variance 0.0835"),
        (inputs(256, 64) * torch.logspace(0, 2, 64), "variance "),
    ],
    ids=["mean", "pixels", "features of different size"],
)
def test_inputs_that_are_not_standardized_are_named(batch: Tensor, numbers: str) -> None:
    found = findings(drawn(chain(nn.ReLU), he), batch)[0]
    assert found.startswith("The inputs are not standardized: what enters `0` has mean ")
    assert numbers in found


def test_batch_normalization_before_selu_is_named() -> None:
    model = drawn(chain(lambda: nn.BatchNorm1d(64), nn.SELU), lecun)
    (found,) = findings(model)
    assert found.startswith("Batch or instance normalization stands before SELU in 8 of 8 layers (`2`, `5` and 6")


def test_dead_and_saturated_layers_are_named() -> None:
    model = drawn(chain(nn.ReLU), he)
    nn.init.constant_(model[4].bias, -100.0)
    assert "`5` is dead: all its activations are 0." in findings(model)
    model = drawn(chain(nn.Tanh, widths=(64,) * 3), lambda w: nn.init.normal_(w, 0, 1.0))
    assert any(
        found.startswith("`1` is saturated: ") and " % of its slopes are below 0.05" in found
        for found in findings(model)
    )


@pytest.mark.parametrize(("gain", "happens"), [(0.3, "vanishes"), (9.0, "explodes")])
def test_a_gradient_that_vanishes_or_explodes_is_named(gain: float, happens: str) -> None:
    model = drawn(chain(nn.LeakyReLU, widths=(64,) * 17), lambda w: nn.init.normal_(w, 0, (gain / w.shape[1]) ** 0.5))
    said = findings(model)
    assert any(found.startswith(f"The signal {happens}: ") for found in said)
    assert any(found.startswith(f"The gradient {happens}: ") for found in said)


def test_nan_is_said_to_begin_where_it_begins() -> None:
    class Logarithm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 64)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x).log())

    model = drawn(chain(nn.ReLU), he)
    batch = inputs(256, 64)
    batch[3, 4] = torch.nan
    assert findings(model, batch) == ["NaN or infinity begins in the batch itself: what enters `0` is not finite."]
    with torch.no_grad():
        model[4].weight[2, 1:3] = torch.inf
    expected = "NaN or infinity begins in `4`, where 2 weights are not finite: what enters is finite."
    assert findings(model) == [expected]
    (found,) = findings(drawn(Logarithm(), lecun))
    assert found.startswith("NaN or infinity begins in a step before `second` that no hook sees")


def test_a_gradient_alone_that_is_not_finite_is_named() -> None:
    class Root(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(64, 64), nn.Linear(64, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.second(self.first(x).relu())
            return (y - y.detach()).sqrt()  # 0, with a slope that is not finite

    (found,) = findings(drawn(Root(), lecun))
    assert found == "The forward pass is finite, the gradient is not: from `second` down to `first`."


def test_a_network_without_known_layers_gets_a_note() -> None:
    report = selfnorm.check(nn.Flatten(), inputs(4, 3))
    assert report.notes == ["No linear map, convolution or activation module was called: there is nothing to measure."]
