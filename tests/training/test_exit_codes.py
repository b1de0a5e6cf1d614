"""A command line is told of a failure: one line and an exit code, or a traceback where the fault is ours."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from selfnorm import config
from selfnorm.training import command

Make = Callable[..., config.Job]


def ask_for_a_petabyte() -> None:
    torch.empty(10**15, dtype=torch.uint8)


def raises(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


NO_MEMORY = {
    "Python's": raises(MemoryError()),
    "torch's on a GPU": raises(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")),
    "torch's on the CPU, from its own allocator": ask_for_a_petabyte,
    "CUDA's own": raises(RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be reported later")),
}


@pytest.mark.parametrize("name", NO_MEMORY)
def test_missing_memory_is_one_line_whoever_finds_it(
    name: str, make_job: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "run_job", lambda *_, **__: NO_MEMORY[name]())
    assert command.attempt(make_job("model.width=32")) == 1
    said = capsys.readouterr().err
    assert said == "train.py: not enough memory for model.width=32, model.depth=8, 2 seeds; ask for less\n"


def test_an_error_that_merely_speaks_of_allocation_is_a_fault_of_ours(
    make_job: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(command, "run_job", lambda *_, **__: raises(RuntimeError("could not allocate a seed"))())
    with caplog.at_level(logging.ERROR):
        assert command.attempt(make_job()) == 1
    assert "could not allocate a seed" in caplog.text  # with its traceback


@pytest.mark.slow
def test_a_job_imports_nothing_that_reads_runs_before_its_first_step() -> None:
    code = (
        "import sys, selfnorm.training.command\n"
        "rooms = ('selfnorm.analysis', 'selfnorm.review', 'selfnorm.theory', 'selfnorm.runs.tables', 'pandas')\n"
        "assert not [name for name in sys.modules if name.startswith(rooms)]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
