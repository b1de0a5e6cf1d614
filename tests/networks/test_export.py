"""A network that leaves the run folder gives the same outputs, in torch alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from compared import NETWORKS
from safetensors.torch import load_file, load_model, save_file
from torch import nn

from selfnorm import config
from selfnorm.networks.export import export_replica, extract_replica, load_run
from selfnorm.networks.layers import EVALUATION, Phase
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.training.job import run_job


@pytest.mark.parametrize("depth", [1, 4, 5])
@pytest.mark.parametrize("overrides", NETWORKS.values(), ids=NETWORKS.keys())
def test_extracted_replica_gives_the_same_outputs(
    overrides: tuple[str, ...], depth: int, make_job: Callable[..., config.Job]
) -> None:
    network = ReplicaMLP(make_job(f"model.depth={depth}", "seeds=[2,4]", *overrides), 64, 10)
    x_BF = torch.randn(32, 64, generator=torch.Generator().manual_seed(0)) + 0.5
    network(x_BF.expand(2, -1, -1), Phase(32, learning=True))  # running statistics that are not the initial ones
    expected_BC = network(x_BF.expand(2, -1, -1), EVALUATION)[1]
    torch.testing.assert_close(extract_replica(network, 1)(x_BF), expected_BC, rtol=1e-4, atol=1e-5)


def test_a_plain_network_is_made_of_torchs_own_layers(make_job: Callable[..., config.Job]) -> None:
    network = ReplicaMLP(make_job("model.depth=2", "normalization=batch"), 64, 10)
    kinds = [type(module) for module in extract_replica(network, 0)]
    assert kinds == [nn.Linear, nn.SELU, nn.BatchNorm1d, nn.Linear, nn.SELU, nn.BatchNorm1d, nn.Linear]


@pytest.mark.slow
def test_an_exported_program_runs_without_this_package(make_job: Callable[..., config.Job], tmp_path: Path) -> None:
    job = make_job("normalization=batch", "activation=relu", "model.depth=3")
    run_job(job)
    sequential = export_replica(job.folder, seed=1, out=tmp_path / "out")
    _, network, standardization = load_run(job.folder)
    about = json.loads((tmp_path / "out/export.json").read_text())
    assert about["input_mean"] == standardization["input_mean_F"].tolist()
    assert len(about["input_std"]) == 64
    x_BF = torch.randn(7, 64, generator=torch.Generator().manual_seed(0))
    expected_BC = network(x_BF.expand(2, -1, -1), EVALUATION)[1]
    torch.save(x_BF, tmp_path / "x.pt")
    code = (
        "import sys, torch\n"
        "y = torch.export.load('out/network.pt2').module()(torch.load('x.pt'))\n"
        "assert 'selfnorm' not in sys.modules\n"
        "torch.save(y, 'y.pt')\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=120, cwd=tmp_path)
    torch.testing.assert_close(torch.load(tmp_path / "y.pt"), expected_BC, rtol=1e-4, atol=1e-5)
    load_model(sequential, tmp_path / "out/network.safetensors")  # names and shapes are the Sequential's own
    assert load_file(tmp_path / "out/network.safetensors").keys() == sequential.state_dict().keys()


def test_export_names_the_seeds_that_there_are(make_job: Callable[..., config.Job], tmp_path: Path) -> None:
    job = make_job("training.epochs=1")
    run_job(job)
    with pytest.raises(ValueError, match=r"seed 9 is not in .*; it has 0, 1"):
        export_replica(job.folder, seed=9, out=tmp_path / "out")
    with pytest.raises(ValueError, match="holds no finished run"):
        export_replica(tmp_path, seed=0, out=tmp_path / "out")


def test_a_seed_that_diverged_is_not_exported(make_job: Callable[..., config.Job], tmp_path: Path) -> None:
    job = make_job("model.depth=2")
    run_job(job)
    state = load_file(job.folder / "network.safetensors")
    state["output.weight_RIO"][1, 0, 0] = torch.nan
    save_file(state, job.folder / "network.safetensors")
    summary = json.loads((job.folder / "summary.json").read_text())
    (job.folder / "summary.json").write_text(json.dumps(summary | {"digests": {}}))
    with pytest.raises(ValueError, match=r"^seed 1 of .* diverged: its weights are not finite$"):
        export_replica(job.folder, seed=1, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    export_replica(job.folder, seed=0, out=tmp_path / "out")


def test_weights_followed_by_endless_zeros_are_refused_at_once(make_job: Callable[..., config.Job]) -> None:
    job = make_job("training.epochs=1")
    run_job(job)
    os.truncate(job.folder / "network.safetensors", 2**36)  # takes no room on the disk, and a minute to read
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"network.safetensors is not as the run wrote it"):
        load_run(job.folder)
    assert time.monotonic() - started < 5
