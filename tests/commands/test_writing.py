"""Commands that write files: on a full disk one line and exit code 2, and what was there before is still there."""

from __future__ import annotations

import resource
import runpy
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from composed import ROOT, compose_job
from review.made_folders import write_small_run

from selfnorm.training.job import run_job

QUIET = ("dataset=digits", "scale=smoke", "model.depth=2", "model.width=8", "logger.mode=disabled", "progress=false")
ROOM = 300  # bytes of a file that are written before the disk is full


@pytest.fixture
def full_disk() -> Iterator[Callable[[], None]]:
    limit, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM, limit[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    signal.signal(signal.SIGXFSZ, handler)


def exit_code(script: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(ROOT / "scripts" / script), run_name="__main__")
    assert isinstance(ended.value.code, int)
    return ended.value.code


def made(folder: Path, script: str) -> tuple[str, ...]:
    """What the command works on is made; its arguments."""
    match script:
        case "review.py":
            write_small_run(folder / "runs/tag/d4-1")
            return ("runs", "--export", "out")
        case "export.py":
            job = compose_job(*QUIET, f"runs_dir={folder}/runs")
            run_job(job)
            return (str(job.folder), "--seed=0", "--out=exported")
        case "dashboard.py":
            return (str(ROOT / "docs/results/figure1"), "--dry-run=out")
        case _:
            shutil.copytree(
                ROOT / "docs" / {"report.py": "results/figure1"}.get(script, "theory/prediction"), folder / "out"
            )
            return ("out", "--rebuild")


@pytest.mark.filterwarnings("ignore:Pydantic V1 style")  # inside wandb_workspaces
@pytest.mark.parametrize("script", ["review.py", "export.py", "dashboard.py", "report.py", "prediction.py"])
def test_a_full_disk_is_one_line_and_leaves_no_half_file(
    script: str,
    full_disk: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = made(tmp_path, script)
    if script in ("review.py", "dashboard.py"):
        (tmp_path / "out").write_text("the page of yesterday")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != ".row.json"}
    capfd.readouterr()
    full_disk()
    assert exit_code(script, *arguments, monkeypatch=monkeypatch) == 2
    said = capfd.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "File too large: " in said.err
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.name != ".row.json"}
    assert after == before


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small_run(tmp_path / "runs/tag/d4-1")
    (tmp_path / "out").symlink_to("/dev/null")
    arguments = (f"{tmp_path}/runs", "--export", f"{tmp_path}/out")
    assert exit_code("review.py", *arguments, monkeypatch=monkeypatch) == 2
    assert (tmp_path / "out").is_symlink()
