"""Nobody listens, or cannot any more: a closed, full or broken stream ends no training and changes no exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from composed import ROOT

SMALL = ("dataset=digits", "scale=smoke", "model.depth=2", "model.width=8", "logger.mode=disabled")
TALK = """
import os, sys
from selfnorm.commandline import never_fail
never_fail("stdout", "stderr")
for _ in range(3):
    print("to stdout", flush=True)
    print("to stderr", file=sys.stderr)
os.write(os.open("opened", os.O_CREAT | os.O_WRONLY), b"a file")
os.system("echo a child process >&2")
"""
LISTENERS = {
    "full": "exec {command} > /dev/full 2>&1",
    "closed": "exec {command} >&- 2>&-",
    "all closed": "exec {command} <&- >&- 2>&-",
    "gone": "{command} 2>&1 | true; exit ${{PIPESTATUS[0]}}",
}


def shell(line: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = ["bash", "-c", line.format(command='"$@"'), "bash", sys.executable, *arguments]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=200, env=os.environ)


@pytest.mark.parametrize("listener", LISTENERS)
def test_words_that_nobody_takes_are_dropped(listener: str, tmp_path: Path) -> None:
    done = shell(LISTENERS[listener], tmp_path, "-c", TALK)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "opened").read_text() == "a file"  # and not what a child process says


def test_a_listener_that_stays_hears_everything(tmp_path: Path) -> None:
    done = shell("exec {command}", tmp_path, "-c", TALK)
    assert (done.stdout, done.stderr) == ("to stdout\n" * 3, "to stderr\n" * 3 + "a child process\n")


@pytest.mark.slow
@pytest.mark.parametrize("listener", ["gone", "full", "closed"])
def test_a_run_to_which_nobody_listens_is_a_healthy_run(listener: str, tmp_path: Path) -> None:
    done = shell(LISTENERS[listener], tmp_path, str(ROOT / "train.py"), *SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    (summary,) = tmp_path.glob("runs/*/*/*/*/summary.json")
    assert '"state": "finished"' in summary.read_text()


@pytest.mark.slow
def test_a_sweep_whose_workers_nobody_hears_is_a_healthy_sweep(tmp_path: Path) -> None:
    sweep = ("-m", "seeds=[0],[1]", "hydra/launcher=joblib")
    done = shell(LISTENERS["gone"], tmp_path, str(ROOT / "train.py"), *SMALL, *sweep)
    assert (done.returncode, done.stderr) == (0, "")
    states = [path.read_text() for path in tmp_path.glob("runs/*/*/*/*/summary.json")]
    assert ['"state": "finished"' in text for text in states] == [True, True]


@pytest.mark.parametrize(
    ("listener", "code"), [("exec {command} >&-", 0), ("exec {command} 2>&-", 0), ("exec {command} > /dev/full", 2)]
)
def test_a_list_that_cannot_be_written_is_one_line_at_most(listener: str, code: int, tmp_path: Path) -> None:
    done = shell(listener, tmp_path, str(ROOT / "scripts/runs.py"), ".")
    assert done.returncode == code
    assert done.stderr == ("runs.py: [Errno 28] No space left on device\n" if code else "")
