"""Whatever a command line gets wrong: one line on stderr, exit code 2, no traceback, nothing written anywhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from commands.bad_commands import job_lines, script_lines
from composed import ROOT
from tools.fork_server import Ended, ForkServer

WATCHED = ("tell_of_writing",)
NUM_BATCHES = 4  # so that two workers share them
FAST, ALL, MORE = 8, 54, 250  # lines of train.py in each: always, with the slow tests, and of other seeds


def check(ended: Ended, what: list[str], folder: Path, *, left: int = 0) -> None:
    assert ended.code == 2, (what, ended)
    assert ended.out == "", (what, ended)
    assert ended.err.count("\n") == 1, (what, ended)
    assert ended.err.endswith("\n"), (what, ended)
    assert 20 < len(ended.err) < 700, (what, ended)
    assert "Traceback" not in ended.err
    assert len(list(folder.rglob("*"))) == left, (what, ended)


def check_jobs(server: ForkServer, lines: list[tuple[str, list[str]]], folder: Path) -> None:
    for _, arguments in lines:
        check(server.run("train.py", arguments, folder, fate=WATCHED), arguments, folder)


@pytest.mark.parametrize("batch", range(NUM_BATCHES))
def test_a_bad_job_is_one_line_and_nothing_is_written(batch: int, command_server: ForkServer, tmp_path: Path) -> None:
    check_jobs(command_server, job_lines(FAST, seed=batch), tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("batch", range(NUM_BATCHES))
def test_more_bad_jobs(batch: int, command_server: ForkServer, tmp_path: Path) -> None:
    lines = job_lines(ALL, seed=batch)[FAST:] + job_lines(MORE, seed=100 + batch)
    check_jobs(command_server, lines, tmp_path)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_bad_arguments_of_scripts_are_one_line_and_nothing_is_written(
    seed: int, command_server: ForkServer, tmp_path: Path
) -> None:
    (tmp_path / "a_file").write_text("not a folder\n")
    lines = script_lines(200 if seed else 63, seed=seed, folder=tmp_path)
    for script, _, arguments in lines:
        ended = command_server.run(f"scripts/{script}", arguments, tmp_path, fate=WATCHED)
        check(ended, [script, *arguments], tmp_path, left=1)


def run(arguments: list[str], folder: Path) -> Ended:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=120)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_processes_of_their_own_answer_as_the_forked_ones(tmp_path: Path) -> None:
    (tmp_path / "a_file").touch()
    lines = [[str(ROOT / "train.py"), *arguments] for _, arguments in job_lines(18, seed=7)]
    scripts = script_lines(7, seed=7, folder=tmp_path)
    lines += [[str(ROOT / "scripts" / script), *arguments] for script, _, arguments in scripts]
    for line in lines:
        check(run(line, tmp_path), line, tmp_path, left=1)


def test_the_check_sees_what_is_written(command_server: ForkServer, tmp_path: Path) -> None:
    ended = command_server.run("scripts/fetch.py", ["digits", f"--data-dir={tmp_path}/made"], tmp_path, fate=WATCHED)
    assert (ended.code, ended.err) == (0, "")
    (tmp_path / "writes.py").write_text("import os, sys\nopen('made', 'w')\nos.mkdir('folder')\nsys.exit(2)\n")
    ended = command_server.run(str(tmp_path / "writes.py"), [], tmp_path, fate=WATCHED)
    assert ended.err.count("WROTE") == 2
