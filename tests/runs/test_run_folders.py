"""Run folders edited, copied in part, of another version, or named to harm: listed with a reason, not used."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from composed import compose_job
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runs.folder_edits import EDITS, UNUSABLE, Edit, cut, remove

from selfnorm import config
from selfnorm.analysis.runs import load_runs
from selfnorm.networks.export import load_run
from selfnorm.review.catalogue import Catalogue
from selfnorm.runs.state import is_finished
from selfnorm.training.job import run_job

QUIET = ("dataset=digits", "scale=smoke", "model.depth=2", "logger.mode=disabled", "progress=false")
FILES = ("config.yaml", "summary.json", "curves.csv", "moments.csv", "environment.json", "network.safetensors")


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> config.Job:
    """A finished run, which no test changes."""
    made = compose_job(*QUIET, f"runs_dir={tmp_path_factory.mktemp('finished')}")
    run_job(made)
    return made


def broken_copy(job: config.Job, root: Path, edit: Edit) -> Path:
    """A root with a good run and one that is edited; the latter's folder."""
    shutil.copytree(job.folder, root / "good")
    shutil.copytree(job.folder, root / "broken")
    edit(root / "broken")
    return root / "broken"


@pytest.mark.parametrize("name", EDITS)
def test_a_broken_folder_is_skipped_with_a_reason_and_the_others_are_read(
    name: str, job: config.Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edit, words = EDITS[name]
    broken_copy(job, tmp_path / "runs", edit)
    tables = load_runs(tmp_path / "runs")
    assert tables.cells["cell"].tolist() == ["good"]
    (skipped,) = tables.skipped
    assert skipped["path"] == "broken"
    assert words in skipped["reason"]
    assert skipped["reason"].isprintable()
    overview = Catalogue(tmp_path / "runs").overview()
    assert [run["id"] for run in overview["runs"]] == ["good"]
    (problem,) = overview["problems"]
    assert (problem["path"], problem["reason"].isprintable()) == ("broken", True)
    assert not (tmp_path / "taken").exists()


@pytest.mark.parametrize("name", UNUSABLE)
def test_weights_that_do_not_fit_are_refused_in_one_line(
    name: str, job: config.Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edit, words = UNUSABLE[name]
    with pytest.raises(ValueError, match="holds no finished run") as caught:
        load_run(broken_copy(job, tmp_path / "runs", edit))
    assert words in str(caught.value)
    assert str(caught.value).isprintable()
    assert not (tmp_path / "taken").exists()


NOT_WHOLE: dict[str, Edit] = {
    "curves.csv missing": remove("curves.csv"),
    "moments.csv missing": remove("moments.csv"),
    "network.safetensors missing": remove("network.safetensors"),
    "curves.csv without its last step": lambda folder: without_last_lines(folder / "curves.csv", 6),
    "half of moments.csv": cut("moments.csv"),
    "curves.csv without its last byte": lambda folder: os.truncate(
        folder / "curves.csv", (folder / "curves.csv").stat().st_size - 1
    ),
    "half of network.safetensors": cut("network.safetensors"),
    "half of curves.csv, beside a checkpoint": lambda folder: (
        cut("curves.csv")(folder), (folder / "checkpoint.ckpt").touch()),
}  # fmt: skip


def without_last_lines(path: Path, number: int) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-number]))


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_a_run_that_is_not_whole_is_trained_again_although_it_says_finished(
    name: str, job: config.Job, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    copied = job.model_copy(update={"runs_dir": str(tmp_path)})
    shutil.copytree(job.folder, copied.folder)
    NOT_WHOLE[name](copied.folder)
    assert not is_finished(copied.folder)
    run_job(copied)
    assert "says finished but is not whole, trained again" in capfd.readouterr().err
    assert is_finished(copied.folder)
    for table in ("curves.csv", "moments.csv", "network.safetensors"):
        assert (copied.folder / table).read_bytes() == (job.folder / table).read_bytes()
    assert not (copied.folder / "checkpoint.ckpt").exists()


@pytest.mark.parametrize("name", ["curves.csv", "moments.csv"])
def test_a_list_and_a_report_name_the_same_end_of_a_table_that_was_cut_off(
    name: str, job: config.Job, tmp_path: Path
) -> None:
    folder = broken_copy(job, tmp_path, cut(name))
    without_last_lines(folder / name, 1)  # a copy may end with a whole line too
    overview = Catalogue(tmp_path).overview()
    assert [run["id"] for run in overview["runs"]] == ["good"]
    (problem,) = overview["problems"]
    assert problem["reason"] == f"{name} is not as the run wrote it: copy it whole, or run it again"
    assert load_runs(tmp_path).skipped == [problem]


def test_a_list_and_a_report_find_the_same_runs(job: config.Job, tmp_path: Path) -> None:
    for name in ("good", "good/inside", ".hidden", "curves"):
        shutil.copytree(job.folder, tmp_path / name)
    for name in ("config.yaml", "summary.json"):
        (tmp_path / "curves" / name).unlink()
    (tmp_path / "link").symlink_to(job.folder)
    overview, tables = Catalogue(tmp_path).overview(), load_runs(tmp_path)
    assert [run["id"] for run in overview["runs"]] == tables.cells["cell"].tolist() == ["good"]
    assert overview["problems"] == tables.skipped
    (problem,) = tables.skipped
    assert problem == {"path": "curves", "reason": "no config.yaml: the run did not get that far, run it again"}


HOSTILE = ("a\nb", "\x1b[2Jgone", "caf\udce9", "tab\there", "-rf", "$(id)", "a;b", "<script>", "x" * 200, "a|b")


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_does_no_harm(name: str, job: config.Job, tmp_path: Path) -> None:
    shutil.copytree(job.folder, tmp_path / "good")
    shutil.copytree(job.folder, os.path.join(tmp_path, name))
    tables = load_runs(tmp_path)
    assert set(tables.cells["cell"]) | {entry["path"] for entry in tables.skipped} >= {"good"}
    for text in [*tables.cells["cell"], *(f"{entry['path']} {entry['reason']}" for entry in tables.skipped)]:
        assert text.isprintable()  # fit for a terminal, a table, a file in UTF-8
    assert len(tables.cells) + len(tables.skipped) == 2
    overview = Catalogue(tmp_path).overview()
    assert [run["id"] for run in overview["runs"]] == tables.cells["cell"].tolist()
    assert overview["problems"] == tables.skipped


def test_a_link_to_the_folder_above_is_not_followed_for_ever(job: config.Job, tmp_path: Path) -> None:
    shutil.copytree(job.folder, tmp_path / "good")
    (tmp_path / "good" / "loop").symlink_to(tmp_path)
    assert load_runs(tmp_path).cells["cell"].tolist() == ["good"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
@given(data=st.data())
def test_a_fuzzed_run_folder_is_read_or_refused_in_one_line(
    data: st.DataObject, job: config.Job, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fuzz") / "run"
    shutil.copytree(job.folder, folder)
    path = folder / data.draw(st.sampled_from(FILES))
    whole = path.read_bytes()
    if path.suffix in (".json", ".yaml") and data.draw(st.booleans()):
        values = yaml.safe_load(whole)  # JSON too
        values[data.draw(st.sampled_from(sorted(values)) | st.text(max_size=5))] = data.draw(JSON)
        path.write_text(json.dumps(values))
    else:
        content = bytearray(whole)
        for _ in range(data.draw(st.integers(0, 5))):
            content[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(0, len(whole)) | st.just(len(whole)))])
    for read in (lambda: load_runs(folder.parent).cells, lambda: load_run(folder)):
        said = ""
        try:
            read()
        except ValueError as error:
            said = str(error)
        assert said.isprintable()
    shutil.rmtree(folder)
