"""The maps laid over real networks, against hooks and autograd on the same networks as torch's own layers."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from selfnorm import config
from selfnorm.data.splits import load_splits
from selfnorm.networks.export import extract_replica, load_run
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.networks.snapshots import RecordedRun, as_arrays
from selfnorm.studies.prediction import measured
from selfnorm.studies.prediction_report import read_table
from selfnorm.theory.moment_map import layer_map
from selfnorm.theory.prediction import Inputs, Network, predict_network
from selfnorm.training.job import run_job

Make = Callable[..., config.Job]
SCRIPT = Path(__file__).parents[2] / "scripts/prediction.py"


def hooked(network: nn.Sequential, x_BF: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """The values that enter (z) and leave (a) every activation function, and the output."""
    z: list[Tensor] = []
    a: list[Tensor] = []

    def keep(_: nn.Module, entered: tuple[Tensor, ...], left: Tensor) -> None:
        z.append(entered[0])
        a.append(left)

    hooks = [module.register_forward_hook(keep) for module in network if not isinstance(module, nn.Linear)]
    output = network(x_BF)
    for hook in hooks:
        hook.remove()
    return z, a, output


def gains(gradients: tuple[Tensor, ...]) -> np.ndarray:
    squares = np.array([gradient.double().square().mean().item() for gradient in gradients])
    return np.asarray(squares[:-1] / squares[1:])


def test_per_unit_map_predicts_what_hooks_and_autograd_see_in_new_networks(make_job: Make) -> None:
    num_seeds, width, depth, generator = 8, 256, 6, torch.Generator().manual_seed(0)
    job = make_job(f"seeds=[{','.join(map(str, range(num_seeds)))}]", f"model.depth={depth}", f"model.width={width}")
    network = ReplicaMLP(job, width, 10)
    errors = []
    for replica in range(num_seeds):
        sequential = extract_replica(network, replica)
        x_BF = 0.3 + torch.randn(400, width, generator=generator) * torch.linspace(0.5, 1.5, width)
        z, a, _ = hooked(sequential, x_BF)
        sent = torch.randn(z[-1].shape, generator=generator)
        chi = gains(torch.autograd.grad(z[-1], z, sent))
        linears = [module for module in sequential if isinstance(module, nn.Linear)][:-1]
        arrays = Network(
            [linear.weight.detach().double().numpy() for linear in linears],
            [linear.bias.detach().double().numpy() for linear in linears],
            as_arrays(job, network, replica).activations,
        )
        path = predict_network(arrays, Inputs.of(x_BF.double().numpy()))["per_unit"]
        seen = [(layer.mean().item(), layer.var(correction=0).item(), layer.mean(0).std().item()) for layer in a]
        mean, variance, unit_mean_sd = np.array(seen).T
        errors.append(
            [path.mean - mean, path.variance - variance, path.unit_mean_sd - unit_mean_sd, [*(path.chi - chi), 0]]
        )
    found = np.array(errors)  # (seed, quantity, layer)
    standard_error = found.std(axis=0, ddof=1) / num_seeds**0.5
    # 0.03: correlations between units, which the map neglects, are of order 1 / sqrt(width) = 0.06 each
    assert np.all(abs(found.mean(axis=0)) < 5 * standard_error + 0.03)
    assert np.all(abs(found) < 0.2)


@pytest.fixture
def finished(make_job: Make) -> config.Job:
    job = make_job("model.depth=4", "model.width=48", "seeds=[2,4]", "training.epochs=3", "recording.samples=256")
    run_job(job)
    return job


def test_snapshots_are_the_networks_whose_moments_were_recorded(finished: config.Job) -> None:
    recorded = pd.read_csv(finished.folder / "moments.csv")
    run = RecordedRun(finished.folder)
    train = load_splits("digits", data_dir=Path(finished.data_dir), train_limit=finished.dataset.train_limit).train
    x_BF, y_B = train.x_NF[:256], train.y_N[:256]
    np.testing.assert_allclose(run.inputs(train.x_NF).mean, x_BF.double().mean(0))
    np.testing.assert_allclose(run.inputs(train.x_NF).sample_variance, x_BF.double().var(1, correction=0))
    seen = [(snapshot.seed, snapshot.trained) for snapshot in run.snapshots()]
    assert seen == [(2, False), (4, False), (2, True), (4, True)]
    _, trained, _ = load_run(finished.folder)
    networks = {False: ReplicaMLP(finished, 64, 10), True: trained}
    for snapshot in run.snapshots():
        sequential = extract_replica(networks[snapshot.trained], finished.seeds.index(snapshot.seed))
        z, a, output = hooked(sequential, x_BF)
        loss = nn.functional.cross_entropy(output, y_B, reduction="sum")
        step = recorded["step"].max() if snapshot.trained else 0
        truth = measured(recorded[(recorded["seed"] == snapshot.seed) & (recorded["step"] == step)])
        # single precision, and sums in another order
        np.testing.assert_allclose(truth["mean"], [layer.mean().item() for layer in a], atol=1e-5)
        np.testing.assert_allclose(truth["variance"], [layer.var(correction=0).item() for layer in a], rtol=1e-4)
        np.testing.assert_allclose(truth["chi"], gains(torch.autograd.grad(loss, z)), rtol=1e-4)
        h = x_BF.double().numpy().T
        for weight, bias, f in zip(*snapshot.network[:3], strict=True):
            h = f(weight @ h + bias[:, None])
        np.testing.assert_allclose(h.T, a[-1].detach().numpy(), atol=1e-4)


@pytest.mark.parametrize(
    "overrides",
    [(f"activation={name}",) for name in ("selu", "elu", "relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid")]
    + [("activation=selu", "activation.fixed_point=[-0.1,2.0]"), ("activation=selu", "activation.learn=true")],
)
def test_arrays_have_the_networks_activation(overrides: tuple[str, ...], make_job: Make) -> None:
    job = make_job("model.depth=1", *overrides)
    network = ReplicaMLP(job, 8, 3)
    z = torch.linspace(-4, 4, 81)
    (f,) = as_arrays(job, network, 1).activations
    np.testing.assert_allclose(f(z.double().numpy()), extract_replica(network, 1)[1](z).detach().numpy(), atol=1e-6)


def test_a_selu_trained_from_the_configuration_has_the_fixed_point_that_was_asked_for(make_job: Make) -> None:
    mu, nu = -0.1, 2.0
    job = make_job("model.depth=2", f"activation.fixed_point=[{mu},{nu}]")
    run_job(job)
    trained = [snapshot.network for snapshot in RecordedRun(job.folder).snapshots() if snapshot.trained]
    for f in (f for network in trained for f in network.activations):
        # random weights: over its units a pre-activation is N(0, nu + mu^2)
        found = layer_map(f, 0.0, nu + mu**2)
        assert (float(found[0]), float(found[1])) == pytest.approx((mu, nu), rel=1e-10)


@pytest.mark.parametrize("choice", ["alpha", "standard"])
def test_arrays_have_the_networks_dropout(choice: str, make_job: Make) -> None:
    job = make_job("model.depth=1", f"dropout={choice}", "dropout.rate=0.2", "dropout.input_rate=0.1")
    network = ReplicaMLP(job, 8, 3)
    arrays = as_arrays(job, network, 0)
    assert (arrays.dropout.rate, arrays.input_dropout.rate) == (0.2, 0.1)
    mean, variance = arrays.dropout.moments(0.0, 1.0)
    # alpha dropout keeps both; standard dropout keeps the mean square of a kept unit times 1 / (1 - rate)
    assert (float(mean), float(variance)) == pytest.approx((0, 1 if choice == "alpha" else 1.25))


def script(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["prediction.py", *arguments])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return left.value.code


def test_the_script_predicts_runs_and_names_those_it_cannot(
    make_job: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = make_job("dropout=alpha", "model.depth=3")
    normalized = make_job("activation=relu", "normalization=batch", "model.depth=3")
    run_job(job)
    run_job(normalized)
    assert script(monkeypatch, f"{tmp_path}/runs", "--out", f"{tmp_path}/out") == 0
    table, about = read_table(tmp_path / "out")
    assert set(table["network"]) == {"selu-alpha"}
    assert len(table) == 2 * 2 * (3 * 3 + 2)  # seeds, times, layers (one less of them for chi)
    assert [line.split(": ", 1)[1] for line in about["left_out"]] == [
        "the maps are for plain layers without normalization, not for relu-batch"
    ]
    assert script(monkeypatch, str(normalized.folder), "--out", f"{tmp_path}/none") == 2
    assert "no run to predict" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
