"""W&B as a mirror: the same numbers as the files, closed also when training fails, never in the way."""

from __future__ import annotations

import json
import logging
import math
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import wandb
from tracking.read_back import pieces, read_back, read_one

from selfnorm import config
from selfnorm.afterwards import last_values
from selfnorm.tracking import mirror as mirror_module
from selfnorm.tracking.mirror import Mirror
from selfnorm.tracking.resuming import delete_stale_pieces
from selfnorm.tracking.values import curve_values, moment_values
from selfnorm.training import job as job_module
from selfnorm.training.job import run_job

Make = Callable[..., config.Job]
OFFLINE = "logger.mode=offline"


@pytest.fixture(autouse=True)
def fresh_wandb() -> Iterator[None]:
    """W&B reads the environment once per process; each test has its own."""
    wandb.teardown()
    yield
    wandb.teardown()


def test_curves_become_mean_spread_and_number_of_finite_seeds() -> None:
    rows = [{"split": "train", "seed": s, "loss": v, "accuracy": 0.5} for s, v in [(0, 1.0), (1, 3.0), (2, math.nan)]]
    found = curve_values(rows)
    assert (found["train/loss_mean"], found["train/loss_sd"], found["train/loss_n"]) == (2.0, math.sqrt(2), 2)
    assert found["train/loss_seed_1"] == 3.0
    assert "train/loss_sd" not in curve_values(rows[:1])
    assert "train/loss_mean" not in curve_values(rows[2:])


WHICH = ("first", "middle", "last", "smallest", "largest")


def test_moments_become_one_key_a_layer_as_the_mean_over_seeds() -> None:
    rows = [{"step": 0, "epoch": 0, "seed": s, "layer": 7, "activation_mean": float(s)} for s in (1, 2)]
    glance = dict.fromkeys((f"layers/activation_mean_{which}" for which in WHICH), 1.5)
    assert moment_values(rows) == {"moments_activation_mean/layer_07": 1.5} | glance


def test_a_few_layers_stand_for_all_at_first_sight() -> None:
    rows = [
        {"step": 0, "epoch": 0, "seed": 0, "layer": n, "activation_variance": float(n % 9), "saturated": 0.1}
        for n in range(1, 33)
    ]
    found = {key.removeprefix("layers/"): v for key, v in moment_values(rows).items() if key.startswith("layers/")}
    assert found == {f"activation_variance_{w}": v for w, v in zip(WHICH, (1, 8, 5, 0, 8), strict=True)}  # 17 % 9 is 8


def test_the_gradients_gain_is_that_of_the_first_layer_over_the_last_by_number() -> None:
    rows = [
        {"step": 0, "epoch": 0, "seed": 0, "layer": n, "gradient_second_moment": float(n)} for n in range(120, 0, -1)
    ]
    values = moment_values(rows)
    assert values["gradient_gain"] == 1 / 120
    assert values["moments_gradient_second_moment/layer_120"] == 120
    assert "gradient_gain" not in moment_values(rows[:1])


def test_wandb_holds_the_numbers_of_the_tidy_files(make_job: Make) -> None:
    job = make_job("model.depth=3", OFFLINE)
    run_job(job, last_values=last_values)
    rows, pictures, settings, summary, exit_code, metrics = read_one(job.folder)
    assert exit_code == 0
    assert len(pictures) == 1
    assert summary["state"] == "finished"
    assert {key: settings[key] for key in ("depth", "activation", "dataset", "num_seeds")} == {
        "depth": 3, "activation": "selu", "dataset": "digits", "num_seeds": 2,
    }  # fmt: skip
    assert settings["environment"]["versions"]["torch"]
    curves, moments = (pd.read_csv(job.folder / name) for name in ("curves.csv", "moments.csv"))
    assert [row["step"] for row in rows] == sorted(curves.step.unique())
    for row in rows:
        for _, expected in curves[curves.step == row["step"]].iterrows():
            for quantity in ("loss", "accuracy"):
                key = f"{expected.split}/{quantity}_seed_{expected.seed}"
                assert row[key] == pytest.approx(expected[quantity], rel=1e-12)
        for split, here in curves[curves.step == row["step"]].groupby("split"):
            for quantity in ("loss", "accuracy"):
                assert row[f"{split}/{quantity}_mean"] == pytest.approx(here[quantity].mean(), rel=1e-12)
                assert row[f"{split}/{quantity}_sd"] == pytest.approx(here[quantity].std(ddof=1), rel=1e-9)
            assert row[f"{split}/loss_n"] == len(here)
        of_step = moments[moments.step == row["step"]].drop(columns=["step", "epoch", "seed"])
        for layer, means in of_step.groupby("layer").mean().iterrows():
            for quantity, value in means.items():
                assert row[f"moments_{quantity}/layer_{layer:02d}"] == pytest.approx(value, rel=1e-12)
    keys = {key for row in (*rows, *pictures) for key in row} - {"step", "epoch"}
    for key in {key for key in keys if not key.startswith("_")}:
        (match,) = (name for name in metrics if key == name or (name[-1] == "*" and key.startswith(name[:-1])))
        assert metrics[match]["step"] == "step"
        assert metrics[match].get("hidden", False) == ("_seed_" in key or key.startswith("moments_")), key


