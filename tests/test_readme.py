"""The README tells the truth: its commands and its Python run, and its numbers are those of the committed results.

The links of the other documents are followed too.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from composed import ROOT, compose_job
from tools.fork_server import ForkServer
from torch import nn

from selfnorm import config
from selfnorm.analysis.results import read_results
from selfnorm.studies.report import make_report
from selfnorm.training.job import run_job

README = (ROOT / "README.md").read_text()
COMMANDS = [line.split("  #")[0].strip() for line in README.splitlines() if line.startswith("    ")]
COMMANDS += re.findall(r"`((?:make|python) [^`]+)`", README)
MAKE = sorted({command for command in COMMANDS if command.startswith("make ")})
TRAIN = sorted({command for command in COMMANDS if command.startswith("python train.py")})
SCRIPTS = sorted({command for command in COMMANDS if command.startswith("python scripts/")})
SCRIPTS.remove("python scripts/upload.py RUN")  # it wants a server: tests/tracking runs it with one
LINKS = sorted(
    (str(path.relative_to(ROOT)), link)
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/*/README.md"))
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", path.read_text())
)
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


@pytest.mark.parametrize(("document", "link"), LINKS)
def test_every_link_leads_to_a_file_or_a_heading_in_it(document: str, link: str) -> None:
    path, _, heading = link.partition("#")
    target = (ROOT / document).parent / path
    assert target.is_file()
    headings = re.findall(r"^#+ (.*)$", target.read_text(), re.M) if heading else [""]
    assert heading in [title.lower().replace(" ", "-") for title in headings]


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len(README.splitlines()) <= 120


def test_the_first_command_gives_what_its_experiment_says() -> None:
    (expected,) = re.findall(
        r"a training error of ([\d.]+) ", (ROOT / "conf/experiment/selu_deep.yaml").read_text(encoding="utf-8")
    )
    (line,) = (line for line in README.splitlines() if line.startswith("    make train "))
    assert float(line.rsplit(" ", 1)[1]) == pytest.approx(float(expected), rel=0.05)


@pytest.fixture
def folder_with_runs(make_job: Callable[..., config.Job], tmp_path: Path) -> Path:
    """A folder whose runs/ has finished runs of four seeds, tagged `digits`: SNN, BN and layer normalization."""
    for network in ((), ("activation=relu", "normalization=batch"), ("activation=relu", "normalization=layer")):
        run_job(make_job("tag=digits", "model.depth=2", "training.epochs=10", "seeds=[0,1,2,3]", *network))
    return tmp_path


def test_the_readmes_scripts_run(folder_with_runs: Path, command_server: ForkServer) -> None:
    run = next((folder_with_runs / "runs").rglob("summary.json")).parent
    for command in SCRIPTS:
        _, name, *arguments = shlex.split(command.replace("RUN", str(run)))
        ended = command_server.run(name, arguments, folder_with_runs)
        assert ended.code == 0, (command, ended)


def test_the_readmes_python_runs(folder_with_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder_with_runs)
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    names: dict[str, Any] = {}
    exec(code, names)
    assert type(names["network"][0]) is nn.Linear
    assert names["network"][0].in_features == len(names["inputs"]["input_mean_F"])
    z = np.random.default_rng(0).normal(0, 0.5**0.5, 10**6)
    a = names["lambda_"] * np.where(z > 0, z, names["alpha"] * np.expm1(z))
    # Standard errors of 10^6 draws: 0.0007 of the mean, about 0.0008 of the variance
    assert a.mean() == pytest.approx(0, abs=0.004)
    assert a.var() == pytest.approx(0.5, abs=0.004)


@pytest.mark.slow
@pytest.mark.parametrize("folder", RESULTS, ids=[folder.name for folder in RESULTS])
def test_published_pictures_and_tables_are_those_of_the_committed_data(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / folder.name
    copy.mkdir()
    for name in ("cells.csv", "seeds.csv", "provenance.json", *(path.name for path in folder.glob("*.csv.gz"))):
        shutil.copy(folder / name, copy / name)
    make_report(read_results(copy), copy)
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
    assert script("readme").studies_page(ROOT) == (ROOT / "docs/results/README.md").read_text()


def test_the_comparison_of_precisions_is_that_of_the_committed_results() -> None:
    assert script("precision").report() == (ROOT / "docs/results/precision.md").read_text()
