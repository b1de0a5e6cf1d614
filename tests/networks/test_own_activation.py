"""A user's own activation: what it is refused for, what follows from its table, and that readers do not import it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import own_functions
from networks.own_functions import BAD_FUNCTIONS, FUNCTIONS
from scipy import integrate

from selfnorm import config
from selfnorm.networks.activations import initialization_gain, make_activation
from selfnorm.networks.export import export_replica, extract_replica, load_run
from selfnorm.networks.layers import EVALUATION
from selfnorm.networks.own_activation import Tabulated
from selfnorm.networks.probing import probe
from selfnorm.networks.snapshots import RecordedRun
from selfnorm.review.run import make_run
from selfnorm.runs.finding import find_folders
from selfnorm.theory.activations import activation
from selfnorm.theory.expected import expected
from selfnorm.theory.stability import drift, fixed_second_moments, normalizing_gain
from selfnorm.theory.tabulated import from_table
from selfnorm.training.job import run_job

MakeJob = Callable[..., config.Job]


def custom(function: str, **kwargs: Any) -> config.Custom:
    return config.Custom(name="custom", function=function, kwargs=kwargs)


@pytest.mark.parametrize("function", BAD_FUNCTIONS)
def test_a_function_that_is_no_activation_is_one_line(function: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        probe(custom(function))
    assert str(caught.value).startswith(f"activation.function={function}: {BAD_FUNCTIONS[function]}")
    assert "\n" not in str(caught.value)


def test_a_bad_function_is_refused_before_anything_is_written(make_job: MakeJob, tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match="is not element by element"):
        run_job(make_job("activation=custom", "activation.function=torch.nn.functional.softmax"))
    assert not list(tmp_path.iterdir())


GOOD = (
    "mish",
    "softsign",
    "hardswish",
    "relu6",
    "gelu",
    "tanh",
    "leaky_relu",
    "celu",
    "silu",
    "softplus",
    "logsigmoid",
)


@pytest.mark.parametrize("name", GOOD)
def test_every_pointwise_function_of_torch_is_an_activation(name: str) -> None:
    function = getattr(torch.nn.functional, name)
    table = probe(custom(f"torch.nn.functional.{name}"))
    z = torch.linspace(-50, 50, 20_001, dtype=torch.float64)
    values = from_table(table)(z.numpy())
    np.testing.assert_allclose(values, function(z).numpy(), rtol=2e-3, atol=1e-6)
    near = z.abs() < 8  # where a normalized network is
    np.testing.assert_allclose(values[near], function(z[near]).numpy(), rtol=0, atol=1e-7)
    np.testing.assert_allclose(Tabulated(table)(z).numpy(), values, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("function", "known"), [("relu", "relu"), ("gelu", "gelu"), ("tanh", "tanh"), ("elu", "elu")])
def test_the_theory_of_a_table_is_that_of_the_function(function: str, known: str) -> None:
    tabulated, exact = from_table(probe(custom(f"torch.nn.functional.{function}"))), activation(known)
    x, y = (grid.ravel() for grid in np.meshgrid([-1.0, 0.0, 0.7], [0.1, 1.0, 9.0]))
    for found, wanted in zip(tabulated.moments(x, y), exact.moments(x, y), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(tabulated.slope_squared(x, y), exact.slope_squared(x, y), rtol=1e-6)
    tau = normalizing_gain(tabulated)
    assert tau == pytest.approx(initialization_gain(custom(f"torch.nn.functional.{function}")), rel=1e-6)


def test_kinks_that_are_not_at_zero_are_exact() -> None:
    f = from_table(probe(custom(f"{FUNCTIONS}Bent")))

    def squared(z: float) -> float:
        density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
        return float((z + 0.5 * np.clip(z, -1, 1)) ** 2 * density)

    wanted, _ = integrate.quad(squared, -12, 12, points=[-1, 1], limit=200)
    assert f.second_moment(np.array(0.0), np.array(1.0)) == pytest.approx(wanted, rel=1e-8)


def test_the_drift_of_mish_is_that_of_its_second_moment() -> None:
    f = from_table(probe(custom("torch.nn.functional.mish")))
    u, weight = np.polynomial.hermite_e.hermegauss(200)

    def second(q: float) -> float:
        values = torch.nn.functional.mish(torch.tensor(u * np.sqrt(q))).numpy()
        return float(weight @ values**2 / weight.sum())

    tau, q = 1 / second(1.0), 1.0
    for _ in range(8):
        q = second(tau * q)
    words = f"this activation has no attracting fixed point: 8 layers take a second moment of 1 to {q:.3g}"
    assert drift(f, tau=tau, depth=8) == words
    (point,) = fixed_second_moments(f, tau=tau)
    assert (point.q, point.rate > 1, point.chi > 1) == (pytest.approx(1 / tau, rel=1e-6), True, True)


@pytest.mark.parametrize("name", ["relu", "tanh", "selu"])
def test_activations_that_keep_or_attract_second_moments_do_not_drift(name: str) -> None:
    f = from_table(probe(custom(f"torch.nn.functional.{name}")))
    assert drift(f, tau=normalizing_gain(f), depth=32) == ""


def test_torchs_relu_by_its_name_trains_the_curve_of_relu(make_job: MakeJob) -> None:
    jobs = [make_job("model.depth=3", "activation=relu"),
            make_job("model.depth=3", "activation=custom", "activation.function=torch.nn.functional.relu")]  # fmt: skip
    for job in jobs:
        run_job(job)
    for name in ("curves.csv", "moments.csv", "network.safetensors"):
        assert (jobs[0].folder / name).read_bytes() == (jobs[1].folder / name).read_bytes()


def test_arguments_are_part_of_the_run_and_of_its_name(make_job: MakeJob) -> None:
    own = ("activation=custom", f"activation.function={FUNCTIONS}squareplus")
    plain, wide = make_job(*own), make_job(*own, "activation.kwargs={b: 2}")
    assert (plain.network, wide.network) == ("squareplus", "squareplus_b2")
    assert plain.folder != wide.folder


@pytest.fixture
def own_run(make_job: MakeJob) -> config.Job:
    """A finished run of a user's own function."""
    own = ("activation=custom", f"activation.function={FUNCTIONS}squareplus", "activation.kwargs={b: 2}")
    job = make_job(*own, "model.depth=3", "training.epochs=1")
    run_job(job)
    return job


