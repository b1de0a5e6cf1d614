"""The list of runs: its entries, their states and numbers; and nothing is read twice."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from review.made_folders import write_broken_folders, write_small_run

from selfnorm.analysis.comparison import describe_cells
from selfnorm.analysis.runs import load_runs
from selfnorm.review import catalogue, row
from selfnorm.review.catalogue import Catalogue
from selfnorm.runs.layout import ACTIVATION, FORKS, ROW, SHOWN


def only_row(root: Path) -> dict:
    (found,) = Catalogue(root).overview()["runs"]
    return found


def test_every_folder_is_listed_as_what_it_is_and_the_good_run_still_shows(tmp_path: Path) -> None:
    reasons = write_broken_folders(tmp_path)
    overview = Catalogue(tmp_path).overview()
    assert [run["id"] for run in overview["runs"]] == ["good/d4-1"]
    assert {problem["path"] for problem in overview["problems"]} == set(reasons)
    for problem in overview["problems"]:
        assert reasons[problem["path"]] in problem["reason"]


def test_an_empty_root_has_no_run_and_no_problem(tmp_path: Path) -> None:
    overview = Catalogue(tmp_path).overview()
    assert (overview["runs"], overview["problems"]) == ([], [])


def test_a_root_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing is not a folder: give the root of the runs"):
        Catalogue(tmp_path / "nothing").overview()


def test_a_run_without_curves_is_listed_without_numbers(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "d4-1", state="running")
    (folder / "curves.csv").write_text("step,epoch,seed,split,loss,accuracy\n0,0,0,tra")
    found = only_row(tmp_path)
    assert (found["state"], found["error"], found["step"]) == ("crashed", None, None)


def test_running_means_that_a_process_holds_the_lock(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "d4-1", state="running")
    catalogue = Catalogue(tmp_path)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        first = catalogue.overview()
        assert first["runs"][0]["state"] == "running"
    second = catalogue.overview()  # as after a kill: nothing was written, the lock is free
    assert second["runs"][0]["state"] == "crashed"
    assert second["version"] != first["version"]  # so that an open page hears of it


@pytest.mark.parametrize("state", ["finished", "diverged", "interrupted", "failed"])
def test_other_states_are_those_the_run_wrote(tmp_path: Path, state: str) -> None:
    write_small_run(tmp_path / "d4-1", state=state)
    assert only_row(tmp_path)["state"] == state


def test_error_is_mean_and_sd_over_seeds_at_the_last_step_that_all_have_reached(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "d4-1", seeds=3)
    curves = pd.read_csv(folder / "curves.csv")
    ahead = curves[(curves["seed"] == 1) & (curves["step"] == curves["step"].max())].assign(step=10**6, loss=9.0)
    pd.concat([curves, ahead]).to_csv(folder / "curves.csv", index=False)
    last = [float(curves[(curves["seed"] == s) & (curves["split"] == "train")]["loss"].iloc[-1]) for s in range(3)]
    mean = sum(last) / 3
    sd = (sum((x - mean) ** 2 for x in last) / 2) ** 0.5
    found = only_row(tmp_path)
    assert found["step"] == curves["step"].max()
    assert (found["error"], found["error_sd"]) == pytest.approx((mean, sd), rel=1e-4)  # five digits are kept


def test_a_seed_that_diverged_is_counted_and_not_averaged_in(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "d4-1", seeds=3)
    curves = pd.read_csv(folder / "curves.csv")
    curves.loc[(curves["seed"] == 2) & (curves["step"] > 500), "loss"] = np.nan
    curves.to_csv(folder / "curves.csv", index=False)
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"diverged": {"2": 546}}))
    last = curves[(curves["step"] == curves["step"].max()) & (curves["split"] == "train")]["loss"].iloc[:2]
    found = only_row(tmp_path)
    assert (found["n"], found["diverged"], found["error_n"]) == (3, 1, 2)
    assert found["error"] == pytest.approx(last.mean(), rel=1e-4)


def test_statistics_of_a_row_are_those_of_the_report(figure1_root: Path) -> None:
    described = describe_cells(load_runs(figure1_root)).set_index("cell")
    rows = Catalogue(figure1_root).overview()["runs"]
    assert len(rows) == len(described) == 6
    for found in rows:
        for key in ("fluctuation", "fluctuation_low", "fluctuation_high", "final_error", "test_error_high"):
            assert found[key] == described.loc[found["id"], key]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose curves were read, by name."""
    names: list[str] = []
    make_row = row.make_row
    monkeypatch.setattr(row, "make_row", lambda folder: names.append(folder.name) or make_row(folder))
    return names


def test_only_a_changed_run_is_read_again(tmp_path: Path, read: list[str]) -> None:
    for name in ("a", "b"):
        write_small_run(tmp_path / name / "d4-1")
    Catalogue(tmp_path).overview()
    read.clear()
    catalogue = Catalogue(tmp_path)  # as after a restart: the rows lie in the folders
    catalogue.overview()
    assert read == []
    path = tmp_path / "b" / "d4-1" / "summary.json"
    path.write_text(path.read_text().replace("finished", "interrupted"))
    states = {run["id"]: run["state"] for run in catalogue.overview()["runs"]}
    assert (read, states["b/d4-1"]) == (["b/d4-1"], "interrupted")


