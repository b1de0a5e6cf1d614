"""Fixtures of made runs, written once per session: a small Figure 1, and the tables and report made of it."""

import runpy
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from analysis.made_runs import SCRIPT, write_figure1

from selfnorm.analysis.results import Tables
from selfnorm.analysis.runs import load_runs


@pytest.fixture(scope="session")
def runs_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    write_figure1(root, datasets=("mnist",), epochs=60, records=6)
    return root


@pytest.fixture(scope="session")
def tables(runs_root: Path) -> Tables:
    return load_runs(runs_root)


@pytest.fixture(scope="session")
def report_folder(runs_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What scripts/report.py writes from the runs, and its output as output.txt beside that folder."""
    folder = tmp_path_factory.mktemp("report") / "results"
    arguments = ["report.py", str(runs_root), "--tag", "figure1", "--out", str(folder)]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as output:
        patch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit, match="0"):
            runpy.run_path(str(SCRIPT), run_name="__main__")
    (folder.parent / "output.txt").write_text(output.getvalue())
    return folder
