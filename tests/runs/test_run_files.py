"""The files of a run folder: written whole, cut back, and read without waiting for what is not a file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml

from selfnorm import config
from selfnorm.runs.files import Table, read_file, write_atomically
from selfnorm.runs.finding import find_folders
from selfnorm.runs.layout import COORDINATES, CURVE_COLUMNS, CURVES, FORK_COLUMNS, FORKS, MOMENT_COLUMNS
from selfnorm.runs.reading import read_run, recorded
from selfnorm.training.job import run_job

Make = Callable[..., config.Job]


def test_a_table_cut_back_drops_later_rows_and_half_rows(tmp_path: Path) -> None:
    table = Table(tmp_path / "t.csv", ("step", "loss"))
    table.cut_back(0)
    table.append([{"step": 0, "loss": 1 / 3}, {"step": 8, "loss": float("nan")}, {"step": 16, "loss": 1.0}])
    with table.path.open("a") as file:
        file.write("7,0.1")
    table.cut_back(16)
    assert table.path.read_text() == f"step,loss\n0,{1 / 3!r}\n8,nan\n"


def test_a_write_goes_through_no_link_and_leaves_nothing_beside_the_file(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / ".t.csv.part").symlink_to(outside)
    write_atomically(tmp_path / "t.csv", "new")
    assert (tmp_path / "t.csv").read_text() == "new"
    assert sorted(os.listdir(tmp_path)) == ["outside", "t.csv"]
    assert outside.read_text() == "mine"


def test_a_write_that_fails_names_the_file_and_leaves_no_half(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()  # in the way, for root too
    with pytest.raises(IsADirectoryError, match=r"t\.csv"):
        write_atomically(tmp_path / "t.csv", "new")
    assert os.listdir(tmp_path) == ["t.csv"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path.parent / "there")])
def test_nothing_but_a_regular_file_is_read(tmp_path: Path, make: Callable[[Path], object]) -> None:
    (tmp_path / "there").write_text("text")
    make(tmp_path / "file")
    with pytest.raises(OSError):  # noqa: PT011 - the system's words differ
        read_file(tmp_path / "file")
    assert read_file(tmp_path / "there") == b"text"


def test_rows_and_tables_are_the_same_numbers(make_job: Make) -> None:
    job = make_job("model.depth=2", "recording.forks.copies=2", "recording.forks.epochs=[1]")
    run_job(job)
    (folder,) = find_folders(Path(job.runs_dir))
    run = read_run(folder)
    records = list(recorded(job.folder))
    forks = pd.read_csv(job.folder / FORKS)
    assert run.config == yaml.safe_load((job.folder / "config.yaml").read_text())
    assert [row for record in records for row in record.curves] == run.curves.to_dict("records")
    assert [row for record in records for row in record.moments] == run.moments().to_dict("records")
    assert len(forks) > 0
    assert [row for record in records for row in record.forks] == forks.to_dict("records")
    assert list(run.curves.columns) == list(CURVE_COLUMNS)
    assert list(forks.columns) == list(FORK_COLUMNS)
    assert set(COORDINATES) <= {*CURVE_COLUMNS, *MOMENT_COLUMNS, *FORK_COLUMNS}
    assert run.diverged == set()


def test_a_run_that_has_recorded_nothing_yet_has_no_curves(tmp_path: Path, make_job: Make) -> None:
    job = make_job()
    run_job(job)
    (job.folder / "summary.json").write_text('{"state": "running", "seeds": [0]}')
    (job.folder / CURVES).write_text(",".join(CURVE_COLUMNS) + "\n")
    (folder,) = find_folders(Path(job.runs_dir))
    run = read_run(folder)
    assert run.curves is None
    assert run.train.empty


@pytest.mark.parametrize("module", ["layout", "files", "state", "finding", "reading"])
def test_the_run_folder_is_known_without_anything_heavy(module: str) -> None:
    code = (
        f"import sys, selfnorm.runs.{module}\n"
        "assert not {'torch', 'pytorch_lightning', 'hydra', 'pandas', 'numpy', 'wandb'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
