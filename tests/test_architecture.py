"""The rooms keep to their arrows, and docs/architecture.md shows the rooms and the run folder as they are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import grimp
import pytest
from composed import ROOT

from selfnorm import config
from selfnorm.runs import layout
from selfnorm.runs.state import read_summary
from selfnorm.training.job import run_job

DOCUMENT = (ROOT / "docs/architecture.md").read_text()
FILES, KEYS = (
    set(re.findall(r"`([^`]+)`", DOCUMENT.partition(begin)[2].partition(end)[0]))
    for begin, end in (("| file |", "| key of"), ("| key of `summary.json` |", "A table has"))
)
COLUMNS = {
    layout.CURVES: layout.CURVE_COLUMNS,
    layout.MOMENTS: layout.MOMENT_COLUMNS,
    layout.FORKS: layout.FORK_COLUMNS,
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter with the contracts of pyproject.toml, over the packages of folder/src."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder / "src")}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_rooms_keep_to_their_arrows() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "lazy", "broken"),
    [
        ("networks/layers.py", "from selfnorm.training import job", "rooms of the layers below its own"),
        ("new_room.py", "import json", "rooms of the layers below its own"),
        ("runs/layout.py", "from selfnorm.runs import reading", "import each other in a circle"),
        ("analysis/curves.py", "import torch", "do without torch and Lightning"),
        ("data/datasets.py", "from selfnorm.networks import mlp", "do without torch and Lightning"),
        ("runs/layout.py", "import omegaconf", "composes its jobs with it"),
    ],
)
def test_the_linter_sees_a_lazy_import_against_an_arrow(module: str, lazy: str, broken: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src/selfnorm", tmp_path / "src/selfnorm", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "src/selfnorm" / module).open("a") as file:
        file.write(f"\n\ndef lazy() -> None:\n    {lazy}\n")
    done = lint(tmp_path)
    assert done.returncode == 1
    assert f"{broken} BROKEN" in " ".join(done.stdout.split())


def arrows_without_detours() -> set[tuple[str, str]]:
    """Pairs (room, imported room), without those that follow from two others."""
    graph = grimp.build_graph("selfnorm", cache_dir=None)
    imports: dict[str, set[str]] = {child.split(".")[1]: set() for child in graph.find_children("selfnorm")}
    for module in graph.modules - {"selfnorm"}:
        room = module.split(".")[1]
        imports[room] |= {name.split(".")[1] for name in graph.find_modules_directly_imported_by(module)} - {room}

    def below(rooms: Iterable[str]) -> set[str]:
        return {reached for room in rooms for reached in {room} | below(imports[room])}

    return {(a, b) for a in imports for b in imports[a] if b not in below(imports[a] - {b} - below({b}))}


def test_the_picture_shows_the_imports_of_the_rooms() -> None:
    drawn = re.findall(r"^ {4}(\w+) --> (\w+)$", DOCUMENT, re.M)
    assert drawn == sorted(arrows_without_detours())


def test_every_file_and_state_of_a_run_folder_is_documented() -> None:
    names = {value for name, value in vars(layout).items() if name.isupper() and isinstance(value, str)}
    assert names <= FILES


@pytest.mark.parametrize("file", COLUMNS)
def test_every_column_is_documented_as_the_layout_has_it(file: str) -> None:
    table = f"| column of `{file}` | contents |\n| --- | --- |\n"
    rows = "".join(f"| `{name}` | {contents} |\n" for name, contents in COLUMNS[file].items())
    assert f"{table}{rows}\n" in DOCUMENT


def test_the_columns_of_learned_constants_are_documented() -> None:
    names = " and ".join(f"`{name}`" for name in layout.LEARNED_COLUMNS)
    assert f"A SELU whose constants are trained has the columns {names} too." in " ".join(DOCUMENT.split())


def test_a_run_leaves_the_documented_files_and_keys(make_job: Callable[..., config.Job]) -> None:
    job = make_job("seeds=[0]", "model.depth=1", "recording.forks.copies=2")
    run_job(job)
    assert {path.name for path in job.folder.iterdir()} <= FILES
    assert read_summary(job.folder).keys() - {"state"} == KEYS
    for file, columns in COLUMNS.items():
        assert (job.folder / file).read_text().partition("\n")[0].strip() == ",".join(columns)