def test_readers_import_nothing_that_a_run_names(
    own_run: config.Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, network, _ = load_run(own_run.folder)
    x_RBF = torch.randn(2, 50, 64, generator=torch.Generator().manual_seed(1)).mul_(3)
    for layer in network.layers:
        layer.activation = make_activation(own_run.activation, 2)  # the function itself
    wanted_RBC = network(x_RBF, EVALUATION)

    monkeypatch.setitem(sys.modules, own_functions.__name__, None)  # who imports it fails
    with pytest.raises(config.ConfigError, match="cannot be imported"):
        make_activation(own_run.activation, 2)
    job, network, _ = load_run(own_run.folder)
    assert job == own_run
    torch.testing.assert_close(network(x_RBF, EVALUATION), wanted_RBC, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(extract_replica(network, 1)(x_RBF[1]), wanted_RBC[1], rtol=1e-5, atol=1e-5)
    export_replica(own_run.folder, seed=job.seeds[0], out=tmp_path / "exported")
    exported = torch.export.load(tmp_path / "exported/network.pt2").module()
    torch.testing.assert_close(exported(x_RBF[0]), wanted_RBC[0], rtol=1e-5, atol=1e-5)
    snapshots = list(RecordedRun(own_run.folder).snapshots())
    assert [snapshot.trained for snapshot in snapshots] == [False, False, True, True]
    (folder,) = find_folders(tmp_path / "runs")
    document = make_run(folder)
    assert document["theory"]["note"].startswith("Theory: standardized inputs")
    second = document["theory"]["curves"]["activation_variance"]["second_moment"]
    assert len(second) == 3


def test_a_function_that_was_changed_is_not_taken_for_the_old_one(
    own_run: config.Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_job(own_run)  # as it was: finished, and skipped
    monkeypatch.setattr(own_functions, "squareplus", lambda z, b: torch.relu(z))
    with pytest.raises(
        config.ConfigError, match=r"is not the function any more that .* was trained with; overwrite=true"
    ):
        run_job(own_run)


def test_a_module_beside_the_command_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_alone.py").write_text("class Pack:\n    f = staticmethod(lambda z: z.tanh())\n")
    assert probe(custom("mine_alone:Pack.f"))["value_above"][-1] == 1
    (tmp_path / "mine_broken.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(config.ConfigError, match=r"cannot be imported \(SystemExit: 3\)"):
        probe(custom("mine_broken:f"))


def test_a_function_that_jumps_trains_without_a_theory_curve(make_job: MakeJob) -> None:
    job = make_job("activation=custom", f"activation.function={FUNCTIONS}jumps", "model.depth=2", "training.epochs=1")
    run_job(job)
    table = json.loads((job.folder / "activation.json").read_text())
    note = expected(job.model_dump(by_alias=True), table)["note"]
    assert note == "No theory curve: the activation jumps at 0, and the theory is for continuous ones."


BAD_TABLES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "text": {"z": ["a", "b"]},
    "a number": {"z": 3},
    "other lengths": {"z": [0, 1, 2]},
    "not increasing": {"z": [1, 0]},
    "not finite": {"value_below": [0, float("inf")]},
    "nested": {"z": [[0, 1], [2, 3]]},
    "too long": {"z": list(range(10_001))},
}


@pytest.mark.parametrize("what", BAD_TABLES)
def test_a_table_that_was_edited_by_hand_is_refused(what: str) -> None:
    good = {name: [0.0, 1.0] for name in ("z", "value_below", "value_above", "slope_below", "slope_above")}
    with pytest.raises(ValueError, match="table of the activation"):
        from_table(good | BAD_TABLES[what] if BAD_TABLES[what] else {})
