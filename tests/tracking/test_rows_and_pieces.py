"""What W&B is told: the gain of the gradient, the step that charts are drawn against, and each step once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wandb
from tracking.fake_wandb import FakeWandb
from tracking.read_back import pieces

from selfnorm import config
from selfnorm.tracking.mirror import Mirror
from selfnorm.tracking.values import moment_values

Make = Callable[..., config.Job]


def log(mirror: Mirror, *steps: int) -> None:
    for step in steps:
        row = {"split": "train", "seed": 0, "loss": 1.0 / (1 + step), "accuracy": 0.5}
        mirror.log({"step": step, "epoch": step // 4}, [row], [])


def records(piece: Path, kind: str) -> list[dict[str, Any]]:
    command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json", piece]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return [record[kind] for record in map(json.loads, done.stdout.splitlines()) if record["type"] == kind]


def steps_of(piece: Path) -> list[int]:
    return [record["item"]["step"] for record in records(piece, "history")]


def test_the_gradient_gain_is_the_first_layers_mean_square_over_the_last_ones() -> None:
    rows = [
        {"step": 0, "epoch": 0, "seed": seed, "layer": layer, "gradient_second_moment": 8.0 / layer + seed}
        for seed in (0, 2) for layer in (1, 2, 4)
    ]  # fmt: skip
    assert moment_values(rows)["gradient_gain"] == pytest.approx((8 + 1) / (2 + 1))


def test_a_moment_is_the_mean_over_the_seeds_that_stayed_finite() -> None:
    values = {0: 1.0, 1: float("nan"), 2: 3.0, 3: float("inf")}
    rows = [
        {"step": 0, "epoch": 0, "seed": seed, "layer": 1, "activation_mean": value} for seed, value in values.items()
    ]
    assert moment_values(rows)["moments_activation_mean/layer_01"] == 2.0


def test_every_chart_is_drawn_against_the_step_and_an_uploaded_piece_is_kept(make_job: Make, tmp_path: Path) -> None:
    job = make_job("logger.mode=offline")
    first = Mirror(job, tmp_path, {})
    log(first, 0, 4)
    first.finish({}, exit_code=1)
    (uploaded,) = pieces(tmp_path)
    drawn = [metric for metric in records(uploaded, "metric") if metric.get("name") != "step"]
    assert {"layers/*", "moments_*"} <= {metric.get("glob_name") for metric in drawn}
    assert {metric["step_metric"] for metric in drawn} == {"step"}
    (file,) = uploaded.glob("run-*.wandb")
    file.with_name(f"{file.name}.synced").touch()  # as `wandb sync` marks what it has uploaded
    wandb.teardown()
    second = Mirror(job, tmp_path, {})
    log(second, 0, 4, 8)
    second.finish({}, exit_code=0)
    assert uploaded in pieces(tmp_path)
    assert sorted(map(steps_of, pieces(tmp_path))) == [[0, 4], [8]]


def test_a_run_that_goes_on_online_sends_no_step_twice(make_job: Make, tmp_path: Path, server: FakeWandb) -> None:
    job = make_job("logger.mode=online")
    for steps in ((0, 4), (0, 4, 8)):
        mirror = Mirror(job, tmp_path, {})
        log(mirror, *steps)
        mirror.finish({}, exit_code=0)
        wandb.teardown()
    (run,) = server.runs.values()
    assert [row["step"] for row in run.history] == [0, 4, 8]
