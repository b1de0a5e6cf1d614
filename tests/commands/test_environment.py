"""What a machine's environment does to the commands: other folders, a notebook's backend, a locale without UTF-8."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from composed import ROOT
from omegaconf import OmegaConf
from review.made_folders import write_small_run

from selfnorm import commandline

SMALL = ("dataset=digits", "scale=smoke", "model.depth=2", "model.width=8", "logger.mode=disabled", "progress=false")
NOTEBOOK = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}  # as Jupyter and Colab set it
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def run(script: str, *arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        cwd=folder, capture_output=True, encoding="utf-8", timeout=200, env=os.environ | environment,
    )  # fmt: skip


def test_jobs_and_scripts_have_the_same_default_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    for variables in ({}, {"SELFNORM_RUNS": "here", "SELFNORM_DATA": "there"}):
        for name in ("SELFNORM_RUNS", "SELFNORM_DATA"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        config = OmegaConf.load(ROOT / "conf/config.yaml")
        assert (config.runs_dir, config.data_dir) == (str(commandline.runs_folder()), str(commandline.data_folder()))


@pytest.mark.slow
def test_commands_look_for_runs_where_the_variable_says(tmp_path: Path) -> None:
    write_small_run(tmp_path / "elsewhere/tag/d4-1")
    listed = run("scripts/runs.py", folder=tmp_path, SELFNORM_RUNS="elsewhere")
    assert (listed.returncode, "d4" in listed.stdout) == (0, True), listed
    exported = run("scripts/review.py", "--export", "page.html", folder=tmp_path, SELFNORM_RUNS="elsewhere")
    assert (exported.returncode, (tmp_path / "page.html").stat().st_size > 1e5) == (0, True), exported
    planned = run("scripts/dashboard.py", "--dry-run", "plan.json", folder=tmp_path, SELFNORM_RUNS="elsewhere")
    assert "verdicts from elsewhere" in planned.stdout, planned
    missing = run("scripts/runs.py", folder=tmp_path, SELFNORM_RUNS="nowhere")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert "nowhere is not a folder" in missing.stderr


@pytest.mark.slow
def test_commands_look_for_data_where_the_variable_says(tmp_path: Path) -> None:
    (tmp_path / "a_file").touch()
    fetched = run("scripts/fetch.py", "mnist", folder=tmp_path, SELFNORM_DATA="a_file")
    assert fetched.returncode == 1
    assert "the data folder a_file/mnist cannot be used" in fetched.stderr
    trained = run("train.py", *SMALL, folder=tmp_path, SELFNORM_DATA="a_file")
    assert "data_dir=a_file: a_file is not a folder" in trained.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_figure1_reports_from_the_folder_that_it_trains_into(tmp_path: Path) -> None:
    for given, runs in (({}, "runs"), ({"SELFNORM_RUNS": f"{tmp_path}/my runs"}, f"{tmp_path}/my runs")):
        planned = subprocess.run(
            ["make", "--dry-run", "figure1", "SCALE=smoke"],
            cwd=ROOT, capture_output=True, encoding="utf-8", env=os.environ | given, timeout=60,
        )  # fmt: skip
        assert f'scripts/report.py "{runs}" --tag figure1-smoke --out "{runs}/figure1-smoke/report"' in planned.stdout


@pytest.mark.slow
def test_make_figure1_trains_and_reports_in_another_folder(tmp_path: Path) -> None:
    ready = ("--old-file=.venv/.ready", f"RUN={sys.executable}")  # this environment in the place of make's own
    quiet = "ARGS=logger.mode=disabled progress=false model.width=8 seeds=[0,1]"
    made = subprocess.run(
        ["make", *ready, "figure1", "DATASETS=digits", "SCALE=smoke", quiet],
        cwd=ROOT, capture_output=True, encoding="utf-8", env=os.environ | {"SELFNORM_RUNS": str(tmp_path)}, timeout=280,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "figure1-smoke-digits/report/report.md").is_file()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("train.py", SMALL),
        ("scripts/report.py", ("results", "--rebuild")),
        ("scripts/theory.py", ("--out", "theory")),
    ],
)
def test_a_notebooks_backend_does_not_stop_a_command(script: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs/results/figure1", tmp_path / "results")
    done = run(script, *arguments, folder=tmp_path, **NOTEBOOK)
    assert done.returncode == 0, done.stderr


def test_a_terminal_without_utf_8_still_gets_the_list(tmp_path: Path) -> None:
    write_small_run(tmp_path / "runs/tag/d4-1")
    done = run("scripts/runs.py", folder=tmp_path, **ASCII)
    assert (done.returncode, " ? " in done.stdout) == (0, True), done


@pytest.mark.slow
def test_a_locale_without_utf_8_changes_no_file(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs/results/figure1", tmp_path / "results")
    done = run("scripts/report.py", "results", "--rebuild", folder=tmp_path, **ASCII)
    assert done.returncode == 0, done.stderr
    for path in (tmp_path / "results").glob("*.*"):
        if path.suffix in (".md", ".tex", ".csv", ".json"):
            assert path.read_bytes() == (ROOT / "docs/results/figure1" / path.name).read_bytes(), path.name


FAKE_PYTHON = """#!/bin/sh
mkdir -p .venv/bin
cat > .venv/bin/pip <<'END'
#!/bin/sh
mkdir busy || { echo "another pip is at work" >&2; exit 1; }
sleep 0.3
rmdir busy
echo "$@" >> installed
END
chmod +x .venv/bin/pip
"""


@pytest.mark.skipif(not (shutil.which("make") and shutil.which("flock")), reason="needs make and flock")
def test_two_setups_at_once_make_one_environment(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(FAKE_PYTHON)
    (tmp_path / "python").chmod(0o755)
    setups = [subprocess.Popen(["make", "setup", "PYTHON=./python"], cwd=tmp_path) for _ in range(2)]
    assert [setup.wait(60) for setup in setups] == [0, 0]
    assert len((tmp_path / "installed").read_text().splitlines()) == 2
