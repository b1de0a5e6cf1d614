"""The measured moments against numpy and the pipeline's own records; the network is as it was before."""

from __future__ import annotations

import copy
import doctest
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from checking.networks import RIGHT, Residual, chain, convolutions, drawn, he, inputs, lecun
from torch import Tensor, nn
from torch.nn import functional as F

import selfnorm
from selfnorm import config
from selfnorm.checking import network as network_module
from selfnorm.checking.trace import Trace
from selfnorm.data.splits import load_splits
from selfnorm.networks.export import extract_replica, load_run
from selfnorm.training.job import run_job


def by_hand(model: nn.Sequential, x: np.ndarray, gradient: np.ndarray) -> list[dict[str, float]]:
    """Moments of a chain of linear maps and tanh, by plain numpy; `gradient` is the loss's at the outputs."""
    maps = [m for m in model if isinstance(m, nn.Linear)]
    linear = [(m.weight.detach().double().numpy(), m.bias.detach().double().numpy()) for m in maps]
    zs, a = [], x
    for weight, bias in linear:
        zs.append(a @ weight.T + bias)
        a = np.tanh(zs[-1])
    rows = []
    for (weight, _), z in reversed(list(zip(linear, zs, strict=True))):
        rows.append({
            "preactivation_mean": z.mean(), "preactivation_variance": z.var(),
            "preactivation_unit_mean_sd": z.mean(0).std(), "preactivation_unit_variance_sd": z.var(0).std(),
            "gain": (weight**2).sum(1).mean(), "gradient_second_moment": 0.0,
        })  # fmt: skip
        if len(rows) > 1:
            a, slope = np.tanh(z), 1 - np.tanh(z) ** 2
            gradient = gradient * slope
            rows[-1] |= {
                "activation_mean": a.mean(), "activation_variance": a.var(), "saturated": (slope < 0.05).mean(),
                "activation_unit_mean_sd": a.mean(0).std(), "activation_unit_variance_sd": a.var(0).std(),
            }  # fmt: skip
        rows[-1]["gradient_second_moment"] = (gradient**2).mean()
        gradient = gradient @ weight
    return rows[::-1]


@pytest.mark.parametrize("seed", range(5))
def test_rows_are_numpys_on_random_networks(seed: int) -> None:
    source = np.random.default_rng(seed)
    widths = tuple(int(width) for width in source.integers(3, 40, size=source.integers(2, 7)))
    torch.manual_seed(seed)
    model, x = chain(nn.Tanh, widths=widths).double(), source.normal(0.3, 1.7, (50, widths[0]))
    target = source.normal(size=(50, 10))
    report = selfnorm.check(model, torch.tensor(x), loss=lambda out: (out * torch.tensor(target)).sum())
    expected = by_hand(model, x, target)
    assert len(report.layers) == len(expected) == len(widths)
    for layer, row in zip(report.layers, expected, strict=True):
        for column, value in row.items():
            assert layer.values[column] == pytest.approx(value, rel=1e-9), column
    assert torch.tensor([report.layers[-1].values[c] for c in ("activation_mean", "saturated")]).isnan().all()


def test_theory_beside_it_is_what_gaussian_weights_and_values_give() -> None:
    rows = selfnorm.check(drawn(chain(nn.SELU, widths=(512,) * 4), lecun), inputs(512, 512)).table
    for kind, tolerance in (("preactivation_variance", 0.03), ("activation_variance", 0.03)):
        seen = rows[rows[f"{kind}_theory"].notna()]
        np.testing.assert_allclose(seen[kind], seen[f"{kind}_theory"], rtol=tolerance)
    np.testing.assert_allclose(rows.activation_mean[:-1], rows.activation_mean_theory[:-1], atol=0.02)
    np.testing.assert_allclose(rows.gain, 1, rtol=0.08)  # four standard errors for the output's 5120 weights
    np.testing.assert_allclose(rows.chi[:-1], 1.0716, rtol=0.03)  # docs/theory/activations.md


