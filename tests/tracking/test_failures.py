"""A failing server, service, process or key of W&B costs a run one warning and no row."""

from __future__ import annotations

import csv
import gc
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import wandb
from _pytest.mark import ParameterSet
from composed import ROOT
from tracking.fake_wandb import FakeRun, FakeWandb

from selfnorm import config
from selfnorm.afterwards import last_values
from selfnorm.analysis.runs import load_runs
from selfnorm.runs.state import claim
from selfnorm.tracking import mirror as mirror_module
from selfnorm.tracking.mirror import Mirror
from selfnorm.tracking.uploading import upload
from selfnorm.training.job import run_job

Make = Callable[..., config.Job]
Warned = Callable[[], list[str]]
ONLINE = "logger.mode=online"
STEPS = [0, 4, 8, 12]  # of a job of three epochs at smoke scale
FEW = "training.epochs=3"


def slow(*values: object) -> ParameterSet:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror_module, "INIT_SECONDS", 2.0)
    monkeypatch.setattr(mirror_module, "FINISH_SECONDS", 2.0)
    monkeypatch.setattr(mirror_module, "LET_GO_SECONDS", 2.0)


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.WARNING, logger="selfnorm")
    return lambda: [r.getMessage() for r in caplog.records if r.getMessage().startswith("W&B:")]


def once_at_step(monkeypatch: pytest.MonkeyPatch, step: int, action: Callable[[], object]) -> None:
    """Do something just before the rows of a step are logged."""
    log, done = Mirror.log, []

    def acting(self: Mirror, at: dict[str, int], *rows: object) -> None:
        if at["step"] == step and not done:
            done.append(step)
            action()
        log(self, at, *rows)  # type: ignore[arg-type]

    monkeypatch.setattr(Mirror, "log", acting)


