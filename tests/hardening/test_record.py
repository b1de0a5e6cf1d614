"""The record of what was tried: counted once under any number of workers, and complete as committed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from composed import ROOT
from hardening_record import PROMISED, as_table, counts, read_table

TESTS = """
import pytest

@pytest.mark.parametrize("i", range(6))
def test_a(tried, i):
    tried("Data", "a file", "refused", times=2)

def test_b(tried):
    tried("Numbers", "NaN", "reported | marked")
"""


def record(folder: Path, text: str, *arguments: str) -> int:
    (folder / "test_made.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "hardening_record", "--rootdir", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--record", "table.md", *arguments],
        cwd=folder, env=environment, capture_output=True, timeout=60,
    )  # fmt: skip
    return done.returncode


@pytest.mark.parametrize("workers", ["0", "2"])
def test_attempts_are_counted_once_by_any_number_of_workers(workers: str, tmp_path: Path) -> None:
    kept = ("Crashes", "kill -9", "resumed")
    stale = ("Data", "no longer tried", "refused")
    (tmp_path / "table.md").write_text(as_table(Counter({kept: 7, stale: 1})))
    assert record(tmp_path, TESTS, "-n", workers) == 0
    table = read_table((tmp_path / "table.md").read_text())
    assert table == {kept: 7, ("Data", "a file", "refused"): 12, ("Numbers", "NaN", "reported / marked"): 1}


def test_nothing_is_written_when_a_test_fails(tmp_path: Path) -> None:
    assert record(tmp_path, TESTS + "    assert False", "-n", "0") == 1
    assert not (tmp_path / "table.md").exists()


def test_the_committed_table_is_complete() -> None:
    tried = counts(read_table((ROOT / "docs/hardening.md").read_text()))
    assert {name: tried.get(name, 0) for name in PROMISED if tried.get(name, 0) < PROMISED[name]} == {}
