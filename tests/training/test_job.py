"""A run folder from beginning to end: resumed, finished, diverged, busy, and never shared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import pytorch_lightning as pl
from pytorch_lightning.utilities.rank_zero import rank_zero_only
from safetensors.torch import load_file

from selfnorm import config
from selfnorm.networks.moments import is_recorded
from selfnorm.review.catalogue import Catalogue
from selfnorm.runs.layout import MOMENT_COLUMNS
from selfnorm.tracking import mirror
from selfnorm.training import job as job_module
from selfnorm.training.checkpoints import CheckpointRefused
from selfnorm.training.command import attempt
from selfnorm.training.job import run_job, shown
from selfnorm.training.recording import AllSeedsDiverged, is_validated

Make = Callable[..., config.Job]


def tables(folder: Path) -> tuple[str, str]:
    return (folder / "curves.csv").read_text(), (folder / "moments.csv").read_text()


def summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "summary.json").read_text())


class CrashAtTheEnd(pl.Callback):
    """Dies between the last epoch and the final measurement."""

    def on_train_epoch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        if trainer.current_epoch + 1 == trainer.max_epochs:
            raise RuntimeError("crash")


class Crash(pl.Callback):
    """Dies in the middle of an epoch, as a killed process would: no clean-up of the run's files."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        if trainer.current_epoch == self.epoch:
            raise RuntimeError("crash")


def crash_by(callback: pl.Callback, monkeypatch: pytest.MonkeyPatch) -> None:
    make = job_module.make_trainer
    monkeypatch.setattr(job_module, "make_trainer", lambda job, calls: make(job, [*calls, callback]))


@pytest.mark.parametrize("crash", [Crash(3), CrashAtTheEnd()], ids=["mid-epoch", "after the last epoch"])
@pytest.mark.parametrize(
    "overrides",
    [
        ("dropout=alpha", "dropout.rate=0.1"),
        ("activation.fixed_point=[-0.1,2]", "activation.learn=true"),
        ("activation=relu", "normalization=batch", "optimizer=adam"),
        ("optimizer.momentum=0.9", "recording.errors_per_epoch=2"),
        ("trainer.precision=bf16",),
    ],
    ids=["dropout", "learned constants", "batch normalization and Adam", "momentum, two errors an epoch", "bfloat16"],
)
def test_a_resumed_run_is_identical_to_an_undisturbed_one(
    overrides: tuple[str, ...], crash: pl.Callback, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = make_job("training.epochs=5", "training.checkpoint_seconds=0", "tag=quiet", *overrides)
    run_job(quiet)
    disturbed = quiet.model_copy(update={"tag": "disturbed"})
    with monkeypatch.context() as patch:
        crash_by(crash, patch)
        with pytest.raises(RuntimeError, match="crash"):
            run_job(disturbed)
    assert summary(disturbed.folder)["state"] == "failed"
    with (disturbed.folder / "curves.csv").open("a") as file:
        file.write("384,3,0,tr")  # half a row
    run_job(disturbed)
    assert summary(disturbed.folder)["state"] == "finished"
    assert tables(disturbed.folder) == tables(quiet.folder)
    ours, theirs = (load_file(job.folder / "network.safetensors") for job in (quiet, disturbed))
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_a_finished_run_is_not_trained_again_unless_asked(make_job: Make, capfd: pytest.CaptureFixture[str]) -> None:
    job = make_job()
    run_job(job)
    before = {path: path.stat().st_mtime_ns for path in job.folder.iterdir()}
    run_job(job)
    assert "finished already" in capfd.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in job.folder.iterdir()} == before
    run_job(job.model_copy(update={"overwrite": True}))
    assert (job.folder / "curves.csv").stat().st_mtime_ns > before[job.folder / "curves.csv"]


def test_a_list_shows_the_error_that_a_run_reports(make_job: Make) -> None:
    job = make_job()
    run_job(job)
    (listed,) = Catalogue(Path(job.runs_dir)).overview()["runs"]
    assert listed["error"] == pytest.approx(summary(job.folder)["train_loss"]["mean"], rel=1e-4)  # five digits