def kill_wandb_core() -> None:
    """The service that this process started, by its id."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition(") ")
        except OSError:
            continue
        if name.endswith("(wandb-core") and int(rest.split()[1]) == os.getpid():
            pid = int(stat.parent.name)
            os.kill(pid, signal.SIGKILL)
            for started in gc.get_objects():
                if type(started) is subprocess.Popen and started.pid == pid:
                    started.wait(10)  # W&B does not, and Python warns of it


def send(folder: Path, server: FakeWandb) -> FakeRun:
    """Send what is missing as the warning says, twice, and hand out the run that has arrived."""
    for _ in range(2):
        wandb.teardown()
        upload(folder, last_values)
    return server.runs[(folder / "wandb_id").read_text()]


def steps_of(run: FakeRun) -> list[int]:
    return [row["step"] for row in run.history if "train/loss_n" in row]


def assert_complete(folder: Path) -> None:
    with (folder / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted({int(row["step"]) for row in rows}) == STEPS
    assert '"finished"' in (folder / "summary.json").read_text()


def test_online_rows_pictures_and_state_arrive(make_job: Make, server: FakeWandb, warnings_of: Warned) -> None:
    job = make_job(ONLINE, FEW, "logger.project=mine")
    run_job(job, last_values=last_values)
    (run,) = server.runs.values()
    assert (run.project, run.exit_code, steps_of(run)) == ("mine", 0, STEPS)
    assert run.summary["state"] == "finished"
    assert {name.split("_")[0] for name in run.uploads if name.startswith("media/")} == {
        "media/images/pictures/error",
        "media/images/pictures/layers",
        "media/images/pictures/theory",
    }
    assert not warnings_of()
    assert not load_runs(Path(job.runs_dir)).skipped  # W&B's own folder in the run's is not taken for a run


def test_what_has_arrived_is_not_sent_again(make_job: Make, server: FakeWandb, warnings_of: Warned) -> None:
    job = make_job(ONLINE, FEW)
    run_job(job, last_values=last_values)
    (run,) = server.runs.values()
    rows, pictures = len(run.history), len(run.uploads)
    assert send(job.folder, server) is run
    assert (steps_of(run), len(run.history), len(run.uploads)) == (STEPS, rows, pictures)
    assert not warnings_of()


def test_an_offline_run_is_sent_with_its_pictures_once(make_job: Make, server: FakeWandb, warnings_of: Warned) -> None:
    job = make_job("logger.mode=offline", FEW)
    run_job(job, last_values=last_values)
    run = send(job.folder, server)
    assert (steps_of(run), len(run.history)) == (STEPS, len(STEPS) + 1)
    assert (run.summary["state"], run.exit_code) == ("finished", 0)
    assert not warnings_of()


def test_what_is_no_run_or_in_training_is_not_sent(make_job: Make, server: FakeWandb, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a run: give a folder with"):
        upload(tmp_path, last_values)
    job = make_job("logger.mode=offline")
    run_job(job)
    with claim(job.folder, wait=False), pytest.raises(ValueError, match="is in training: wait until it ends"):
        upload(job.folder, last_values)


@pytest.mark.slow
def test_no_room_for_wandbs_own_file_is_one_warning(
    make_job: Make, server: FakeWandb, warnings_of: Warned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(self: Mirror, at: dict[str, int], *rows: object) -> None:
        if at["step"] < 8:
            log(self, at, *rows)  # type: ignore[arg-type]
        else:
            self.last_step = at["step"]  # W&B took the row, and found no room for it in its file

    log = Mirror.log
    with monkeypatch.context() as patch:
        patch.setattr(Mirror, "log", cut_off)
        job = make_job("logger.mode=offline", FEW)
        run_job(job)
    (warning,) = warnings_of()
    assert f"the rows did not all go into {job.folder}/wandb/offline-run-" in warning
    assert "scripts/upload.py" in warning
    assert steps_of(send(job.folder, server)) == STEPS


@pytest.mark.parametrize("mode", ["401", slow("500"), slow("hang")])
def test_a_server_that_fails_at_the_start_means_one_warning_and_all_rows_after_an_upload(
    mode: str, make_job: Make, server: FakeWandb, warnings_of
) -> None:
    server.mode = mode
    job = make_job(ONLINE, FEW)
    run_job(job)
    assert_complete(job.folder)
    (warning,) = warnings_of()
    assert warning.endswith(f"Send what is missing later with: python scripts/upload.py {job.folder}")
    server.mode = "ok"
    assert steps_of(send(job.folder, server)) == STEPS


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["fs500", "hang"])
def test_a_server_that_fails_in_mid_run_means_one_warning_and_all_rows_after_an_upload(
    trouble: str, make_job: Make, server: FakeWandb, warnings_of: Warned, monkeypatch: pytest.MonkeyPatch
) -> None:
    once_at_step(monkeypatch, 4, lambda: setattr(server, "mode", trouble))
    job = make_job(ONLINE, FEW)
    run_job(job)
    assert_complete(job.folder)
    (warning,) = warnings_of()
    assert warning.endswith(f"Send what is missing later with: python scripts/upload.py {job.folder}")
    server.mode = "ok"
    assert steps_of(send(job.folder, server)) == STEPS


@pytest.mark.slow
def test_a_server_that_dies_in_mid_run_means_one_warning_and_a_whole_run(
    make_job: Make, server: FakeWandb, warnings_of: Warned, monkeypatch: pytest.MonkeyPatch
) -> None:
    once_at_step(monkeypatch, 4, server.die)
    job = make_job(ONLINE, FEW)
    run_job(job)
    assert_complete(job.folder)
    (warning,) = warnings_of()
    assert "scripts/upload.py" in warning
    with FakeWandb() as other:
        monkeypatch.setenv("WANDB_BASE_URL", other.url)
        assert steps_of(send(job.folder, other)) == STEPS


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "seconds"), [("offline", 0.0), ("online", 2.5)], ids=["its file still empty", "its file with rows"]
)
def test_a_killed_wandb_core_means_one_warning_and_all_rows_after_an_upload(
    mode: str, seconds: float, make_job: Make, server: FakeWandb, warnings_of: Warned, monkeypatch: pytest.MonkeyPatch
) -> None:
    once_at_step(monkeypatch, 8, lambda: (time.sleep(seconds), kill_wandb_core()))
    job = make_job(f"logger.mode={mode}", FEW)
    run_job(job)
    assert_complete(job.folder)
    (warning,) = warnings_of()
    assert "scripts/upload.py" in warning
    assert steps_of(send(job.folder, server)) == STEPS


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["online", "offline"])
def test_a_run_that_was_killed_and_goes_on_has_every_row_once(
    mode: str, make_job: Make, server: FakeWandb, warnings_of: Warned, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(f"logger.mode={mode}", "training.epochs=20", "training.checkpoint_seconds=0")
    command = ["dataset=digits", "scale=smoke", "progress=false", f"runs_dir={job.runs_dir}", f"logger.mode={mode}"]
    command += ["training.epochs=20", "training.checkpoint_seconds=0"]
    with subprocess.Popen([sys.executable, str(ROOT / "train.py"), *command], cwd=ROOT) as killed:
        curves = job.folder / "curves.csv"
        while not curves.exists() or curves.read_text().count("\n") < 20:
            assert killed.poll() is None
            time.sleep(0.02)
        killed.kill()
    run_job(job)
    assert not warnings_of()
    run = send(job.folder, server) if mode == "offline" else next(iter(server.runs.values()))
    assert steps_of(run) == list(range(0, 81, 4))
    assert run.exit_code == 0
