"""The API key: never printed, never stored, and never asked for at a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from composed import ROOT
from tracking.fake_wandb import KEY, FakeWandb

from selfnorm import config
from selfnorm.dashboard.publishing import publish
from selfnorm.training.job import run_job

Make = Callable[..., config.Job]
SMOKE = ["dataset=digits", "scale=smoke", "progress=false", "logger.mode=online"]


def files_with_key(folder: Path) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    return [path for path in files if KEY.encode() in path.read_bytes()]


@pytest.mark.parametrize("mode", ["ok", "401", pytest.param("fs500", marks=pytest.mark.slow)])
def test_the_key_is_in_no_file_of_a_run_and_in_no_line_of_its_output(
    mode: str, make_job: Make, server: FakeWandb, capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr("selfnorm.tracking.mirror.FINISH_SECONDS", 3.0)
    server.mode = mode
    run_job(make_job("logger.mode=online"))
    assert not files_with_key(tmp_path)
    assert KEY not in "".join(capfd.readouterr())
    assert KEY not in caplog.text


@pytest.mark.slow
def test_the_key_is_in_no_dashboard(server: FakeWandb, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    publish(None, (), None, "p", tmp_path / "spec.json")
    lines = publish(None, (), None, "p", None)
    said = "".join(capfd.readouterr())
    for text in (str(server.views), *lines, said, (tmp_path / "spec.json").read_text()):
        assert KEY not in text


@pytest.mark.slow
def test_without_a_key_nothing_is_asked_at_a_terminal(tmp_path: Path) -> None:
    """W&B itself would wait for an answer for ever."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    environment |= {"NETRC": str(tmp_path / "netrc"), "HOME": str(tmp_path), "WANDB_BASE_URL": "http://127.0.0.1:9"}
    ours, terminal = pty.openpty()
    command = [sys.executable, str(ROOT / "train.py"), *SMOKE, f"runs_dir={tmp_path}/runs"]
    with subprocess.Popen(command, env=environment, stdin=terminal, stdout=terminal, stderr=terminal) as job:
        os.close(terminal)
        said = b""
        started = time.monotonic()
        while time.monotonic() - started < 120:
            try:
                part = os.read(ours, 4096)
            except OSError:  # the other side has closed
                break
            said += part
        os.close(ours)
        assert job.wait(30) == 0, said.decode()
    assert said.count(b"W&B: no API key") == 1
    assert b"scripts/upload.py" in said