def test_a_finished_folder_holds_tidy_tables(make_job: Make) -> None:
    job = make_job("model.depth=3", "seeds=[4,2]")
    run_job(job)
    curves, moments = (pd.read_csv(job.folder / name) for name in ("curves.csv", "moments.csv"))
    train = curves[curves.split == "train"]
    assert train.groupby("seed").epoch.apply(list).to_dict() == {2: [0, 1, 2], 4: [0, 1, 2]}
    assert (train.step == train.epoch * 4).all()  # 512 samples are 4 batches of 128
    assert set(curves.split) == {"train", "validation", "test"}
    assert list(moments.columns) == list(MOMENT_COLUMNS)
    assert moments.groupby(["step", "seed"]).layer.apply(list).map(tuple).unique().tolist() == [(1, 2, 3)]
    assert (moments.filter(like="variance") >= 0).all().all()
    found = summary(job.folder)
    final = train[train.epoch == 2].set_index("seed").loss
    assert found["train_loss"]["by_seed"] == {str(seed): final[seed] for seed in (4, 2)}
    assert found["train_loss"]["mean"] == pytest.approx(final.mean())
    assert found["train_loss"]["sd"] == pytest.approx(final.std())
    environment = json.loads((job.folder / "environment.json").read_text())
    assert environment["versions"]["torch"]


