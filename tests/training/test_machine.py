"""A job that needs more than the machine has is refused in one line before a file is written."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from lightning_fabric.plugins.environments import LightningEnvironment

from selfnorm import config
from selfnorm.training import machine
from selfnorm.training.command import attempt
from selfnorm.training.job import run_job
from selfnorm.training.machine import check_machine, describe_environment, slurm

Make = Callable[..., config.Job]
TORCHRUN = {"TORCHELASTIC_RUN_ID": "1", "RANK": "0", "LOCAL_RANK": "0", "GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2"}
SRUN = {"SLURM_JOB_NAME": "train", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "0", "SLURM_NTASKS": "2"}


def environment(patch: pytest.MonkeyPatch, launcher: str, processes: int) -> None:
    for name, value in (TORCHRUN if launcher == "torchrun" else SRUN).items():
        patch.setenv(name, value)
    patch.setenv("WORLD_SIZE" if launcher == "torchrun" else "SLURM_STEP_NUM_TASKS", str(processes))


@pytest.mark.parametrize("launcher", ["torchrun", "srun"])
@pytest.mark.parametrize("processes", [2, 3])
def test_as_many_processes_must_be_started_as_the_trainer_trains_in(
    launcher: str, processes: int, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, launcher, processes)
    with pytest.raises(
        config.ConfigError, match=f"{launcher} started {processes} processes and trainer=cpu trains in 1"
    ):
        check_machine(make_job())
    if processes == 2:
        check_machine(make_job("trainer=ddp_cpu"))
    else:
        with pytest.raises(config.ConfigError, match=f"started {processes} .* trainer=ddp_cpu trains in 2"):
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
    with pytest.raises(config.ConfigError, match=words):
        check_machine(make_job("trainer=ddp_cpu"))


@pytest.mark.parametrize("step", [{}, {"SLURM_STEP_NUM_TASKS": "1"}], ids=["a script of sbatch", "one task of srun"])
def test_one_process_in_an_allocation_for_several_trains_as_anywhere(
    step: dict[str, str], make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocation = {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "train", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7"}
    for name, value in (allocation | step).items():
        monkeypatch.setenv(name, value)
    for trainer in ("cpu", "ddp_cpu"):
        check_machine(make_job(f"trainer={trainer}"))
    (environment,) = slurm()
    assert isinstance(environment, LightningEnvironment)
    assert run_job(make_job("model.depth=2", "model.width=8"))["state"] == "finished"


def test_a_launchers_variable_that_is_no_number_is_one_line(
    make_job: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "abc")
    assert attempt(make_job()) == 2
    words = "the environment variable SLURM_STEP_NUM_TASKS=abc is not a number: unset it"
    assert capsys.readouterr().err == f"train.py: {words}\n"


def test_a_data_folder_that_cannot_be_read_is_one_line(
    make_job: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)  # root may read everything
    assert attempt(make_job(f"data_dir={tmp_path}")) == 2
    words = f"data_dir={tmp_path}: {tmp_path} cannot be read (permission denied); give another"
    assert capsys.readouterr().err == f"train.py: {words}\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit; the code is said to lie in its folder `inside`."""
    (tmp_path / "inside").mkdir()
    for name in ("mine.py", "inside/machine.py"):
        (tmp_path / name).touch()
    monkeypatch.setattr(machine, "__file__", str(tmp_path / "inside/machine.py"))
    git(tmp_path, "init", "--quiet")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, encoding="utf-8"
    ).stdout.strip()


def test_the_commit_is_recorded_where_the_codes_own_files_are_tracked(checkout: Path) -> None:
    git(checkout, "add", "mine.py")
    git(checkout, "commit", "-m", "another project's")
    recorded = describe_environment()
    assert (recorded["git_commit"], recorded["git_dirty"]) == (None, None)
    git(checkout, "add", "inside")
    git(checkout, "commit", "-m", "the code")
    recorded = describe_environment()
    assert (recorded["git_commit"], recorded["git_dirty"]) == (git(checkout, "rev-parse", "HEAD"), False)
    (checkout / "inside/machine.py").write_text("changed")
    assert describe_environment()["git_dirty"] is True


def test_asking_git_writes_nothing_into_the_repository(checkout: Path) -> None:
    git(checkout, "add", "--all")
    git(checkout, "commit", "-m", "the code")
    os.utime(checkout / "mine.py", (1, 1))  # git would note that, under a lock that a kill leaves behind
    before = (checkout / ".git/index").read_bytes()
    assert describe_environment()["git_dirty"] is False
    assert (checkout / ".git/index").read_bytes() == before


def test_without_git_nobody_knows_whether_the_code_was_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    recorded = describe_environment()
    assert (recorded["git_commit"], recorded["git_dirty"]) == (None, None)


def test_several_nodes_need_whoever_starts_the_others(make_job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("trainer=ddp_cpu", "trainer.num_nodes=2")
    with pytest.raises(config.ConfigError, match=r"num_nodes=2 needs a launcher on every node"):
        check_machine(job)
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    check_machine(job)
    with pytest.raises(config.ConfigError, match="trainer=cpu trains in one process; use trainer=ddp"):
        make_job("trainer.num_nodes=2")


def test_a_network_larger_than_the_memory_is_refused(make_job: Make) -> None:
    gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    width = int((gib * 2**30 / 8 / 2) ** 0.5)  # 8 bytes a weight and its gradient; two seeds, one square layer
    with pytest.raises(config.ConfigError, match=f"need at least .* GiB of memory, of {gib:,.0f} here"):
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
