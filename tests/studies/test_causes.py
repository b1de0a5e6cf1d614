"""Coordinates in the paper's names, and the spread of forks by network and source of perturbation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis.made_runs import ARCHITECTURES, SPREADS, config, write_architectures, write_causes

from selfnorm.analysis.bounds import RESOLUTION
from selfnorm.analysis.coordinates import coordinates, reference_cells
from selfnorm.analysis.results import Tables
from selfnorm.analysis.runs import load_runs
from selfnorm.studies.causes import causes, section


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
        assert list(found["cell"]) == [f"causes/mnist/{network}/d16-00000000"]


def test_every_network_and_source_has_its_known_spread(cause_table: pd.DataFrame) -> None:
    found = cause_table.set_index(["network", "source"])
    assert set(found.index) == {(name, source) for name, (_, spread) in SPREADS.items() for source in spread}
    for name, (_, spread) in SPREADS.items():
        for source, sd in spread.items():
            row = found.loc[name, source]
            assert row["epoch"] == 30
            assert bool(row["bound"]) == (sd == 0)
            # six seeds of eight forks each: the log scatters by 0.27 / sqrt(6)
            assert row["percent"] == pytest.approx(100 * max(sd, RESOLUTION), rel=0.4), (name, source)
            assert row["percent_low"] <= row["percent"] <= row["percent_high"]


def test_each_network_is_set_against_the_second_of_the_comparison(cause_table: pd.DataFrame) -> None:
    rows = cause_table[cause_table["source"] == "all"].set_index("network")
    assert rows.loc["SNN", "n_b"] == 0  # it is no answer to compare a network with itself
    assert rows.loc["BN", "value"] == pytest.approx(50, rel=0.4)
    assert rows.loc["SNN, alpha dropout 0.05", "value"] == pytest.approx(100, rel=0.4)
    assert (rows.drop("SNN")["equal"] == "error").all()
    np.testing.assert_allclose(rows.drop("SNN")["p_holm"], 5 * 2 / 924)  # six against six, five comparisons


def test_the_table_has_a_row_for_each_network_and_no_number_for_what_cannot_perturb_it(cause_tables: Tables) -> None:
    shown = section(cause_tables, ("BN", "SNN")).tables["causes"].view
    assert shown is not None
    rows = shown.set_index("network")
    assert set(rows.index) == set(SPREADS)
    assert (rows["statistics"] != "").sum() == 1
    assert rows.loc["SNN", "evaluation"].startswith("≤")
    assert rows.loc["SNN", "all, / SNN"] == ""
    assert rows.loc["BN", "p"] == "0.011"


def test_runs_that_were_not_forked_are_no_study_of_causes(tmp_path: Path) -> None:
    write_architectures(tmp_path, seeds=2, epochs=10)
    with pytest.raises(ValueError, match=r"run \+sweep=causes"):
        section(load_runs(tmp_path), ("BN", "SNN"))