def test_it_gives_the_pipelines_own_records_for_its_exported_network(make_job: Callable[..., config.Job]) -> None:
    job = make_job("seeds=[2,4]", "model.depth=3", "training.epochs=1", "recording.samples=512")
    run_job(job)
    _, networks, _ = load_run(job.folder)
    split = load_splits(job.dataset.name, data_dir=Path(job.data_dir), train_limit=job.dataset.train_limit).train
    step = max(int(line.split(",")[0]) for line in (job.folder / "moments.csv").read_text().splitlines()[1:])
    recorded = np.genfromtxt(job.folder / "moments.csv", delimiter=",", names=True)
    size = 512 // min(job.training.batch_size, 512) * min(job.training.batch_size, 512)
    x, y = split.x_NF[:size], split.y_N[:size]
    for replica, seed in enumerate(job.seeds):
        rows = recorded[(recorded["seed"] == seed) & (recorded["step"] == step)]
        report = selfnorm.check(
            extract_replica(networks, replica), x, loss=lambda out: F.cross_entropy(out, y, reduction="sum")
        )
        assert report.findings == []  # trained, on standardized digits
        for layer, row in zip(report.layers[:-1], rows, strict=True):
            for column in set(recorded.dtype.names) - {"step", "epoch", "seed", "layer"}:
                assert layer.values[column] == pytest.approx(row[column], rel=1e-4, abs=1e-6), column


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Everything of a model that a pass could change, and all random states."""

    def state() -> list[Any]:
        hooks = [(m._forward_hooks.copy(), m._forward_pre_hooks.copy(), m.training) for m in model.modules()]
        gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
        frozen = [p.requires_grad for p in model.parameters()]
        randoms = [torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()]  # noqa: NPY002
        return [hooks, frozen, randoms, [None if g is None else g.tolist() for g in gradients]]

    before, tensors = state(), copy.deepcopy(model.state_dict())
    yield
    assert state() == before
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, tensors[name]), name


class Noisy(nn.Module):
    """Running statistics, dropout, and noise of three generators."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.ReLU(inplace=True), nn.Dropout(0.5))
        self.end, self.fails = nn.Linear(8, 2), fails

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(x + random.random() + float(np.random.random()))  # noqa: NPY002
        if self.fails:
            raise RuntimeError("shapes do not fit")
        return self.end(x)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_is_as_it_was(training: bool) -> None:
    model = Noisy().train(training)
    model(inputs(16, 8)).sum().backward()
    x = inputs(16, 8)
    with untouched(model):
        selfnorm.check(model, x)
    assert torch.equal(x, inputs(16, 8))
    assert not x.requires_grad


def test_hooks_are_gone_when_the_forward_pass_fails() -> None:
    model = Noisy(fails=True)
    with untouched(model), pytest.raises(RuntimeError, match="shapes do not fit"):
        selfnorm.check(model, inputs(16, 8))


def test_a_reused_activation_and_shared_weights_get_a_row_for_each_call() -> None:
    class Reused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
            self.shared, self.act = nn.Linear(8, 8), nn.SELU()

        def forward(self, x: Tensor) -> Tensor:
            for layer in (*self.layers, self.shared, self.shared):
                x = self.act(layer(x))
            return x

    report = selfnorm.check(drawn(Reused(), lecun), inputs(64, 8))
    assert report.table.layer.tolist() == ["act", "act (2)", "act (3)", "act (4)", "act (5)"]
    assert report.table.weights.tolist() == ["layers.0", "layers.1", "layers.2", "shared", "shared"]
    assert report.table.gradient_second_moment.notna().all()


def test_activations_in_place_change_nothing_of_what_is_seen() -> None:
    x = inputs(64, 64)
    in_place = selfnorm.check(drawn(chain(partial(nn.ReLU, inplace=True)), he), x).table
    assert in_place.equals(selfnorm.check(drawn(chain(nn.ReLU), he), x).table)