def test_a_failing_job_still_ends_its_wandb_run(make_job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("no trainer today")

    monkeypatch.setattr(job_module, "make_trainer", fail)
    job = make_job(OFFLINE)
    with pytest.raises(RuntimeError, match="no trainer today"):
        run_job(job)
    (piece,) = pieces(job.folder)
    assert read_back(piece).exit_code == 1
    assert json.loads((job.folder / "summary.json").read_text())["state"] == "failed"


@pytest.mark.parametrize(
    ("key", "url", "reason"),
    [("0" * 40, "http://127.0.0.1:{port}", "does not answer"), ("", "https://wandb.invalid", "no API key for wandb.")],
    ids=["closed port", "no key"],
)
def test_a_server_that_cannot_be_used_means_one_warning_and_an_offline_run(
    key: str, url: str, reason: str, make_job: Make, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, unused_port: int, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_BASE_URL", url.format(port=unused_port))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    job = make_job("logger.mode=online")
    with caplog.at_level(logging.WARNING, logger="selfnorm"):
        run_job(job)
    (warning,) = [record.getMessage() for record in caplog.records if "W&B" in record.getMessage()]
    assert reason in warning
    assert "scripts/upload.py" in warning
    assert len(read_one(job.folder).rows) == 3


def test_a_server_that_never_answers_means_an_offline_run_with_all_rows(
    make_job: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.delenv("WANDB_MODE", raising=False)
        monkeypatch.setattr(mirror_module, "INIT_SECONDS", 2.0)
        job = make_job("logger.mode=online")
        with caplog.at_level(logging.WARNING, logger="selfnorm"):
            run_job(job)
    (warning,) = [record.getMessage() for record in caplog.records if "W&B" in record.getMessage()]
    assert "no run could be started online" in warning
    assert len(read_one(job.folder).rows) == 3


def test_after_a_failure_the_next_run_of_the_process_has_its_own_wandb_run(make_job: Make, tmp_path: Path) -> None:
    mirrors = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        mirrors.append(Mirror(make_job(OFFLINE, f"tag={name}"), tmp_path / name, {}))
        if name == "first":
            mirrors[0]._continue_offline("lost")
            mirrors[0]._continue_offline("lost again")
            assert mirrors[0].run is None
    mirrors[1].log({"step": 0}, [], [])
    mirrors[1].finish({}, exit_code=0)
    (piece,) = pieces(tmp_path / "second")
    assert read_back(piece).exit_code == 0


def test_a_resumed_offline_run_is_one_piece_with_every_row(make_job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(OFFLINE, "training.checkpoint_seconds=0")
    log = Mirror.log

    def crash(self: Mirror, at: Any, *rows: Any) -> None:
        log(self, at, *rows)
        if at["step"] == 4:
            raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(Mirror, "log", crash)
        with pytest.raises(RuntimeError, match="crash"):
            run_job(job)
    run_job(job)
    (piece,) = pieces(job.folder)
    assert (job.folder / "wandb_id").read_text() in piece.name
    rows = read_back(piece).rows
    assert [row["step"] for row in rows] == sorted(pd.read_csv(job.folder / "curves.csv").step.unique())


def test_a_run_that_breaks_is_left_behind_with_one_warning(
    make_job: Make, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def log(self, values: Any) -> None:
            raise ConnectionResetError("wandb-core is gone")

    mirror = Mirror(make_job(OFFLINE), tmp_path, {})
    monkeypatch.setattr(mirror_module, "_init", lambda *_: (_ for _ in ()).throw(OSError("no more")))
    mirror.run, mirror.lost = Broken(), True
    for step in (0, 1):
        mirror.log({"step": step}, [], [])
    mirror.finish({}, exit_code=0)
    (warning,) = [record.getMessage() for record in caplog.records if record.name.startswith("selfnorm")]
    assert warning.startswith("W&B: log failed (wandb-core is gone)")


@pytest.mark.parametrize("edited", ["x/../../victim", "*", "", "x\n", "é", "\x00", "a" * 1000])
def test_an_id_edited_by_hand_is_made_anew_and_an_own_one_kept(edited: str, tmp_path: Path) -> None:
    (tmp_path / "wandb_id").write_text(edited)
    made = mirror_module._run_id(tmp_path)
    assert re.fullmatch("[0-9a-f]{12}", made)
    assert mirror_module._run_id(tmp_path) == made


@pytest.mark.parametrize("run_id", ["x/../../victim", "*", "link"])
def test_pieces_are_found_in_their_own_folder_alone(run_id: str, tmp_path: Path) -> None:
    for name in ("run/wandb/offline-run-1-x", "run/wandb/offline-run-1-other", "victim"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "run/wandb/run-1-link").symlink_to(tmp_path / "victim")
    assert delete_stale_pieces(tmp_path / "run", run_id) == -1
    assert sorted(path.name for path in tmp_path.glob("run/wandb/*")) == [
        "offline-run-1-other",
        "offline-run-1-x",
        "run-1-link",
    ]
    assert (tmp_path / "victim").is_dir()
