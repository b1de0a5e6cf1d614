"""scripts/runs.py and scripts/review.py as a user types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from composed import ROOT
from review.made_folders import write_broken_folders, write_small_run

from selfnorm.analysis.comparison import describe_cells
from selfnorm.analysis.runs import load_runs
from selfnorm.review.catalogue import Catalogue
from selfnorm.review.terminal import run_list


def command(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(ROOT / "scripts" / script), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120)


def test_runs_lists_state_error_with_spread_fluctuation_and_time(tmp_path: Path) -> None:
    reasons = write_broken_folders(tmp_path)
    done = command("runs.py", tmp_path)
    head, good, *others = done.stdout.splitlines()
    (expected,) = describe_cells(load_runs(tmp_path / "good")).to_dict("records")
    assert head.split()[0] == "state"
    assert good.startswith("finished")
    assert f"{expected['fluctuation']:.3g} ({expected['fluctuation_low']:.3g} to " in good
    assert " ± " in good
    assert "12 s" in good  # 12.5 s, to even
    assert {line.split(": ")[1] for line in others} == set(reasons)
    assert (done.returncode, done.stderr) == (0, "")


def test_who_has_read_enough_of_a_list_is_told_nothing(tmp_path: Path) -> None:
    write_small_run(tmp_path / "d4-1")
    words = [sys.executable, str(ROOT / "scripts/runs.py"), str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # as `| true`, and `| head` once it has its lines
        assert (process.wait(60), process.stderr.read()) == (141, "")


def test_a_filter_keeps_its_runs_and_an_unknown_value_is_refused(tmp_path: Path) -> None:
    for tag in ("one", "two"):
        write_small_run(tmp_path / tag, tag=tag, depth=4)
    overview = Catalogue(tmp_path).overview()
    lines = run_list(overview, {"tag": ["two"], "state": None}).splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["two"]
    done = command("runs.py", tmp_path, "--tag", "three")
    assert done.returncode == 2
    assert done.stderr == "runs.py: no run with tag 'three'; there: one, two\n"
    (tmp_path / "two/config.yaml").write_text("[")
    unread = "not counted: folders without a readable run (1), which the whole list names"
    assert (
        command("runs.py", tmp_path, "--tag", "two").stderr == f"runs.py: no run with tag 'two'; there: one; {unread}\n"
    )


@pytest.mark.parametrize("option", ["--tag", "--state"])
def test_an_empty_filter_is_refused(tmp_path: Path, option: str) -> None:
    done = command("runs.py", tmp_path, option, "")
    said = f"runs.py: argument {option}: is empty: leave it out, or say which; see runs.py --help\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said)


def test_a_name_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    write_small_run(tmp_path / "a\x1b[2Jb\nc", tag="\x1b]0;title\x07")
    text = run_list(Catalogue(tmp_path).overview(), {})
    assert "\x1b" not in text
    assert len(text.splitlines()) == 2


def test_an_empty_root_says_that_there_is_no_run(tmp_path: Path) -> None:
    assert command("runs.py", tmp_path).stdout == "no run here yet\n"


def test_export_writes_one_file(tmp_path: Path) -> None:
    write_small_run(tmp_path / "runs" / "d4-1")
    done = command("review.py", tmp_path / "runs", "--export", tmp_path / "review.html")
    assert done.stdout.startswith(f"wrote {tmp_path}/review.html (")
    assert (tmp_path / "review.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "'nowhere' is not a folder"),
        ([".", "--port", "99999999"], "cannot listen on 127.0.0.1 port 99999999"),
        ([".", "--port", "-1"], "cannot listen on 127.0.0.1 port -1"),
        ([".", "--port", "x"], "invalid int value: 'x'"),
        ([".", "--host", "no such host"], "cannot listen on no such host"),
        ([".", "--host", ""], "argument --host: is empty"),
        ([".", "--tag", "x"], "--tag goes with --export"),
        ([".", "--export", "x.html"], "no run to export; tags: none"),
    ],
)
def test_a_mistake_is_one_line_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("review.py", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("review.py: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
