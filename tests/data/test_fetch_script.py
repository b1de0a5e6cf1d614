"""The command line `scripts/fetch.py`: exit codes and messages, as a user sees them."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from data.stand_ins import Contents, put

from selfnorm.data import fetching
from selfnorm.data.sources import Source
from selfnorm.data.transfer import SourceFailed

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch.py"


def test_fetch_of_an_unknown_data_set_names_the_legal_ones() -> None:
    run = subprocess.run([sys.executable, SCRIPT, "imagenet"], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "cifar10" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_data_set_named_twice_is_refused(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, SCRIPT, "mnist", "mnist"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert run.stderr == "fetch.py: mnist given more than once; see fetch.py --help\n"
    assert list(tmp_path.iterdir()) == []


def run_script(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["fetch.py", *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_fetch_reports_what_is_verified(
    tmp_path: Path,
    idx_contents: Contents,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(tmp_path / "mnist", idx_contents)
    assert run_script(monkeypatch, "mnist", "digits", "--data-dir", str(tmp_path)) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"mnist: verified in {tmp_path / 'mnist'}",
        "digits: nothing to fetch",
    ]


def test_fetch_that_fails_prints_the_message_and_goes_on(
    tmp_path: Path,
    idx_contents: Contents,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fetch(wanted: object, into: Path) -> None:
        raise SourceFailed("no answer within 5 s")

    monkeypatch.setattr(fetching, "sources_for", lambda dataset, data_dir: [Source("mirror", fetch)])
    assert run_script(monkeypatch, "mnist", "digits", "--data-dir", str(tmp_path)) == 1
    captured = capsys.readouterr()
    assert "  1. mirror: no answer within 5 s" in captured.err
    assert captured.out == "digits: nothing to fetch\n"
