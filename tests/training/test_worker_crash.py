"""A job or a sweep in several processes: one is killed, or the one that started them; the same command goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from composed import ROOT
from tools.fork_server import ForkServer
from training.crashing import ARGUMENTS, MODULES, Files, files

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LONG = [*(argument for argument in ARGUMENTS if "epochs" not in argument), "training.epochs=60"]  # 240 steps, seconds
SHARDS = (*LONG, "trainer.shard=seeds", "trainer.devices=2")
SWEEP = ("-m", "optimizer.lr=1e-5,1e-4,1e-3", *LONG)
JOBLIB = (*SWEEP, "hydra/launcher=joblib")
AT = "selfnorm.training.passes"  # when this is imported, torch is already, which watching would slow down
STEP_20 = ("training/module.py", "training_step", 20)


def train(cwd: Path, *arguments: str, fate: tuple[Any, ...]) -> subprocess.CompletedProcess[str]:
    """Returns when the last of the processes has ended that the command started: they share its stderr."""
    fated = {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests/tools/fated"), os.environ.get("PYTHONPATH", "")]),
        "FATE": json.dumps(fate),
        "AT": AT,
    }
    return subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=120, env=os.environ | fated,
    )  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer(*MODULES) as running:
        yield running


@pytest.fixture(scope="module")
def calm_shards(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return to_the_end(server, tmp_path_factory.mktemp("calm"), *SHARDS)


@pytest.fixture(scope="module")
def calm_sweep(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return to_the_end(server, tmp_path_factory.mktemp("calm"), *SWEEP)


def to_the_end(server: ForkServer, cwd: Path, *arguments: str) -> Files:
    ended = server.run("train.py", arguments, cwd)
    assert ended.code == 0, ended
    return files(cwd)


def states(cwd: Path) -> set[str]:
    return {json.loads(path.read_text())["state"] for path in cwd.glob("runs/**/summary.json")}


def test_shards_end_when_the_process_that_started_them_is_killed(
    server: ForkServer, calm_shards: Files, tmp_path: Path
) -> None:
    done = train(tmp_path, *SHARDS, fate=("signal_the_parent_in", *STEP_20))
    assert done.returncode == -signal.SIGKILL
    assert states(tmp_path) <= {"running", "interrupted"}  # none has trained to its end
    assert to_the_end(server, tmp_path, *SHARDS) == calm_shards


def test_a_shard_that_is_killed_is_one_line(server: ForkServer, calm_shards: Files, tmp_path: Path) -> None:
    done = train(tmp_path, *SHARDS, fate=("one_dies_in", *STEP_20))
    assert done.returncode == 1, done.stderr
    assert "train.py: the process of seeds [" in done.stderr
    assert "] failed; the same command goes on with what is missing\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert to_the_end(server, tmp_path, *SHARDS) == calm_shards


def test_shards_end_with_the_process_that_is_terminated(server: ForkServer, calm_shards: Files, tmp_path: Path) -> None:
    done = train(tmp_path, *SHARDS, fate=("signal_the_parent_in", *STEP_20, signal.SIGTERM))
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert "interrupted; the same command goes on from the last checkpoint" in done.stderr
    assert states(tmp_path) <= {"running", "interrupted"}
    assert to_the_end(server, tmp_path, *SHARDS) == calm_shards


def test_the_workers_of_a_sweep_end_when_the_process_that_started_them_is_killed(
    server: ForkServer, calm_sweep: Files, tmp_path: Path
) -> None:
    done = train(tmp_path, *JOBLIB, fate=("signal_the_parent_in", *STEP_20))
    assert done.returncode == -signal.SIGKILL
    assert states(tmp_path) <= {"running", "interrupted"}
    assert to_the_end(server, tmp_path, *JOBLIB) == calm_sweep
