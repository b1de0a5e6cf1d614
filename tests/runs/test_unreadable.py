"""What cannot be read is not what is missing: a run that is there is neither trained again nor touched.

Root may read everything, so the system's refusals are made where the one reader opens a file.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from composed import compose_job
from runs.folder_edits import alias_bomb

from selfnorm import config
from selfnorm.analysis.runs import load_runs
from selfnorm.networks.export import load_run
from selfnorm.review.catalogue import Catalogue
from selfnorm.review.export import export_html
from selfnorm.training.command import attempt
from selfnorm.training.job import run_job

Make = Callable[..., config.Job]
FILES = ("config.yaml", "summary.json", "curves.csv", "moments.csv", "network.safetensors", "checkpoint.ckpt")
QUIET = ("dataset=digits", "scale=smoke", "model.depth=2", "model.width=8", "logger.mode=disabled", "progress=false")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> config.Job:
    job = compose_job(*QUIET, f"runs_dir={tmp_path_factory.mktemp('finished')}")
    run_job(job)
    return job


@pytest.fixture
def job(finished: config.Job, tmp_path: Path) -> config.Job:
    """The finished run, copied for a test to damage, beside a checkpoint as a killed process leaves one."""
    copied = finished.model_copy(update={"runs_dir": str(tmp_path)})
    shutil.copytree(finished.folder, copied.folder)
    (copied.folder / "checkpoint.ckpt").touch()
    return copied


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Inode and bytes of every file but the lock."""
    files = [path for path in folder.iterdir() if path.is_file() and path.name != ".lock"]
    return {path.name: (path.stat().st_ino, path.read_bytes()) for path in files}


def refusing(name: str, number: int) -> Callable[..., int]:
    opened = os.open

    def open_(path: Any, *arguments: Any, **options: Any) -> int:
        if isinstance(path, (str, Path)) and Path(path).name == name:
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, *arguments, **options)

    return open_


def check_refused(job: config.Job, name: str, said: str) -> None:
    assert said.startswith(f"train.py: {job.folder / name} ")
    assert said.count("\n") == 1
    assert "delete checkpoint.ckpt" not in said


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE], ids=errno.errorcode.get)
@pytest.mark.parametrize("name", FILES)
def test_a_finished_run_with_a_file_that_cannot_be_read_is_left_alone(
    name: str, number: int, job: config.Job, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = contents(job.folder)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refusing(name, number))
        assert attempt(job) == 2
    check_refused(job, name, said := capfd.readouterr().err)
    assert os.strerror(number).lower() in said
    assert contents(job.folder) == before


KINDS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": os.mkdir,
    "a link": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*FILES, ".lock"])
def test_what_is_no_file_is_neither_waited_for_nor_replaced(
    kind: str, name: str, job: config.Job, capfd: pytest.CaptureFixture[str]
) -> None:
    path = job.folder / name
    path.unlink()
    KINDS[kind](path)
    before = contents(job.folder)
    assert attempt(job) == 2
    check_refused(job, name, capfd.readouterr().err)
    assert contents(job.folder) == before
    assert os.path.lexists(path)
    if name in ("config.yaml", "network.safetensors"):
        with pytest.raises(ValueError, match="holds no finished run"):
            load_run(job.folder)
    overview = Catalogue(Path(job.runs_dir)).overview()
    usable = name in ("network.safetensors", "checkpoint.ckpt", ".lock")  # which no list opens
    assert len(overview["runs"]) == usable
    if not usable:
        assert name in overview["problems"][0]["reason"]
        with pytest.raises(ValueError, match="no readable run"):
            load_runs(Path(job.runs_dir))


def test_a_damaged_summary_is_not_a_missing_one(job: config.Job, capfd: pytest.CaptureFixture[str]) -> None:
    (job.folder / "summary.json").write_text('{"state": "fini')
    before = contents(job.folder)
    assert attempt(job) == 2
    check_refused(job, "summary.json", capfd.readouterr().err)
    assert contents(job.folder) == before


@pytest.mark.parametrize("bomb", [alias_bomb(), "[" * 200_000, "- " * 200_000], ids=["aliases", "lists", "dashes"])
def test_few_bytes_that_stand_for_gigabytes_or_end_the_process_are_refused_at_once(bomb: str, job: config.Job) -> None:
    (job.folder / "config.yaml").write_text(bomb)
    with pytest.raises(ValueError, match="it has aliases or lists in lists, which a run does not write"):
        load_run(job.folder)


@pytest.mark.timeout(60)
def test_a_table_larger_than_any_is_refused_at_once_and_costs_no_other_run(job: config.Job) -> None:
    huge = job.folder.with_name("huge"), job.folder.with_name("forked")
    for folder, name in zip(huge, ("moments.csv", "forks.csv"), strict=True):
        shutil.copytree(job.folder, folder)
        with (folder / name).open("ab") as table:
            table.truncate(1 << 40)  # zeros, which take no room on the disk
    catalogue = Catalogue(job.folder.parent)
    assert "moments.csv has 1099511627776 bytes" in catalogue.overview()["problems"][0]["reason"]
    document = json.loads(catalogue.run("forked"))
    assert (document["forks"], "forks.csv has" in document["forks_note"]) == (None, True)
    assert len(export_html(catalogue)) > 1e5


def test_a_file_system_without_locks_is_one_line_and_its_runs_are_not_called_crashed(
    job: config.Job, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (job.folder / "summary.json").write_text('{"state": "running", "seeds": [0, 1]}')
    (job.folder / ".lock").touch()

    def no_locks(*_: Any) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    assert Catalogue(Path(job.runs_dir)).overview()["runs"][0]["state"] == "crashed"
    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert Catalogue(Path(job.runs_dir)).overview()["runs"][0]["state"] == "running"
    assert attempt(job) == 2
    words = f"{job.folder}/.lock cannot be locked (no locks available): choose another runs_dir="
    assert capfd.readouterr().err == f"train.py: {words}\n"
