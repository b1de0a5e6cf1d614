"""Coordinates, controls one axis at a time, and the paper's other networks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_runs import ARCHITECTURES, CAUSES, config, errors, write_architectures, write_causes, write_run

from selfnorm.analysis.causes import architectures, cause_sentences, causes, unmatched_cells
from selfnorm.analysis.coordinates import coordinates, reference_cells
from selfnorm.analysis.results import Tables
from selfnorm.analysis.runs import load_runs
from selfnorm.analysis.statistics import FLUCTUATION


@pytest.fixture(scope="module")
def cause_tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    root = tmp_path_factory.mktemp("causes")
    write_causes(root)
    return load_runs(root)


@pytest.fixture(scope="module")
def cause_table(cause_tables: Tables) -> pd.DataFrame:
    return causes(cause_tables)


@pytest.mark.parametrize(("name", "changes"), ARCHITECTURES)
def test_networks_have_the_papers_names(name: str, changes: dict) -> None:
    assert coordinates(config(**changes))["network"] == name


def test_batch_normalization_elsewhere_has_a_name_of_its_own() -> None:
    assert coordinates(config(network="BN", normalization__position="before"))["network"] == "BN before"
    assert coordinates(config(normalization__name="batch"))["network"] == "SELU + BN"


def test_a_missing_coordinate_is_named() -> None:
    broken = config()
    del broken["optimizer"]["lr"]
    with pytest.raises(ValueError, match=r"config.yaml has no optimizer.lr"):
        coordinates(broken)


def test_the_reference_is_the_centre_of_its_star(cause_tables: Tables) -> None:
    for network in ("BN", "SNN"):
        found = reference_cells(cause_tables.cells, network)
        assert list(found["cell"]) == [f"causes/mnist/{network}-reference/d16-00000000"]


def test_every_control_gives_its_known_ratio(cause_table: pd.DataFrame) -> None:
    fluctuation = cause_table[cause_table["statistic"] == FLUCTUATION].set_index("cell")
    reference_noise = {"BN": 0.12, "SNN": 0.03}
    for name, network, _, noise in CAUSES:
        if name != "reference":
            row = fluctuation.loc[f"causes/mnist/{network}-{name}/d16-00000000"]
            row = row[row["reference"] == network].iloc[0] if row.ndim > 1 else row
            # The log ratio of 6 against 6 seeds with 47 differences each scatters by about 0.08.
            assert row["ratio"] == pytest.approx(noise / reference_noise[network], rel=0.3), name


def test_controls_are_named_by_what_changed(cause_table: pd.DataFrame) -> None:
    found = set(cause_table["control"])
    assert {
        "batch size 128 → 32",
        "evaluation train → eval",
        "normalization before the activation",
        "without normalization",
        "with batch normalization",
        "with alpha dropout 0.05",
        "with standard dropout 0.05",
        "learning rate 1e-05 → 2e-05",
    } <= found


def test_sentences_say_what_a_change_takes_away_or_adds(cause_table: pd.DataFrame) -> None:
    sentences = cause_sentences(cause_table)
    first, last = (
        next(s for s in order if s.startswith("MNIST, depth 16, BN,")) for order in (sentences, sentences[::-1])
    )
    # 0.04 / 0.12: a ninth of the variance is left, 89 % are gone; 0.24 / 0.12 adds 300 %.
    assert "without normalization" in first
    assert "takes away 8" in first or "takes away 9" in first
    assert "batch size 128 → 32" in last
    assert "adds" in last
    assert "smallest reachable" in last


def test_a_cell_that_differs_in_two_axes_is_no_control_and_is_listed(tmp_path: Path) -> None:
    write_causes(tmp_path, seeds=2, epochs=10)
    made = errors(np.random.default_rng(0), seeds=2, epochs=10, noise=0.1, rate=0.5)
    changes = {"training__batch_size": 32, "optimizer__lr": 4e-5}
    write_run(tmp_path / "causes" / "two", config(depth=16, network="SNN", tag="causes", **changes), made)
    loaded = load_runs(tmp_path)
    assert "causes/two" not in set(causes(loaded)["cell"])
    # An SNN's cell is compared with the SNN, in the order of the axes.
    assert unmatched_cells(loaded) == [
        "causes/two: no control, it differs from its reference in batch size, learning rate"
    ]


def test_architectures_stand_in_the_papers_order(tmp_path: Path) -> None:
    write_architectures(tmp_path, seeds=5, epochs=40)
    table = architectures(load_runs(tmp_path))
    assert list(dict.fromkeys(table["network"])) == ["MSRA", "BN", "LN", "WN", "Highway", "ResNet"]
    ratios = table[table["statistic"] == FLUCTUATION]["ratio"]
    # All have the same noise: 5 seeds with 31 differences, the log ratio scatters by 0.11, and the SNN is shared.
    np.testing.assert_allclose(ratios, 1, rtol=0.4)
