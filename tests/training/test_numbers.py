"""Numbers that are none, and data without variety: named where they occur, and never spread to what is sound."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch

from selfnorm import config
from selfnorm.analysis.runs import load_runs
from selfnorm.data.splits import Split, load_splits
from selfnorm.training import job as job_module
from selfnorm.training.command import attempt
from selfnorm.training.job import run_job

Make = Callable[..., config.Job]
Edit = Callable[[Split], Split]
NETWORKS = {
    "SELU": (),
    "batch normalization": ("activation=relu", "normalization=batch"),
    "layer normalization": ("activation=relu", "normalization=layer"),
    "weight normalization": ("activation=relu", "normalization=weight"),
    "alpha dropout": ("dropout=alpha",),
}


def change_training_data(edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*arguments: Any, **options: Any) -> Any:
        splits = load_splits(*arguments, **options)
        return replace(splits, train=edit(splits.train))

    monkeypatch.setattr(job_module, "load_splits", load)


def curves(job: config.Job) -> pd.DataFrame:
    return pd.read_csv(job.folder / "curves.csv")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_in_the_data_that_is_no_number_ends_the_run_at_once(
    value: float, make_job: Make, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def edit(split: Split) -> Split:
        x_NF = split.x_NF.clone()
        x_NF[17, 5] = value
        return Split(x_NF, split.y_N)

    change_training_data(edit, monkeypatch)
    job = make_job()
    assert attempt(job) == 3
    assert "every seed diverged (training error not finite) by step 0; look at the data" in capfd.readouterr().err
    assert json.loads((job.folder / "summary.json").read_text())["state"] == "diverged"


class Poison(pl.Callback):
    """Puts a value into one weight of one replica, before the sixth step."""

    def __init__(self, replica: int, value: float) -> None:
        self.replica, self.value = replica, value

    def on_train_batch_start(self, trainer: pl.Trainer, module: Any, *rest: Any) -> None:
        if trainer.global_step == 5:
            module.network.hidden[0].linear.weight_RIO.data[self.replica, 0, 0] = self.value


@pytest.mark.parametrize("network", ["SELU", "batch normalization", "alpha dropout"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_weight_of_one_seed_that_is_no_number_leaves_the_others_as_they_were(
    network: str, value: float, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = make_job("seeds=[0,1,2]", "tag=healthy", *NETWORKS[network])
    run_job(healthy)
    make = job_module.make_trainer
    monkeypatch.setattr(job_module, "make_trainer", lambda job, calls: make(job, [*calls, Poison(1, value)]))
    sick = healthy.model_copy(update={"tag": "sick"})
    summary = run_job(sick)
    assert summary["diverged"] == {"1": 8}
    assert summary["train_loss"]["n"] == 2
    for name in ("curves.csv", "moments.csv"):
        ours, theirs = (pd.read_csv(job.folder / name).query("seed != 1") for job in (healthy, sick))
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    seeds = load_runs(Path(sick.runs_dir), ("sick",)).seeds
    assert seeds.set_index("seed")["diverged_step"].dropna().to_dict() == {1: 8.0}


@pytest.mark.parametrize("network", ["SELU", "batch normalization"])
def test_a_step_that_overflows_every_seed_is_one_line(
    network: str, make_job: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    job = make_job("optimizer.lr=1e30", "training.epochs=3", *NETWORKS[network])
    assert attempt(job) == 3
    assert "try a smaller optimizer.lr than 1e+30" in capfd.readouterr().err


DULL: dict[str, Edit] = {
    "every sample the same": lambda split: Split(split.x_NF[:1].expand_as(split.x_NF).clone(), split.y_N),
    "every feature constant": lambda split: Split(torch.zeros_like(split.x_NF), split.y_N),
    "one class only": lambda split: Split(split.x_NF, torch.full_like(split.y_N, 3)),
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("data", DULL)
def test_data_without_variety_train_to_finite_numbers(
    data: str, network: str, make_job: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_training_data(DULL[data], monkeypatch)
    job = make_job("model.depth=4", "training.epochs=3", "optimizer.lr=1e-3", *NETWORKS[network])
    summary = run_job(job)
    assert summary["diverged"] == {}
    train = curves(job).query("split == 'train'")
    assert train.loss.map(lambda loss: 0 <= loss < 20).all()
    if data == "one class only":  # which can be learned
        assert train.query("epoch == 3").loss.max() < train.query("epoch == 0").loss.min()
    moments = pd.read_csv(job.folder / "moments.csv")
    # A sample of zeros has no direction, and values that are all the same have no kurtosis
    undefined = [name for name in moments if name.endswith(("_cosine", "_kurtosis"))]
    assert moments.drop(columns=undefined if data == "every feature constant" else []).notna().all(axis=None)


@pytest.mark.parametrize("samples", [1, 5, 127])
def test_fewer_samples_than_a_batch_are_refused_before_training(samples: int, make_job: Make) -> None:
    with pytest.raises(config.ConfigError, match=rf"training.batch_size=128: must be 1 to {samples} here"):
        make_job(f"dataset.train_limit={samples}")
    run_job(make_job(f"dataset.train_limit={samples}", f"training.batch_size={samples}"))


def test_the_last_partial_batch_is_left_out_and_no_sample_is_counted_twice(make_job: Make) -> None:
    job = make_job("dataset.train_limit=129", "training.batch_size=128")
    run_job(job)
    assert curves(job).query("split == 'train'").step.unique().tolist() == [0, 1, 2]
