"""`+sweep=tune`: what it minimizes, what a diverged run counts, and that the same command goes on over its cells."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from command import train

from selfnorm.sweeps.objective import DIVERGED, objective

TUNE = ("+sweep=tune", "model.depth=2", "dataset=digits", "scale=smoke", "logger.mode=disabled", "progress=false")


def write(folder: Path, summary: object) -> Path:
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_the_objective_is_the_mean_over_seeds_of_the_log_validation_error(tmp_path: Path) -> None:
    errors = {"state": "finished", "validation_loss": {"by_seed": {"0": 0.5, "1": 2.0, "2": 8.0}}}
    assert objective(write(tmp_path, errors)) == pytest.approx(math.log(2.0))


def test_a_diverged_seed_is_worse_than_any_finite_error_and_finite_itself(tmp_path: Path) -> None:
    largest = math.log(3.4028234663852886e38)  # of single precision
    one = {"state": "finished", "validation_loss": {"by_seed": {"0": 1.0, "1": None}}}
    assert largest < 2 * objective(write(tmp_path, one)) == DIVERGED < math.inf
    assert objective(write(tmp_path, {"state": "diverged"})) == DIVERGED


@pytest.mark.parametrize("summary", [{"state": "failed"}, {"state": "running"}, {}])
def test_there_is_no_objective_without_a_finished_run(summary: object, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no objective without a finished run"):
        objective(write(tmp_path, summary))


@pytest.mark.slow
def test_tuning_finds_the_best_of_its_cells_and_goes_on_over_finished_ones(tmp_path: Path) -> None:
    search = (*TUNE, f"runs_dir={tmp_path}/runs", "hydra.sweeper.n_trials=3")
    first = train(*search, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    cells = [path.parent for path in (tmp_path / "runs").rglob("config.yaml")]
    found = {objective(cell): yaml.safe_load((cell / "config.yaml").read_text()) for cell in cells}
    assert len(found) == 3
    best = yaml.safe_load((tmp_path / "runs/tune/optimization_results.yaml").read_text())
    assert best["best_value"] == min(found)
    winner = found[min(found)]
    assert best["best_params"] == {
        "optimizer.lr": winner["optimizer"]["lr"], "dropout.rate": winner["dropout"]["rate"],
    }  # fmt: skip
    assert "best: optimizer.lr=" in first.stderr
    again = train(*search, cwd=tmp_path)
    assert again.stderr.count("finished already") == 3
    assert yaml.safe_load((tmp_path / "runs/tune/optimization_results.yaml").read_text()) == best


@pytest.mark.slow
def test_a_mistake_in_a_search_ends_it_at_once_in_one_line(tmp_path: Path) -> None:
    done = train(*TUNE, "dropout=none", f"runs_dir={tmp_path}/runs", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("unknown key dropout.rate") == 1
    assert not list((tmp_path / "runs").rglob("config.yaml"))


@pytest.mark.slow
def test_a_search_goes_on_from_its_storage(tmp_path: Path) -> None:
    stored = ("hydra.sweeper.storage=sqlite:///tune.db", "hydra.sweeper.study_name=kept", "hydra.sweeper.n_trials=2")
    for trials in (2, 4):
        done = train(*TUNE, *stored, f"runs_dir={tmp_path}/runs", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        with closing(sqlite3.connect(tmp_path / "tune.db")) as database:
            assert database.execute("select count(*) from trials where state = 'COMPLETE'").fetchone() == (trials,)
