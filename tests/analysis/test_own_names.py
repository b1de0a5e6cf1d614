"""Runs of a user's own data and activation have the names in tables that they have in folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from composed import compose_job
from data.own_files import numbers, table

from selfnorm.analysis.coordinates import axis_of, coordinates, dataset_title
from selfnorm.tracking.values import flat_config

OWN = ("activation=custom", "activation.function=torch.nn.functional.softplus", "activation.kwargs={beta: 2}")


def test_tables_folders_and_wandb_agree_on_own_names(tmp_path: Path) -> None:
    table(tmp_path, numbers())
    job = compose_job("dataset=table", f"dataset.path={tmp_path}/own.csv", "dataset.target=kind",
                      "training.batch_size=8", f"runs_dir={tmp_path}", *OWN)  # fmt: skip
    row, flat = coordinates(job.model_dump(by_alias=True)), flat_config(job)
    _, dataset, network, _ = job.folder.relative_to(tmp_path).parts
    assert row["dataset"] == flat["dataset"] == dataset_title(row["dataset"]) == dataset
    assert row["activation"] == flat["activation"] == network == "softplus_beta2"
    assert row["network"] == "SOFTPLUS_BETA2"


@pytest.mark.parametrize(
    ("column", "axis"),
    [("dataset.digest", "data set"), ("dataset.target", "data set"), ("train_limit", "training samples"),
     ("activation.kwargs", "activation")],
)  # fmt: skip
def test_what_differs_in_own_runs_is_on_the_axes_that_there_are(column: str, axis: str) -> None:
    assert axis_of(column) == axis
