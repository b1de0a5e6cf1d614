"""Whatever a command line gets wrong: one line on stderr, exit code 2, no traceback, nothing written anywhere."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_commands import job_lines, script_lines
from composed import ROOT
from fork_server import Ended, ForkServer
from hardening_record import Tried

OUTCOME = "one line on stderr, exit code 2, nothing written"
WATCHED = ("tell_of_writing",)
NUM_BATCHES, FAST, SLOW = 4, 54, 250  # batches, so that two workers share them; lines of train.py in each


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    modules = ("hydra.main", "selfnorm.training.sweep", "selfnorm.training.sweep_check", "hydra._internal.callbacks")
    with ForkServer(*modules, "selfnorm.data.cache", "pandas", "scipy.stats", "matplotlib.figure") as running:
        yield running


def check(ended: Ended, what: list[str], folder: Path, *, left: int = 0) -> None:
    assert ended.code == 2, (what, ended)
    assert ended.out == "", (what, ended)
    assert ended.err.count("\n") == 1, (what, ended)
    assert ended.err.endswith("\n"), (what, ended)
    assert 20 < len(ended.err) < 700, (what, ended)
    assert "Traceback" not in ended.err
    assert len(list(folder.rglob("*"))) == left, (what, ended)


def check_jobs(server: ForkServer, lines: list[tuple[str, list[str]]], folder: Path, tried: Tried) -> None:
    for _, arguments in lines:
        check(server.run("train.py", arguments, folder, fate=WATCHED), arguments, folder)
    for kind, times in Counter(kind for kind, _ in lines).items():
        tried("Command lines", f"train.py: {kind}", OUTCOME, times=times)


@pytest.mark.parametrize("batch", range(NUM_BATCHES))
def test_a_bad_job_is_one_line_and_nothing_is_written(
    batch: int, server: ForkServer, tmp_path: Path, tried: Tried
) -> None:
    check_jobs(server, job_lines(FAST, seed=batch), tmp_path, tried)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("batch", range(NUM_BATCHES))
def test_more_bad_jobs(batch: int, server: ForkServer, tmp_path: Path, tried: Tried) -> None:
    check_jobs(server, job_lines(SLOW, seed=100 + batch), tmp_path, tried)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_bad_arguments_of_scripts_are_one_line_and_nothing_is_written(
    seed: int, server: ForkServer, tmp_path: Path, tried: Tried
) -> None:
    (tmp_path / "a_file").write_text("not a folder\n")
    lines = script_lines(200 if seed else 63, seed=seed, folder=tmp_path)
    for script, _, arguments in lines:
        ended = server.run(f"scripts/{script}", arguments, tmp_path, fate=WATCHED)
        check(ended, [script, *arguments], tmp_path, left=1)
    for kind, times in Counter(kind for _, kind, _ in lines).items():
        tried("Command lines", kind, OUTCOME, times=times)


def run(arguments: list[str], folder: Path) -> Ended:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_processes_of_their_own_answer_as_the_forked_ones(tmp_path: Path, tried: Tried) -> None:
    (tmp_path / "a_file").touch()
    lines = [[str(ROOT / "train.py"), *arguments] for _, arguments in job_lines(18, seed=7)]
    scripts = script_lines(7, seed=7, folder=tmp_path)
    lines += [[str(ROOT / "scripts" / script), *arguments] for script, _, arguments in scripts]
    for line in lines:
        check(run(line, tmp_path), line, tmp_path, left=1)
    tried("Command lines", "any of these, as processes started afresh", OUTCOME, times=len(lines))


def test_the_check_sees_what_is_written(server: ForkServer, tmp_path: Path) -> None:
    ended = server.run("scripts/fetch.py", ["digits", f"--data-dir={tmp_path}/made"], tmp_path, fate=WATCHED)
    assert (ended.code, ended.err) == (0, "")
    (tmp_path / "writes.py").write_text("import os, sys\nopen('made', 'w')\nos.mkdir('folder')\nsys.exit(2)\n")
    ended = server.run(str(tmp_path / "writes.py"), [], tmp_path, fate=WATCHED)
    assert ended.err.count("WROTE") == 2
