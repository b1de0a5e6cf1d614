"""The README tells the truth: its commands exist, its links lead somewhere, its numbers are the committed ones."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from composed import ROOT, compose_job

from selfnorm.analysis.report import make_report
from selfnorm.analysis.results import read_results
from selfnorm.analysis.statistics import Settings

README = (ROOT / "README.md").read_text()
COMMANDS = [line.split("  #")[0].strip() for line in README.splitlines() if line.startswith("    ")]
COMMANDS += re.findall(r"`((?:make|python) [^`]+)`", README)
MAKE = sorted({command for command in COMMANDS if command.startswith("make ")})
TRAIN = sorted({command for command in COMMANDS if command.startswith("python train.py")})
SCRIPTS = sorted(set(re.findall(r"scripts/\w+\.py", README)))
RESULTS = sorted(path.parent for path in (ROOT / "docs/results").glob("*/cells.csv"))


def test_the_readme_has_commands_of_every_kind() -> None:
    assert MAKE
    assert TRAIN
    assert SCRIPTS
    assert RESULTS


@pytest.mark.parametrize("command", MAKE)
def test_every_make_command_has_a_rule(command: str) -> None:
    done = subprocess.run([*shlex.split(command), "-n"], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", TRAIN)
def test_every_training_command_composes(command: str) -> None:
    arguments = shlex.split(command)[2:]
    if arguments == ["--help"]:
        return
    sweep = [argument.removeprefix("+sweep=") for argument in arguments if argument.startswith("+sweep=")]
    if sweep:
        assert (ROOT / f"conf/sweep/{sweep[0]}.yaml").exists()
    compose_job(*arguments)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_answers_help(script: str) -> None:
    done = subprocess.run([sys.executable, script, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "usage:" in done.stdout


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", README))))
def test_every_link_leads_to_a_file(target: str) -> None:
    assert (ROOT / target).is_file()


@pytest.mark.parametrize("folder", RESULTS, ids=lambda folder: folder.name)
def test_published_pictures_and_tables_are_those_of_the_committed_data(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / folder.name
    copy.mkdir()
    for name in ("cells.csv", "seeds.csv", "curves.csv.gz", "moments.csv.gz", "provenance.json"):
        shutil.copy(folder / name, copy / name)
    tables = read_results(copy)
    make_report(tables, copy, Settings(skip=tables.provenance["skip"]))
    published = {path.name for path in folder.iterdir()}
    assert {path.name for path in copy.iterdir()} == published
    for name in sorted(published):
        assert (copy / name).read_bytes() == (folder / name).read_bytes(), name


def script(name: str) -> Any:
    """A file of scripts/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readmes_tables_are_those_of_the_committed_results() -> None:
    assert script("readme").with_committed_results(README) == README


def test_the_comparison_of_precisions_is_that_of_the_committed_results() -> None:
    assert script("precision").report() == (ROOT / "docs/results/precision.md").read_text()
