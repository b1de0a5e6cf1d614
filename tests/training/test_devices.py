"""What the machine lacks is one error before a file is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from selfnorm import config
from selfnorm.training.devices import DeviceUnavailable, check_machine
from selfnorm.training.job import attempt

Make = Callable[..., config.Job]
TORCHRUN = {"TORCHELASTIC_RUN_ID": "1", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
SRUN = {"SLURM_JOB_NAME": "train", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "0"}


def environment(patch: pytest.MonkeyPatch, launcher: str, processes: int) -> None:
    for name, value in (TORCHRUN if launcher == "torchrun" else SRUN).items():
        patch.setenv(name, value)
    patch.setenv("WORLD_SIZE" if launcher == "torchrun" else "SLURM_NTASKS", str(processes))


@pytest.mark.parametrize("launcher", ["torchrun", "srun"])
@pytest.mark.parametrize("processes", [2, 3])
def test_as_many_processes_must_be_started_as_the_trainer_trains_in(
    launcher: str, processes: int, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, launcher, processes)
    with pytest.raises(
        DeviceUnavailable, match=f"{launcher} started {processes} processes and trainer=cpu trains in 1"
    ):
        check_machine(make_job())
    if processes == 2:
        check_machine(make_job("trainer=ddp_cpu"))
    else:
        with pytest.raises(DeviceUnavailable, match=f"started {processes} .* trainer=ddp_cpu trains in 2"):
            check_machine(make_job("trainer=ddp_cpu"))


@pytest.mark.parametrize(
    ("a_node", "nodes", "words"),
    [
        (None, "1", "its 2 processes a node has; start it with --nodes=1 --ntasks-per-node=2"),
        ("1", "2", "1 processes on each of 2 nodes; say trainer.devices=1 trainer.num_nodes=2"),
    ],
)
def test_sruns_processes_must_lie_on_the_nodes_as_the_trainers_do(
    a_node: str | None, nodes: str, words: str, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, "srun", 2)
    monkeypatch.setenv("SLURM_NNODES", nodes)
    if a_node:
        monkeypatch.setenv("SLURM_NTASKS_PER_NODE", a_node)
    else:
        monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(DeviceUnavailable, match=words):
        check_machine(make_job("trainer=ddp_cpu"))


def test_several_nodes_need_whoever_starts_the_others(make_job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("trainer=ddp_cpu", "trainer.num_nodes=2")
    with pytest.raises(DeviceUnavailable, match=r"num_nodes=2 needs a launcher on every node"):
        check_machine(job)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    check_machine(job)
    with pytest.raises(config.ConfigError, match="trainer=cpu trains in one process; use trainer=ddp"):
        make_job("trainer.num_nodes=2")


def test_a_network_larger_than_the_memory_is_refused(make_job: Make) -> None:
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    width = int((gib * 2**30 / 8 / 2) ** 0.5)  # 8 bytes a weight and its gradient; two seeds, one square layer
    with pytest.raises(DeviceUnavailable, match=f"need at least .* GiB of memory, of {gib:,.0f} here"):
        check_machine(make_job(f"model.width={width + 1}", "model.depth=2"))
    check_machine(make_job(f"model.width={width // 2}", "model.depth=2"))


@pytest.mark.parametrize("key", ["runs_dir", "data_dir"])
def test_a_file_where_a_folder_belongs_is_one_line(
    key: str, make_job: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for folder in ("file", "file/below"):
        assert attempt(make_job(f"{key}={tmp_path / folder}")) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"train.py: {key}={tmp_path / folder}: ")
        assert said.count("\n") == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["file"]
