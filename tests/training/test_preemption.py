"""A scheduler's signals: a checkpoint in the middle of an epoch, and a curve as if nothing had happened."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from composed import ROOT
from lightning_fabric.plugins.environments import SLURMEnvironment

from selfnorm import config
from selfnorm.training import job as job_module
from selfnorm.training.checkpoints import SIGNALS
from selfnorm.training.job import make_trainer, run_job

Make = Callable[..., config.Job]
OVERRIDES = ("training.epochs=4", "dropout=alpha", "dropout.rate=0.1", "optimizer.momentum=0.9")


class Signal(pl.Callback):
    """Sends a signal to this very process after a batch, as a scheduler does."""

    def __init__(self, number: signal.Signals, step: int) -> None:
        self.number, self.step = number, step

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), self.number)


def numbers(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("curves.csv", "moments.csv", "network.safetensors")]


@pytest.mark.parametrize(
    "step",
    [6, 16, *(pytest.param(step, marks=pytest.mark.slow) for step in (1, 8, 15))],
    ids=lambda step: f"step {step} of 16",
)
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_preempted_run_loses_no_step_and_ends_as_an_undisturbed_one(
    number: signal.Signals, step: int, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = make_job(*OVERRIDES, "recording.errors_per_epoch=4", "tag=quiet")
    run_job(quiet)
    disturbed = quiet.model_copy(update={"tag": "disturbed"})
    with monkeypatch.context() as patch:
        patch.setattr(job_module, "make_trainer", lambda job, calls: make_trainer(job, [Signal(number, step), *calls]))
        code = 128 + (signal.SIGINT if number == signal.SIGINT else signal.SIGTERM)
        with pytest.raises(SystemExit, match=str(code)):
            run_job(disturbed)
    assert (disturbed.folder / "checkpoint.ckpt").exists() is (step < 16)  # 30 s have not passed: it is the signal's
    resumed_at: list[int] = []

    class Watch(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *rest: Any) -> None:
            resumed_at.append(trainer.global_step)

    monkeypatch.setattr(job_module, "make_trainer", lambda job, calls: make_trainer(job, [*calls, Watch()]))
    run_job(disturbed)
    assert resumed_at == list(range(step % 16, 16))  # no batch twice, none left out
    assert numbers(disturbed.folder) == numbers(quiet.folder)


@pytest.mark.parametrize("place", ["load_splits", "ReplicaDataModule", "make_trainer"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_before_the_first_step_leaves_no_run_that_seems_to_be_trained(
    number: signal.Signals, place: str, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class InSetup(pl.Callback):
        def setup(self, *_: Any, **__: Any) -> None:
            os.kill(os.getpid(), number)

    original = getattr(job_module, place)

    def signalled(*arguments: Any, **options: Any) -> Any:
        if place == "make_trainer":
            return original(arguments[0], [*arguments[1], InSetup()])
        os.kill(os.getpid(), number)
        return original(*arguments, **options)

    job = make_job(*OVERRIDES)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with monkeypatch.context() as patch:
        patch.setattr(job_module, place, signalled)
        with pytest.raises(SystemExit, match=str(130 if number == signal.SIGINT else 143)):
            run_job(job)
    assert json.loads((job.folder / "summary.json").read_text())["state"] == "interrupted"
    assert not (job.folder / "checkpoint.ckpt").exists()
    assert {number: signal.getsignal(number) for number in SIGNALS} == before
    assert run_job(job)["state"] == "finished"


def test_a_second_ctrl_c_does_not_wait_for_the_batch(make_job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    class Twice(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *rest: Any) -> None:
            if trainer.global_step == 6:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    job = make_job(*OVERRIDES)
    monkeypatch.setattr(job_module, "make_trainer", lambda job, calls: make_trainer(job, [*calls, Twice()]))
    with pytest.raises(SystemExit, match="130"):
        run_job(job)
    assert not (job.folder / "checkpoint.ckpt").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP], ids=["a shell's background job", "nohup"])
def test_a_signal_that_is_ignored_on_purpose_stays_ignored(
    number: signal.Signals, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        kill = Signal(number, 6)
        monkeypatch.setattr(job_module, "make_trainer", lambda job, calls: make_trainer(job, [kill, *calls]))
        assert run_job(make_job(*OVERRIDES))["state"] == "finished"
    finally:
        signal.signal(number, before)


@pytest.mark.slow
def test_a_closed_terminal_ends_a_run_with_a_checkpoint(make_job: Make, tmp_path: Path) -> None:
    job = make_job()
    command = [sys.executable, str(ROOT / "train.py"), "dataset=digits", "scale=smoke", f"runs_dir={tmp_path}/runs",
               "training.epochs=100000", "training.checkpoint_seconds=1e9", "logger.mode=disabled"]  # fmt: skip
    terminal, side_of_the_job = os.openpty()
    termios.tcsetwinsize(side_of_the_job, (24, 80))  # no bar is drawn in a terminal without columns
    process = subprocess.Popen(
        command, stdin=side_of_the_job, stdout=side_of_the_job, stderr=side_of_the_job, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY),  # its own terminal, as a shell's
    )  # fmt: skip
    os.close(side_of_the_job)
    said = b""
    while b"error" not in said:  # the progress bar after the first epoch
        said += os.read(terminal, 1000)
    os.close(terminal)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    (folder,) = {path.parent for path in (tmp_path / "runs").rglob("summary.json")}
    assert json.loads((folder / "summary.json").read_text())["state"] == "interrupted"
    assert (folder / "checkpoint.ckpt").exists()
    assert folder.parent == job.folder.parent


def test_who_handled_the_warning_before_comes_after_the_checkpoint_and_again_later(
    make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(*OVERRIDES)
    seen: list[bool] = []

    def requeue(number: int, frame: Any) -> None:  # as submitit's: puts the job back, then ends the process
        seen.append((job.folder / "checkpoint.ckpt").exists())
        raise SystemExit(255)

    before = signal.signal(signal.SIGUSR2, requeue)
    try:
        kill = Signal(signal.SIGUSR2, 6)
        monkeypatch.setattr(job_module, "make_trainer", lambda job, calls: make_trainer(job, [kill, *calls]))
        with pytest.raises(SystemExit):
            run_job(job)
        assert signal.getsignal(signal.SIGUSR2) is requeue
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert seen == [True]


@pytest.mark.parametrize("step", [6, None], ids=["ended", "finished"])
def test_after_a_job_a_signal_does_what_it_did_before(
    step: int | None, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    if step:
        kill = Signal(signal.SIGTERM, step)
        monkeypatch.setattr(job_module, "make_trainer", lambda job, calls: make_trainer(job, [kill, *calls]))
    with pytest.raises(SystemExit) if step else nullcontext():
        run_job(make_job(*OVERRIDES))
    assert {number: signal.getsignal(number) for number in SIGNALS} == before  # between the cells of a sweep, say


def test_under_srun_ranks_are_slurms_and_nothing_is_requeued_by_lightning(
    make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    srun = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "1", "SLURM_LOCALID": "1",
            "SLURM_NODEID": "0", "SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "train", "SLURM_NODELIST": "node1",
            "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2"}  # fmt: skip
    for name, value in srun.items():
        monkeypatch.setenv(name, value)
    trainer = make_trainer(make_job("trainer=ddp_cpu"), [])
    environment = trainer._accelerator_connector.cluster_environment
    assert isinstance(environment, SLURMEnvironment)
    assert not environment.auto_requeue
    assert (trainer.world_size, trainer.global_rank) == (2, 1)
