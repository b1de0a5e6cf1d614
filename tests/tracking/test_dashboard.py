"""The online dashboard: its panels show what runs log, its spec needs no server, a second call updates the first."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from analysis.made_runs import write_figure1
from composed import ROOT
from tracking.fake_wandb import FakeWandb
from tracking.read_back import read_one

from selfnorm import config
from selfnorm.afterwards import last_values
from selfnorm.analysis.results import read_results
from selfnorm.dashboard.publishing import publish, write_specs
from selfnorm.dashboard.report import make_report
from selfnorm.dashboard.workspace import COLUMNS, make_workspace
from selfnorm.training.job import run_job

Make = Callable[..., config.Job]
RESULTS = ROOT / "docs/results/figure1"


def specs(path: Path, *, tags: tuple[str, ...] = ("figure1-preview",)) -> dict[str, Any]:
    tables = read_results(RESULTS)
    write_specs(make_workspace("e", "p", tags), make_report("e", "p", tables, tags), path)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def found_at(tree: Any, key: str) -> Iterator[Any]:
    """Every value of a key, anywhere in a spec."""
    children = list(tree.values()) if isinstance(tree, dict) else tree if isinstance(tree, list) else []
    if isinstance(tree, dict) and key in tree:
        yield tree[key]
    for child in children:
        yield from found_at(child, key)


@pytest.mark.slow
def test_every_key_of_every_panel_is_a_key_that_a_run_logs(make_job: Make, tmp_path: Path) -> None:
    job = make_job("logger.mode=offline", "training.epochs=12")  # long enough for a fluctuation
    run_job(job, last_values=last_values)
    run = read_one(job.folder)
    logged = {key.removesuffix("._type") for row in (*run.rows, *run.pictures) for key in row}
    spec = specs(tmp_path / "spec.json")
    metrics = {key for keys in found_at(spec, "metrics") for key in keys} | set(found_at(spec, "xAxis")) - {"_step"}
    pictures = {key for keys in found_at(spec, "mediaKeys") for key in keys}
    assert len(metrics) > 5
    assert metrics | pictures <= logged
    assert {run.pictures[0][f"{key}._type"] for key in pictures} == {"image-file"}
    for pattern in set(found_at(spec, "metricRegex")):
        assert any(re.search(pattern, key) for key in logged), pattern
    for group in set(found_at(spec, "groupBy")):
        assert group.removesuffix(".value") in run.settings
    for column in COLUMNS:
        section, name = column.split(":", 1)
        if section != "run":
            assert name.removesuffix(".value") in (run.settings if section == "config" else logged), column


def test_a_grid_for_each_data_set_and_depth_filters_by_settings_that_runs_have() -> None:
    report = make_report("e", "p", read_results(RESULTS), ("a", "b"))
    filters = [block.runsets[0].filters for block in report.blocks if hasattr(block, "runsets")]
    assert len(set(filters[:6])) == 6
    assert filters[0] == """Config("tag") in ['a', 'b'] and Config("dataset") == 'mnist' and Config("depth") == 8"""
    assert filters[6:] == ["""Config("tag") in ['a', 'b']"""] * 2  # layers and runs


def test_the_report_has_the_verdicts_and_a_row_for_each_cell() -> None:
    report = make_report("e", "p", read_results(RESULTS))
    words = "\n".join(block.text for block in report.blocks if type(block).__name__ == "MarkdownBlock")
    assert words.count("BN fluctuates more: ") == 6
    rows = (RESULTS / "networks.md").read_text().splitlines()[2:]
    assert len(rows) == 12
    assert all(row in words for row in rows)


def test_one_network_alone_gives_a_report_without_verdicts() -> None:
    tables = read_results(RESULTS)
    alone = type(tables)(**{**vars(tables), "cells": tables.cells[tables.cells["network"] == "SNN"]})
    text = [str(block) for block in make_report("e", "p", alone).blocks]
    assert any("No verdict" in line for line in text)


def test_a_dry_run_needs_no_network_and_no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)  # nor W&B's service, which could
    for source in (None, RESULTS):
        line, _ = publish(source, (), None, "p", tmp_path / "spec.json")
        assert str(tmp_path / "spec.json") in line
        assert set(json.loads((tmp_path / "spec.json").read_text())) == {"workspace", "report"}


def test_without_a_source_the_verdicts_are_of_the_runs_here_else_the_committed_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def published(*tags: str) -> tuple[str, str]:
        _, numbers = publish(None, tags, None, "p", Path("spec.json"))
        return numbers, Path("spec.json").read_text()

    numbers, spec = published()
    assert numbers.startswith("charts without verdicts: runs is not a folder")
    assert "Does the claim hold?" not in spec
    (tmp_path / "docs/results").mkdir(parents=True)
    (tmp_path / "docs/results/figure1").symlink_to(RESULTS)
    (tmp_path / "runs").mkdir()  # of a clone in which nothing was trained yet
    numbers, spec = published()
    assert numbers == "verdicts from docs/results/figure1"
    assert "MNIST, depth 32, BN fluctuates more" in spec
    write_figure1(tmp_path / "runs", datasets=("digits",), epochs=30, records=3)
    numbers, spec = published()
    assert numbers == "verdicts from runs"
    assert "digits, depth 32, BN fluctuates more" in spec
    assert "MNIST" not in spec
    assert published("elsewhere")[0].startswith("charts without verdicts: no run below runs has tag elsewhere")


@pytest.mark.parametrize("option", ["--project", "--entity"])
@pytest.mark.parametrize("name", ["", "a/b\n#"])
def test_a_name_that_wandb_does_not_take_is_refused_in_one_line(option: str, name: str, tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "scripts/dashboard.py"), str(RESULTS), option, name, "--dry-run", "spec.json"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"argument {option}: {name!r} is not a name that W&B accepts: 1 to 128 characters" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_saved_once_and_updated_the_second_time(server: FakeWandb) -> None:
    for _ in range(2):
        lines = publish(RESULTS, (), None, "p", None)
        assert [line.split(": ")[0] for line in lines] == ["workspace", "report", f"verdicts from {RESULTS}"]
        assert sorted(view["type"] for view in server.views.values()) == ["project-view", "runs"]
    assert not server.unknown
    (workspace,) = (view for view in server.views.values() if view["type"] == "project-view")
    assert (workspace["entity"], workspace["project"]) == ("e", "p")
    titles = [section["name"] for section in workspace["spec"]["section"]["panelBankConfig"]["sections"]]
    assert titles == ["Training error", "How much it varies", "Layers", "Runs"]


def test_a_server_that_refuses_is_named_in_one_line(server: FakeWandb) -> None:
    server.mode = "401"
    with pytest.raises(ValueError, match="--dry-run FILE needs no server"):
        publish(None, (), None, "p", None)
