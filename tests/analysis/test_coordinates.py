"""Every setting that decides a run's numbers is a coordinate, so that no difference between two runs goes unseen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analysis.made_runs import config, errors, write_run
from composed import compose_job

from selfnorm.analysis.comparison import unequal_pairs
from selfnorm.analysis.coordinates import changed_axes, coordinates
from selfnorm.analysis.results import read_results, write_results
from selfnorm.analysis.runs import load_runs
from selfnorm.studies.causes import in_words

NETWORKS = (
    ("activation=selu", "activation.alpha=1", "activation.lambda=2", "dropout=standard", "optimizer.momentum=0.5"),
    ("activation=selu", "activation.fixed_point=[0,2]", "normalization=layer", "optimizer=adam", "trainer=ddp"),
    ("activation=leaky_relu", "normalization=batch", "dataset.train_limit=500", "recording.error_samples=64"),
    ("activation=elu", "normalization=weight", "training.error_batch_size=32", "model.width=16", "model.gain=2"),
)


def changed(value: Any) -> Any:
    """Another value that a configuration could hold in the place of this one."""
    match value:
        case bool():
            return not value
        case None:
            return 7
        case str():
            return f"another_{value}"
        case _:
            return value + 1


def differing_axes(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    table = pd.DataFrame([coordinates(one), coordinates(other)])
    return changed_axes(table.iloc[0], table.iloc[1])


def test_every_key_of_the_identity_but_seeds_and_tag_is_on_an_axis() -> None:
    keys, seen = set(), set()
    for overrides in NETWORKS:
        job = compose_job("dataset=digits", "scale=smoke", *overrides)
        resolved = job.model_dump(by_alias=True)
        assert differing_axes(resolved, resolved | {"seeds": [8], "tag": "other", "runs_dir": "elsewhere"}) == []
        for group in job.identity.keys() - {"seeds", "tag"}:
            for key, value in job.identity[group].items():
                another = [1.0, 2.0] if key == "fixed_point" else changed(value)
                other = resolved | {group: resolved[group] | {key: another}}
                keys.add(f"{group}.{key}")
                if len(differing_axes(resolved, other)) == 1:
                    seen.add(f"{group}.{key}")
    assert len(keys) > 30
    assert seen == keys


@pytest.mark.parametrize(
    ("changes", "axis", "words"),
    [
        ({"trainer__precision": "bf16"}, "precision", "SNN, precision bf16"),
        ({"optimizer__momentum": 0.9}, "optimizer", "SNN, optimizer momentum 0.9"),
        ({"recording__error_samples": 64}, "recording.error_samples", "SNN, recording.error_samples 64"),
        ({"activation__name": "relu"}, "activation", "MSRA"),
    ],
)
def test_a_change_is_named(changes: dict[str, Any], axis: str, words: str) -> None:
    cells = [coordinates(config()) | {"cell": "a"}, coordinates(config()) | {"cell": "b"}]
    table = pd.DataFrame([*cells, coordinates(config(**changes)) | {"cell": "c"}])
    assert changed_axes(table.iloc[0], table.iloc[2]) == [axis]
    assert in_words(table.iloc[2], table) == words


def test_two_precisions_are_not_compared_without_a_word(tmp_path: Path) -> None:
    made = errors(np.random.default_rng(0), seeds=2, epochs=5, noise=0.1, rate=0.5)
    write_run(tmp_path / "SNN", config(network="SNN"), made)
    write_run(tmp_path / "BN", config(network="BN", trainer__name="cpu", trainer__precision="bf16"), made)
    loaded = load_runs(tmp_path)
    expected = ["MNIST, depth 8: BN and SNN also differ in precision"]
    assert unequal_pairs(loaded.cells) == expected
    write_results(loaded, tmp_path / "committed")
    first = (tmp_path / "committed/cells.csv").read_bytes()
    again = read_results(tmp_path / "committed")
    assert unequal_pairs(again.cells) == expected
    write_results(again, tmp_path / "committed")
    assert (tmp_path / "committed/cells.csv").read_bytes() == first