def test_a_diverged_seed_is_marked_and_the_others_are_bit_identical(
    make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = make_job("seeds=[0,1,2]", "training.epochs=3", "tag=healthy")
    run_job(healthy)

    class Poison(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, module: Any, *rest: Any) -> None:
            if trainer.global_step == 6:
                module.network.output.bias_R1O.data[1] = float("nan")

    make = job_module.make_trainer
    monkeypatch.setattr(job_module, "make_trainer", lambda job, calls: make(job, [*calls, Poison()]))
    sick = healthy.model_copy(update={"tag": "sick"})
    found = run_job(sick)
    assert found["diverged"] == {"1": 8}  # seen at the end of the epoch in which it happened
    assert found["train_loss"]["n"] == 2
    assert found["train_loss"]["by_seed"]["1"] is None
    ours, theirs = (pd.read_csv(job.folder / "curves.csv").query("seed != 1") for job in (healthy, sick))
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    assert pd.read_csv(sick.folder / "curves.csv").query("seed == 1 and step >= 8").loss.isna().all()


def test_a_run_whose_seeds_all_diverge_ends_with_a_message_and_exit_code_3(
    make_job: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    job = make_job("activation=relu", "optimizer.lr=1e6", "training.epochs=3")
    with pytest.raises(AllSeedsDiverged, match=r"every seed diverged .* smaller optimizer\.lr than 1e\+06"):
        run_job(job)
    found, curves = summary(job.folder), pd.read_csv(job.folder / "curves.csv").query("split == 'train'")
    assert (found["state"], found["steps"]) == ("diverged", curves["step"].max())
    assert found["diverged"] == {str(seed): found["steps"] for seed in job.seeds}
    assert found["seconds"] > 0
    assert attempt(job) == 3
    assert "every seed diverged" in capfd.readouterr().err


def test_a_folder_with_too_long_a_name_is_a_mistake_in_the_request(
    make_job: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    assert attempt(make_job(f"runs_dir={'a' * 300}")) == 2
    assert "File name too long" in capsys.readouterr().err


@pytest.mark.parametrize("damage", [lambda whole: b"garbage", lambda whole: whole[: len(whole) // 2]])
def test_a_damaged_checkpoint_is_refused_in_one_line(
    damage: Callable[[bytes], bytes], make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job("training.checkpoint_seconds=0")
    with monkeypatch.context() as patch:
        crash_by(Crash(1), patch)
        assert attempt(job) == 1
    path = job.folder / "checkpoint.ckpt"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointRefused, match=r"delete checkpoint\.ckpt to start this run afresh"):
        run_job(job)
    assert attempt(job) == 2


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_a_rank_in_the_environment_is_ignored_unless_the_trainer_is_ddp(
    variable: str, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning reads it from that variable
    monkeypatch.setenv(variable, "1")
    job = make_job()
    run_job(job)
    assert summary(job.folder)["state"] == "finished"


def test_bfloat16_gives_the_curve_of_single_precision(make_job: Make) -> None:
    batch = ("activation=relu", "normalization=batch", "model.depth=4", "optimizer.lr=1e-3", "training.epochs=4")
    curves = []
    for precision in ("fp32", "bf16"):
        job = make_job(*batch, f"trainer.precision={precision}")
        run_job(job)
        curves.append(pd.read_csv(job.folder / "curves.csv").query("split == 'train'").loss)
    assert curves[0].iloc[-1] < 0.8 * curves[0].iloc[0]
    assert not curves[0].equals(curves[1])
    assert curves[1].to_numpy() == pytest.approx(curves[0].to_numpy(), rel=0.01)  # 8 bits, averaged over 512 samples


@pytest.mark.parametrize(
    ("override", "shared"),
    [
        ("optimizer.lr=2e-5", False),
        ("training.epochs=3", False),
        ("seeds=[0,2]", False),
        ("model.width=33", False),
        ("trainer.precision=bf16", False),
        ("trainer=ddp_cpu", True),
        ("logger.mode=offline", True),
        ("data_dir=elsewhere", True),
        ("training.checkpoint_seconds=7", True),
    ],
)
def test_folders_are_shared_only_by_configurations_with_the_same_numbers(
    override: str, shared: bool, make_job: Make
) -> None:
    assert (make_job(override).folder == make_job().folder) is shared


def test_training_errors_can_be_taken_within_an_epoch_and_over_fewer_samples(make_job: Make) -> None:
    whole, often = make_job(), make_job("recording.errors_per_epoch=4", "recording.error_samples=256")
    run_job(whole), run_job(often)
    curves = [pd.read_csv(job.folder / "curves.csv").query("split == 'train' and seed == 0") for job in (whole, often)]
    assert [curve.step.tolist() for curve in curves] == [[0, 4, 8], list(range(9))]
    assert curves[0].loss.iloc[-1] != curves[1].loss.iloc[-1]
    same = make_job("recording.errors_per_epoch=4")
    run_job(same)
    every = pd.read_csv(same.folder / "curves.csv").query("split == 'train' and seed == 0")
    assert every.loss.iloc[::4].tolist() == curves[0].loss.tolist()  # measuring more often changes nothing


def test_recording_is_log_spaced_or_regular() -> None:
    assert [epoch for epoch in range(40) if is_recorded(epoch, None)] == [*range(8), 8, 10, 12, 14, 16, 20, 24, 28, 32]
    assert [epoch for epoch in range(40) if is_validated(epoch, None)] == [0, 1, 2, 4, 8, 16, 32]
    assert [epoch for epoch in range(13) if is_validated(epoch, 5)] == [0, 5, 10]
    assert [epoch for epoch in range(13) if is_recorded(epoch, 5)] == [0, 5, 10]


@pytest.mark.parametrize("depth", [1, 3])
def test_a_single_seed_is_a_run_like_any_other(make_job: Make, depth: int) -> None:
    alone = run_job(make_job("seeds=[5]", f"model.depth={depth}"))
    among = run_job(make_job("seeds=[2,5]", f"model.depth={depth}"))
    assert alone["train_loss"]["n"] == 1
    assert alone["train_loss"]["by_seed"]["5"] == pytest.approx(among["train_loss"]["by_seed"]["5"], rel=1e-5)


def test_an_interrupt_before_the_first_step_is_an_interrupt(make_job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(mirror, "Mirror", interrupted)
    job = make_job("logger.mode=offline")
    with pytest.raises(SystemExit) as ended:
        run_job(job)
    assert ended.value.code == 130
    assert summary(job.folder)["state"] == "interrupted"


def test_a_run_for_which_wandb_is_disabled_has_none(make_job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DISABLED", "true")
    job = make_job("logger.mode=offline", "model.depth=2")
    run_job(job)
    assert not list(job.folder.glob("wandb*"))


def test_messages_name_the_folder_that_stays() -> None:
    run = Path("runs/t/digits/selu/d8-0123abcd")
    assert shown(run / ".parts/t/digits/selu/d8-89abcdef") == shown(run) == run
