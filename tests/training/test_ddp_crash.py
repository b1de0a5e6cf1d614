"""One of two processes of a job dies: the other ends too, and the same command goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from composed import ROOT
from training.crashing import ARGUMENTS, Files, files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
# batches of 128 in stored order, two in each chunk of 1024; 3000 steps are long enough to be hit in the middle
DDP = [*ARGUMENTS, "trainer=ddp_cpu", "dataset.train_limit=null"]


def start(cwd: Path) -> subprocess.Popen[str]:
    cwd.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *DDP], cwd=cwd, stderr=subprocess.PIPE, text=True, env=os.environ
    )


def finish(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return errors


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of an undisturbed run."""
    cwd = tmp_path_factory.mktemp("calm")
    finish(start(cwd))
    return files(cwd)


def wait_until(condition: Callable[[], object], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing came of it"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the other process by /proc")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_job_whose_process_dies_ends_and_the_same_command_finishes_it(rank: int, calm: Files, tmp_path: Path) -> None:
    cwd = tmp_path / "hit"
    process = start(cwd)
    wait_until(lambda: list(cwd.glob("runs/*/*/*/*/checkpoint.ckpt")), seconds=200)
    (other,) = children(process.pid)
    os.kill(process.pid if rank == 0 else other, signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == (-signal.SIGKILL if rank == 0 else 1), errors
    wait_until(lambda: not Path(f"/proc/{other}").exists(), seconds=120)
    finish(start(cwd))
    assert files(cwd) == calm


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the other process by /proc")
@pytest.mark.parametrize(
    ("number", "whom"),
    [(signal.SIGTERM, "rank 0"), (signal.SIGTERM, "rank 1"), (signal.SIGTERM, "both"), (signal.SIGUSR1, "rank 1")],
)
def test_a_signal_to_any_process_stops_both_after_the_same_batch(
    number: signal.Signals, whom: str, calm: Files, tmp_path: Path
) -> None:
    cwd = tmp_path / "hit"
    process = start(cwd)
    wait_until(lambda: list(cwd.glob("runs/*/*/*/*/checkpoint.ckpt")), seconds=200)
    (other,) = children(process.pid)
    for pid in {"rank 0": [process.pid], "rank 1": [other], "both": [process.pid, other]}[whom]:
        os.kill(pid, number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert errors.startswith("interrupted; the same command goes on from the last checkpoint: runs/default/digits/")
    assert errors.count("\n") == 1, errors
    wait_until(lambda: not Path(f"/proc/{other}").exists(), seconds=120)
    finish(start(cwd))
    assert files(cwd) == calm