def test_a_frozen_network_shows_the_same_rows() -> None:
    model, x = drawn(chain(nn.SELU), lecun), inputs(64, 64)
    free = selfnorm.check(model, x).table
    assert free.equals(selfnorm.check(model.requires_grad_(False), x).table)
    with torch.no_grad():
        assert free.equals(selfnorm.check(model, x).table)


def test_units_are_features_of_tokens_and_channels_of_images() -> None:
    report = selfnorm.check(drawn(convolutions(nn.SELU), lecun), inputs(4, 3, 6, 6))
    assert [layer.row.z.mean.shape[-1] for layer in report.layers if layer.row.z] == [16, 16, 16, 16, 10]
    report = selfnorm.check(drawn(Residual(12, 2), lecun), inputs(5, 7, 12))
    assert [layer.row.z.mean.shape[-1] for layer in report.layers if layer.row.z] == [48, 12, 48, 12]
    assert [layer.row.z.samples.item() for layer in report.layers if layer.row.z] == [35] * 4
    assert report.table.activation.tolist() == ["act", "", "act", ""]


def test_an_activation_of_ones_own_is_known_by_its_values() -> None:
    class Squareplus(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return (z + (z * z + 4).sqrt()) / 2

    report = selfnorm.check(drawn(chain(Squareplus), lecun), inputs(256, 64))
    z = np.random.default_rng(0).normal(size=10**6)
    needed = 1 / np.mean(((z + np.sqrt(z**2 + 4)) / 2) ** 2)
    assert report.layers[0].values["gain_needed"] == pytest.approx(needed, rel=5e-3)
    assert report.layers[0].row.activation == "1"


@pytest.mark.parametrize(
    "module",
    [nn.Identity(), nn.Softmax(dim=-1), nn.RReLU(), nn.Flatten(0), nn.LayerNorm(33), nn.GLU(), nn.Embedding(3, 1)],
)
def test_what_is_no_elementwise_function_is_no_activation(module: nn.Module) -> None:
    assert Trace(module, through_frozen=False)._functions == {}


def test_compiled_and_wrapped_networks_are_looked_into() -> None:
    model, x = drawn(chain(nn.SELU, widths=(16,) * 3), lecun), inputs(32, 16)
    names = ["layer", "weights", "activation"]
    plain = selfnorm.check(model, x).table.drop(columns=names)
    inside = nn.Sequential(copy.deepcopy(model))
    inside[0].compile(backend="eager")
    inside(x)  # compiled now
    for wrapped in (torch.compile(model, backend="eager"), nn.DataParallel(model), inside):
        assert plain.equals(selfnorm.check(wrapped, x).table.drop(columns=names))
    torch._dynamo.reset()


@pytest.fixture
def process_group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("process_group")
def test_a_network_that_trains_over_processes_is_looked_into() -> None:
    model, x = drawn(chain(nn.SELU, widths=(16,) * 3), lecun), inputs(32, 16)
    assert str(selfnorm.check(nn.parallel.DistributedDataParallel(model), x)) == str(selfnorm.check(model, x))


def test_a_lightning_module_is_checked_by_its_forward() -> None:
    class Module(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = drawn(chain(nn.SELU), lecun)

        def forward(self, x: Tensor) -> Tensor:
            self.log("mean", x.mean())
            return self.network(x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's: there is no trainer to log to
        report = selfnorm.check(Module(), [inputs(64, 64), torch.zeros(64)])
    assert report.table.layer[0] == "network.1"
    assert report.findings == []


def test_behind_normalization_z_and_its_gradient_are_what_enters_the_activation() -> None:
    model, x = drawn(chain(lambda: nn.BatchNorm1d(8), nn.Tanh, widths=(8,) * 3), lecun).double(), inputs(32, 8).double()
    z = model[:5](x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(model[6](z.tanh()).square().sum(), z)
    _, layer, _ = selfnorm.check(model, x, loss=lambda out: out.square().sum()).layers
    assert layer.row.normalization == "batch or instance"
    assert layer.values["preactivation_variance"] == pytest.approx(z.var(correction=0).item())
    assert layer.values["gradient_second_moment"] == pytest.approx(gradient.square().mean().item())


def test_what_a_network_returns_may_be_nested() -> None:
    @dataclass
    class Output:
        parts: dict[str, list[Tensor]]

    class Nested(nn.Sequential):
        def forward(self, x: Tensor) -> Output:
            return Output({"a": [super().forward(x)]})

    assert selfnorm.check(Nested(nn.Linear(4, 4)), inputs(8, 4)).table.gradient_second_moment.notna().all()


def test_a_network_without_gradients_gets_its_moments_and_a_note() -> None:
    class Frozen(nn.Sequential):
        @torch.no_grad()
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)

    model = drawn(chain(nn.SELU), lecun)
    report = selfnorm.check(Frozen(*model), inputs(64, 64))
    np.testing.assert_allclose(
        report.table.activation_variance.dropna(), selfnorm.check(model, inputs(64, 64)).table.activation_variance[:-1]
    )
    assert report.notes == ["No gradient reached any layer: the output does not depend on them differentiably."]


def test_under_autocast_the_moments_are_those_of_bfloat16() -> None:
    model, x = drawn(chain(nn.SELU), lecun), inputs(256, 64)
    exact = selfnorm.check(model, x).table
    with torch.autocast("cpu", torch.bfloat16):
        rough = selfnorm.check(model, x)
    assert rough.findings == []
    differences = (rough.table.activation_variance - exact.activation_variance).abs()[:-1]
    assert ((differences > 0) & (differences < 0.02)).all()


def test_a_batch_may_hold_what_a_loader_gives() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: Tensor, context: Tensor, scale: float = 1.0) -> Tensor:
            return self.layer(x + context) * scale

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
            return {"logits": self.layer(batch["continuous"])}

    x, y = inputs(16, 8), torch.zeros(16, dtype=torch.long)
    expected = selfnorm.check(linear := nn.Linear(8, 8), x).table
    assert expected.equals(selfnorm.check(linear, [x, y]).table)
    for batch in ((x, x, y), {"x": x, "context": x, "labels": y}):
        assert len(selfnorm.check(Two(), batch).layers) == 1
    assert len(selfnorm.check(Named(), {"continuous": x}).layers) == 1


def test_what_cannot_be_checked_is_refused_in_a_line() -> None:
    with pytest.raises(TypeError, match=r"model is a list, must be a torch\.nn\.Module"):
        selfnorm.check([], inputs(2, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lazy layers without a shape; call it once"):
        selfnorm.check(nn.LazyLinear(3), inputs(2, 2))
    with pytest.raises(AttributeError, match="module 'selfnorm' has no attribute 'chekc'"):
        selfnorm.chekc  # type: ignore[attr-defined]  # noqa: B018


def test_the_report_prints_a_row_for_each_layer_and_draws_them() -> None:
    report = selfnorm.check(drawn(chain(nn.SELU), lecun), inputs(256, 64))
    lines = str(report).splitlines()
    assert lines[0].split()[:3] == ["layer", "weights", "gain"]
    assert [line.split()[0] for line in lines[1:10]] == ["1", "3", "5", "7", "9", "11", "13", "15", "16"]
    assert lines[-1] == "- Nothing wrong was found."
    figure = report.plot()
    assert figure.axes[0].get_lines()[0].get_ydata() == pytest.approx(report.table.preactivation_variance)


def test_the_examples_give_what_they_say() -> None:
    found = doctest.testmod(network_module)
    assert found.attempted > 0
    assert found.failed == 0


def test_there_are_twenty_right_networks() -> None:
    assert len(RIGHT) == 20