@pytest.mark.parametrize(
    "name", [name for name in SHOWN if name not in (ACTIVATION, FORKS)]
)  # the small run has none of these
def test_a_row_does_not_outlive_an_edit_that_keeps_the_size(tmp_path: Path, read: list[str], name: str):
    path = write_small_run(tmp_path / "d4-1") / name
    Catalogue(tmp_path).overview()
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    Catalogue(tmp_path).overview()
    assert read == ["d4-1", "d4-1"]


def test_a_copy_that_keeps_times_is_listed_under_its_own_name_and_not_read(tmp_path: Path, read: list[str]) -> None:
    before = only_row(write_small_run(tmp_path / "runs" / "d4-1").parent)
    shutil.copytree(tmp_path / "runs" / "d4-1", tmp_path / "copies" / "mine")
    read.clear()
    after = only_row(tmp_path / "copies")
    assert (read, after) == ([], before | {"id": "mine"})


def test_a_list_of_kept_rows_imports_nothing_heavy(tmp_path: Path) -> None:
    write_small_run(tmp_path / "d4-1")
    before = Catalogue(tmp_path).overview()
    code = (
        "import json, sys; from pathlib import Path; from selfnorm.review.catalogue import Catalogue;"
        "from selfnorm.review import server, terminal; print(json.dumps(Catalogue(Path(sys.argv[1])).overview()));"
        "assert not {'numpy', 'pandas', 'scipy', 'yaml', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == before


def row_of(kept: str) -> dict:
    return json.loads(kept)["row"]


def without_error(kept: str) -> dict:
    return {key: value for key, value in row_of(kept).items() if key != "error"}


def forged(kept: str, **held: object) -> str:
    """A file that has the digest of what was kept, and holds something else."""
    return json.dumps({"digest": json.loads(kept)["digest"]} | held)


UNUSABLE = {
    "nothing": lambda kept: "",
    "no object": lambda kept: "[]",
    "an empty object": lambda kept: "{}",
    "a zero byte": lambda kept: "\x00",
    "nested without end": lambda kept: "[" * 100_000,
    "all but the last byte": lambda kept: kept[:-1],
    "nothing but the digest": lambda kept: forged(kept),
    "a number for a row": lambda kept: forged(kept, row=5),
    "an empty row": lambda kept: forged(kept, row={}),
    "a row that lacks a key": lambda kept: forged(kept, row=without_error(kept)),
    "a row with a list for a number": lambda kept: forged(kept, row=row_of(kept) | {"error": [1]}),
    "a row with words for a count": lambda kept: forged(kept, row=row_of(kept) | {"n": "six"}),
    "a row with no number for a number": lambda kept: forged(kept, row=row_of(kept) | {"spread": float("nan")}),
    "a number for a problem": lambda kept: forged(kept, problem=5),
    "a row of another digest": lambda kept: kept.replace('"digest": "', '"digest": "0'),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_kept_row_that_cannot_be_used_is_made_anew(tmp_path: Path, name: str):
    path = write_small_run(tmp_path / "d4-1") / ROW
    before = only_row(tmp_path)
    kept = path.read_text()
    path.write_text(UNUSABLE[name](kept.replace('"finished"', '"failed"')))
    assert only_row(tmp_path) == before
    assert path.read_text() == kept


def test_a_row_does_not_outlive_the_code_that_made_it(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_small_run(tmp_path / "d4-1")
    for code in ("old", "old", "new"):
        monkeypatch.setattr(catalogue, "code_digest", lambda code=code: code)
        Catalogue(tmp_path).overview()
    assert read == ["d4-1", "d4-1"]


def test_a_folder_that_cannot_be_written_is_listed_all_the_same(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "d4-1")
    (folder / ROW).mkdir()  # in the way of the row, for root too
    before = sorted(os.listdir(folder))
    assert only_row(tmp_path)["state"] == "finished"
    assert sorted(os.listdir(folder)) == before


def test_links_and_pipes_in_the_place_of_a_row_do_no_harm(tmp_path: Path) -> None:
    folder, outside = write_small_run(tmp_path / "runs" / "d4-1"), tmp_path / "outside"
    outside.write_text("mine")
    (folder / f"{ROW}.part").symlink_to(outside)
    os.mkfifo(folder / ROW)  # who opens it as a file waits for ever
    assert only_row(tmp_path / "runs")["state"] == "finished"
    assert outside.read_text() == "mine"
    assert (folder / ROW).is_fifo()  # what is no file is not replaced


def test_a_run_that_cannot_be_opened_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small_run(tmp_path / "d4-1")
    catalogue = Catalogue(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(row, "read_run", Mock(side_effect=PermissionError(13, "Permission denied", "curves.csv")))
        assert catalogue.overview()["problems"][0]["reason"] == "[Errno 13] Permission denied: 'curves.csv'"
    assert (len(catalogue.overview()["runs"]), len(Catalogue(tmp_path).overview()["runs"])) == (1, 1)


def test_links_out_of_the_root_are_not_followed(tmp_path: Path) -> None:
    write_small_run(tmp_path / "elsewhere" / "d4-1")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "elsewhere")
    assert Catalogue(tmp_path / "runs").overview()["runs"] == []
