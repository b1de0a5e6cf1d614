"""Run folders to tidy tables and back from the committed files."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis.made_runs import config, errors, write_run

from selfnorm.analysis import results
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.pooling import pool_seeds
from selfnorm.analysis.results import Tables, read_results, thin_moments, write_results
from selfnorm.analysis.runs import load_runs
from selfnorm.review.group import make_group
from selfnorm.runs.finding import find_folders


@pytest.fixture
def one_run(tmp_path: Path) -> Path:
    made = errors(np.random.default_rng(0), seeds=3, epochs=10, noise=0.05, rate=0.5)
    return write_run(tmp_path / "figure1" / "mnist" / "SNN" / "d08-00000000", config(), made)


def test_every_row_carries_the_coordinates_of_its_cell(tables: Tables) -> None:
    assert len(tables.cells) == 6
    assert set(tables.cells["network"]) == {"SNN", "BN"}
    row = tables.curves[tables.curves["cell"] == "figure1/mnist/BN/d16-00000000"].iloc[0]
    assert (row["dataset"], row["network"], row["depth"]) == ("mnist", "BN", 16)
    assert len(tables.curves) == 6 * 6 * 2 * 61  # cells, seeds, splits, records
    assert set(tables.moments["depth"]) == {8, 16, 32}
    assert tables.provenance["environment"]["versions.torch"] == ["2.13.0"]


def test_a_half_written_last_line_is_ignored(one_run: Path, tmp_path: Path) -> None:
    whole = load_runs(tmp_path).curves
    with (one_run / "curves.csv").open("a") as file:
        file.write("858,11,0,train,0.0")  # cut in the middle of 0.0123
    pd.testing.assert_frame_equal(load_runs(tmp_path).curves, whole)


def test_a_step_that_not_every_seed_has_reached_is_left_out_and_is_no_divergence(one_run: Path, tmp_path: Path) -> None:
    with (one_run / "curves.csv").open("a") as file:
        file.write("858,11,0,train,0.01,0.9\n")
    curves = seed_curves(load_runs(tmp_path), "figure1/mnist/SNN/d08-00000000")
    assert curves.steps_T[-1] == 780
    assert curves.seeds == (0, 1, 2)


def test_rows_written_again_after_a_resume_count_once(one_run: Path, tmp_path: Path) -> None:
    with (one_run / "curves.csv").open("a") as file:
        file.write("780,10,1,train,0.5,0.9\n")
    curves = seed_curves(load_runs(tmp_path), "figure1/mnist/SNN/d08-00000000")
    assert curves.errors_RT[1, -1] == 0.5
    assert curves.errors_RT.shape == (3, 11)


def break_config(folder: Path) -> None:
    (folder / "config.yaml").write_text("model: {depth: 8}\n")


def break_yaml(folder: Path) -> None:
    (folder / "config.yaml").write_text("model: {depth: 8\n")


def break_text(folder: Path) -> None:
    with (folder / "curves.csv").open("a") as file:
        file.write("858,11,0,train,oops,0.9\n")


def break_columns(folder: Path) -> None:
    (folder / "curves.csv").write_text("step,loss\n0,2.3\n")


BREAKS = [
    (break_config, "config.yaml has no training.batch_size"),
    (break_yaml, "flow mapping"),
    (break_text, "curves.csv holds text in the column loss"),
    (break_columns, "curves.csv lacks the column epoch"),
    (lambda f: (f / "curves.csv").unlink(), "no curves.csv"),
    (lambda f: (f / "curves.csv").write_text("step,epo"), "no whole line"),
    (lambda f: (f / "summary.json").unlink(), "no summary.json"),
    (lambda f: (f / "summary.json").write_text("{"), "Expecting property name"),
    (lambda f: (f / "summary.json").write_text("[]"), "summary.json must hold a mapping, not list"),
    (lambda f: (f / "summary.json").write_text("{}"), "summary.json must hold a state"),
]


@pytest.mark.parametrize(("damage", "reason"), BREAKS)
def test_a_broken_folder_is_listed_with_its_reason(one_run: Path, tmp_path: Path, damage, reason: str) -> None:
    broken = one_run.parent / "d16-11111111"
    shutil.copytree(one_run, broken)
    damage(broken)
    loaded = load_runs(tmp_path)
    assert len(loaded.cells) == 1
    assert [entry["path"] for entry in loaded.skipped] == ["figure1/mnist/SNN/d16-11111111"]
    assert reason in loaded.skipped[0]["reason"]
    assert "\n" not in loaded.skipped[0]["reason"]


def test_no_run_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="train first"):
        load_runs(tmp_path)
    with pytest.raises(ValueError, match="is not a folder"):
        load_runs(tmp_path / "nowhere")


def test_tags_select_and_a_wrong_one_names_those_there(one_run: Path, tmp_path: Path) -> None:
    assert len(load_runs(tmp_path, ("figure1",)).cells) == 1
    with pytest.raises(ValueError, match="has tag causes; tags there: figure1"):
        load_runs(tmp_path, ("causes",))


def test_a_diverged_seed_is_left_out_everywhere_and_named(tmp_path: Path) -> None:
    made = errors(np.random.default_rng(0), seeds=4, epochs=10, noise=0.05, rate=0.5)
    made[2, 6:] = np.nan  # seen in the curve only
    folder = tmp_path / "figure1" / "run"
    write_run(folder, config(), made, state="diverged", diverged={"1": 500})  # reported by the run only
    curves = seed_curves(load_runs(tmp_path), "figure1/run")
    assert curves.seeds == (0, 3)
    assert curves.diverged == {1: 500, 2: 6 * 78}
    np.testing.assert_allclose(curves.errors_RT, made[[0, 3]], rtol=1e-12)


def test_an_error_of_zero_is_refused(tmp_path: Path) -> None:
    made = errors(np.random.default_rng(0), seeds=2, epochs=10, noise=0.05, rate=0.5)
    made[1, 5] = 0
    write_run(tmp_path / "run", config(), made)
    with pytest.raises(ValueError, match="seed 1: an error of 0 has no logarithm"):
        seed_curves(load_runs(tmp_path), "run")


def test_committed_tables_give_back_what_was_written(tables: Tables, tmp_path: Path) -> None:
    full = dataclasses.replace(tables, skipped=[{"path": "x", "reason": "y"}])
    write_results(full, tmp_path / "a")
    back = read_results(tmp_path / "a")
    pd.testing.assert_frame_equal(back.cells, tables.cells)
    keys = ["cell", "split", "seed", "step"]
    expected = tables.curves.sort_values(keys, ignore_index=True)
    # Nine digits are written: a relative rounding of 5e-10.
    pd.testing.assert_frame_equal(back.curves[expected.columns], expected, rtol=1e-8)
    assert len(back.moments) == len(tables.moments)
    assert back.skipped == full.skipped
    assert back.provenance == tables.provenance


def test_the_same_tables_give_the_same_bytes(tables: Tables, tmp_path: Path) -> None:
    write_results(tables, tmp_path / "a")
    write_results(read_results(tmp_path / "a"), tmp_path / "b")
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == ["cells.csv", "curves.csv.gz", "moments.csv.gz", "provenance.json", "seeds.csv"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_thinned_moments_keep_first_and_last_step() -> None:
    moments = pd.DataFrame({"cell": "a", "step": np.arange(1000), "activation_mean": 0.0})
    steps = thin_moments(moments, 8)["step"]
    assert len(steps) == 8
    assert (steps.min(), steps.max()) == (0, 999)
    with pytest.raises(ValueError, match="at least 2"):
        thin_moments(moments, 1)


def test_moments_thinned_while_they_are_read_are_those_that_are_committed(
    runs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "MOMENT_ROWS", 3 * 6 * 2 * (8 + 16 + 32))  # three steps of six seeds, BN and SNN
    write_results(load_runs(runs_root), tmp_path / "all")
    thin = load_runs(runs_root, thin=True)
    assert set(thin.moments.groupby("cell")["step"].nunique()) == {3}
    write_results(thin, tmp_path / "thin")
    assert (tmp_path / "thin/moments.csv.gz").read_bytes() == (tmp_path / "all/moments.csv.gz").read_bytes()


def test_missing_or_damaged_results_are_named(tables: Tables, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no cells.csv"):
        read_results(tmp_path)
    write_results(tables, tmp_path)
    (tmp_path / "curves.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(ValueError, match="not readable"):
        read_results(tmp_path)


def with_other_seeds(folder: Path, first: int) -> None:
    """Give the seeds of a run other numbers: 0, 1, 2 become first, first + 1, first + 2."""
    curves = pd.read_csv(folder / "curves.csv")
    curves.assign(seed=curves["seed"] + first).to_csv(folder / "curves.csv", index=False)
    summary = json.loads((folder / "summary.json").read_text())
    summary["seeds"] = [seed + first for seed in summary["seeds"]]
    summary["test_accuracy"]["by_seed"] = {str(seed): 0.9 + 0.001 * seed for seed in summary["seeds"]}
    (folder / "summary.json").write_text(json.dumps(summary))


def test_seeds_that_several_jobs_trained_are_those_of_one_job(tmp_path: Path) -> None:
    made = errors(np.random.default_rng(0), seeds=6, epochs=10, noise=0.05, rate=0.5)
    write_run(tmp_path / "whole" / "d08-0", config(), made)
    for name, rows, first in (("a", made[:3], 0), ("b", made[3:], 3)):
        with_other_seeds(write_run(tmp_path / "parts" / name, config(), rows), first)
    write_run(tmp_path / "parts" / "c", config(), made[:2])  # seeds that are there already
    write_run(tmp_path / "parts" / "d", config(optimizer__lr=1e-4), made[:3])
    with_other_seeds(write_run(tmp_path / "parts" / "e", config(), made[:3], state="running"), 7)
    whole, parts = load_runs(tmp_path / "whole"), pool_seeds(load_runs(tmp_path / "parts"))
    assert dict(zip(parts.cells["cell"], parts.cells["num_seeds"], strict=True)) == {"a": 6, "c": 2, "d": 3, "e": 3}
    assert parts.cells.set_index("cell")["seconds"]["a"] == 2 * 12.5
    assert parts.provenance["pooled"] == {"a": ["b"]}
    alone, pooled = seed_curves(whole, "d08-0"), seed_curves(parts, "a")
    assert pooled.seeds == alone.seeds
    np.testing.assert_array_equal(pooled.errors_RT, alone.errors_RT)
    np.testing.assert_array_equal(pooled.test_errors_R, alone.test_errors_R)
    write_results(parts, tmp_path / "written")
    assert read_results(tmp_path / "written").cells["cell"].tolist() == ["a", "c", "d", "e"]
    assert pool_seeds(whole) is whole


def test_a_report_counts_the_seeds_of_several_jobs(tmp_path: Path) -> None:
    made = errors(np.random.default_rng(0), seeds=4, epochs=10, noise=0.05, rate=0.5)
    for network in ("SNN", "BN"):
        for first in (0, 2):
            run = write_run(tmp_path / f"runs/{network}{first}", config(network=network), made[first : first + 2])
            with_other_seeds(run, first)
    group = make_group(find_folders(tmp_path / "runs"))
    assert [(line["network"], line.get("note")) for line in group["lines"]] == [("BN", None), ("SNN", None)]
    assert {ratio["n_a"] for ratio in group["ratios"]} == {4}
