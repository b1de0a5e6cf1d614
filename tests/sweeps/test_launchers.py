"""One sweep through every launcher: the same curves; and what a launcher needs is said before anything is made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest
from command import train
from composed import ROOT, compose_job
from omegaconf import OmegaConf

from selfnorm.config import ConfigError
from selfnorm.runs.state import is_free
from selfnorm.sweeps import check
from selfnorm.sweeps.compose import composed

# conf/ has launchers of the plugins' names on purpose; train.py silences Hydra's remark, the tests compose themselves
pytestmark = pytest.mark.filterwarnings(r"ignore:\s*'hydra/launcher/\w+' is validated against")

CELLS = ("-m", "activation=relu", "model.depth=2,3", "optimizer.lr=1e-5,1e9")
FAST = ("dataset=digits", "scale=smoke", "logger.mode=disabled", "progress=false")
RAY = ("hydra/launcher=ray", "hydra.launcher.ray.init.num_cpus=2")


def curves(runs: Path) -> dict[str, bytes]:
    """Every cell's files of numbers, byte for byte."""
    names = ("curves.csv", "moments.csv")
    return {str(path.relative_to(runs)): path.read_bytes() for name in names for path in sorted(runs.rglob(name))}


@pytest.fixture(scope="module")
def basic(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    runs = tmp_path_factory.mktemp("basic")
    assert train(*CELLS, *FAST, f"runs_dir={runs}").returncode == 3
    return curves(runs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher",
    [("hydra/launcher=joblib",), ("hydra/launcher=submitit_local",), RAY],
    ids=["joblib, two processes", "submitit, local executor", "Ray, two workers"],
)
def test_a_launcher_gives_the_curves_of_the_basic_one_byte_for_byte(
    launcher: tuple[str, ...], basic: dict[str, bytes], tmp_path: Path
) -> None:
    done = train(*CELLS, *FAST, *launcher, f"runs_dir={tmp_path}/runs", cwd=tmp_path)
    assert len(basic) == 8  # two files of four cells
    assert curves(tmp_path / "runs") == basic
    assert done.returncode == 3, done.stderr  # two cells diverge
    assert "2 of 4 cells are finished" in done.stderr
    assert done.stderr.count("\nfailed: ") == 2
    assert "UserWarning" not in done.stderr


@pytest.mark.parametrize("choice", ["joblib", "submitit_local", "submitit_slurm", "ray"])
def test_a_missing_extra_is_named_with_the_command_that_brings_it(
    choice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(check, "version", missing)
    config = composed(f"hydra/launcher={choice}")
    with pytest.raises(SystemExit, match="2"):
        check.SweepCheck().on_multirun_start(config)
    extra = choice if choice in ("joblib", "ray") else "slurm"
    expected = f"train.py: hydra/launcher={choice} needs an extra: pip install --editable '.[{extra}]'\n"
    assert capsys.readouterr().err == expected


def test_the_extras_are_those_of_the_package() -> None:
    asked = metadata.requires("selfnorm") or []
    for plugin, extra in check.EXTRAS.items():
        assert any(line.startswith(plugin) and f'extra == "{extra}"' in line for line in asked), plugin


def test_the_slurm_job_has_its_time_limit_gpus_signal_and_requeue(tmp_path: Path) -> None:
    config = composed(
        "hydra/launcher=submitit_slurm", "hydra.launcher.partition=short", "hydra.launcher.timeout_min=90"
    )
    script = slurm_script(OmegaConf.to_container(config.hydra.launcher), tmp_path)
    for flag in ("time=90", "gpus-per-node=1", "cpus-per-task=4", "mem=16GB", "partition=short", "nodes=1",
                 "signal=USR2@120", "requeue", "ntasks-per-node=1", "job-name=train"):  # fmt: skip
        assert f"#SBATCH --{flag}\n" in script, flag
    assert "\nsrun " in script
    assert "submitit.core._submit" in script


def slurm_script(launcher: object, folder: Path) -> str:
    """The script that sbatch would get, made by submitit as the launcher's plugin asks for it."""
    import submitit
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

    assert isinstance(launcher, dict)
    own = {"_target_", "submitit_folder", "max_num_timeout"}
    shared = set(OmegaConf.structured(BaseQueueConf).keys())
    asked = {key if key in shared else f"slurm_{key}": value for key, value in launcher.items() if key not in own}
    asked["name"] = "train"  # ${hydra.job.name} before a job
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submitit.SlurmExecutor, "affinity", lambda *_: 2)  # as if srun were here
        executor = submitit.AutoExecutor(folder=folder, cluster="slurm", slurm_max_num_timeout=20)
        executor.update_parameters(**asked)
        inner = executor._executor
        return str(inner._make_submission_file_text(inner._submitit_command_str, "uid"))


def test_processes_in_a_sweep_are_refused_before_a_cell() -> None:
    with pytest.raises(ConfigError, match="each process would start the whole sweep"):
        check.refuse_processes(compose_job("dataset=digits", "trainer=ddp_cpu"))


@pytest.mark.slow
def test_a_cell_in_training_is_left_alone_and_a_killed_worker_holds_nothing(tmp_path: Path) -> None:
    cell = ("activation=relu", "model.depth=2", "training.epochs=100000", *FAST, f"runs_dir={tmp_path}/runs")
    command = [sys.executable, str(ROOT / "train.py"), *cell]
    worker = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, env=os.environ)
    try:
        deadline = time.monotonic() + 120
        while not (found := list(tmp_path.glob("runs/*/*/*/*/curves.csv"))) and time.monotonic() < deadline:
            time.sleep(0.1)
        folder = found[0].parent
        second = train("-m", *cell, "hydra/launcher=joblib", cwd=tmp_path)
        assert second.returncode == 0, second.stderr
        assert f"left to the process that trains it: {folder}" in second.stderr
        assert f"still trained by another process: {folder}" in second.stderr
        assert not is_free(folder)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait(timeout=30)
    assert is_free(folder)
