"""Two cells side by side: known ratios of their curves come back, and what cannot be told is not told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis.made_runs import config, errors, write_run

from selfnorm.analysis.comparison import compare_pair, corrected, describe_cells, pairs, unequal_pairs
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.results import Tables
from selfnorm.analysis.runs import load_runs
from selfnorm.analysis.statistics import FINAL, FLUCTUATION, SPEED, STATISTICS, TEST


def write_pair(
    root: Path, *, seeds: int = 6, epochs: int = 60, bn_noise: float = 0.09, bn_rate: float = 0.5, **options
) -> Tables:
    rng = np.random.default_rng(3)
    for network, noise, rate in (("SNN", 0.03, 0.5), ("BN", bn_noise, bn_rate)):
        made = errors(rng, seeds=seeds, epochs=epochs, noise=noise, rate=rate)
        write_run(root / network, config(network=network), made, **(options if network == "BN" else {}))
    return load_runs(root)


def ratios(tables: Tables) -> pd.DataFrame:
    """The ratios BN / SNN of a pair of runs, by statistic."""
    curves = [seed_curves(tables, cell) for cell in ("BN", "SNN")]
    return pd.DataFrame(compare_pair(*curves, STATISTICS)).set_index("statistic")


def test_known_ratio_of_noise_comes_back(tmp_path: Path) -> None:
    row = ratios(write_pair(tmp_path)).loc[FLUCTUATION]
    # 6 seeds with about 46 differences each: a log ratio scatters by about 0.12.
    assert row["value"] == pytest.approx(3.0, rel=0.4)
    assert row["low"] < 3.0 < row["high"]
    assert row["kind"] == "="


def test_a_network_smoother_than_its_bend_gives_a_lower_bound(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for network, noise, rate in (("SNN", 1e-9, 0.5), ("BN", 1e-2, 0.1)):
        write_run(tmp_path / network, config(network=network), errors(rng, seeds=6, epochs=60, noise=noise, rate=rate))
    row = ratios(load_runs(tmp_path)).loc[FLUCTUATION]
    assert row["kind"] == "≥"
    assert 1 < row["low"] < 1e7
    assert np.isinf(row["high"])


def test_speed_is_the_ratio_of_rates(tmp_path: Path) -> None:
    row = ratios(write_pair(tmp_path, bn_noise=0.03, bn_rate=0.1)).loc[SPEED]
    # Power laws with rates 0.5 and 0.1 reach any level after times 1 : 5; noise and offsets shift it by some percent.
    assert row["value"] == pytest.approx(5.0, rel=0.15)
    assert "reached by 6 of 6 and 6 of 6 seeds" in row["note"]


def test_a_level_that_no_seed_of_one_network_reaches_is_a_bound(tmp_path: Path) -> None:
    row = ratios(write_pair(tmp_path, seeds=4, epochs=20, bn_noise=0.01, bn_rate=0.001)).loc[SPEED]
    assert "reached by 0 of 4 and 4 of 4" in row["note"]
    assert row["kind"] == "≥"
    assert row["low"] > 1


def test_final_and_test_errors_are_those_of_the_last_step(tmp_path: Path) -> None:
    tables = write_pair(tmp_path)
    found = ratios(tables)
    last = tables.curves[(tables.curves["split"] == "train") & (tables.curves["epoch"] == 60)]
    means = np.log(last["loss"]).groupby(last["network"]).mean()
    assert found.loc[FINAL, "value"] == pytest.approx(np.exp(means["BN"] - means["SNN"]))
    assert found.loc[TEST, "value"] == pytest.approx(1)


def test_one_seed_gives_reasons_and_never_a_number(tmp_path: Path) -> None:
    found = ratios(write_pair(tmp_path, seeds=1))
    assert found[["value", "low", "high", "p"]].isna().all(axis=None)
    assert found["note"].str.contains("seeds").all()


def test_too_few_records_give_a_reason_and_never_a_number(tmp_path: Path) -> None:
    row = ratios(write_pair(tmp_path, epochs=4)).loc[FLUCTUATION]
    assert np.isnan(row["value"])
    assert "7 are needed" in row["note"]


def test_uneven_steps_are_refused(tmp_path: Path) -> None:
    write_pair(tmp_path)
    table = pd.read_csv(tmp_path / "BN/curves.csv")
    table[table["epoch"] != 7].to_csv(tmp_path / "BN/curves.csv", index=False)
    row = ratios(load_runs(tmp_path)).loc[FLUCTUATION]
    assert row["note"] == "steps are 78 to 156 apart, not equally spaced: record once per epoch"


def test_seeds_that_diverged_leave_the_others_and_are_counted(tmp_path: Path) -> None:
    made = write_pair(tmp_path, state="diverged", diverged={"0": 100, "3": 200})
    row = ratios(made).loc[FLUCTUATION]
    assert (row["n_a"], row["n_b"]) == (4, 6)
    assert np.isnan(row["p"])
    assert row["low"] < 3 < row["high"]
    described = describe_cells(made).set_index("network")
    assert described.loc["BN", "diverged"] == "seed 0 at step 100, seed 3 at step 200"


def test_the_lowest_validation_error_is_that_of_one_epoch_for_all_seeds_that_count(tmp_path: Path) -> None:
    made = write_pair(tmp_path, state="diverged", diverged={"0": 100})
    curves = pd.read_csv(tmp_path / "BN/curves.csv").query("split == 'validation' and seed != 0")
    by_epoch = curves.pivot(index="epoch", columns="seed", values="loss").mean(axis=1)
    row = describe_cells(made).set_index("network").loc["BN"]
    assert row["lowest_validation"] == pytest.approx(by_epoch.min(), rel=1e-12)
    assert by_epoch[row["lowest_validation_epoch"]] == by_epoch.min()


def test_a_cell_in_which_every_seed_diverged_is_named(tmp_path: Path) -> None:
    made = write_pair(tmp_path, state="diverged", diverged=dict.fromkeys(map(str, range(6)), 100))
    assert ratios(made)["note"].eq("every seed of BN diverged: lower the learning rate").all()
    assert describe_cells(made).set_index("network").loc["BN", "n"] == 0


def test_pairs_are_the_two_networks_of_a_data_set_and_depth(tables: Tables, tmp_path: Path) -> None:
    found = pairs(tables)
    assert list(zip(found["dataset"], found["depth"], strict=True)) == [("mnist", depth) for depth in (8, 16, 32)]
    for network, side in (("BN", "cell_a"), ("SNN", "cell_b")):
        assert list(found[side]) == [f"figure1/mnist/{network}/d{depth:02d}-00000000" for depth in (8, 16, 32)]
    with pytest.raises(ValueError, match="no data set and depth has both BN and SNN; there: SNN"):
        pairs(write_pair(tmp_path, state="running"))
    with pytest.raises(ValueError, match="SNN cannot be compared with itself"):
        pairs(tables, ("SNN", "SNN"))


def test_the_correction_is_over_the_rows_that_belong_together() -> None:
    table = pd.DataFrame({"question": ["x", "x", "x", "y"], "p": [0.01, 0.04, np.nan, 0.03]})
    found = corrected(table, within=["question"])
    np.testing.assert_allclose(found["p_holm"], [0.02, 0.04, np.nan, 0.03])
    assert list(found["num_cells"]) == [2, 2, 2, 1]


def test_a_pair_that_differs_in_more_than_the_network_is_named(tmp_path: Path) -> None:
    made = errors(np.random.default_rng(0), seeds=2, epochs=5, noise=0.1, rate=0.5)
    write_run(tmp_path / "SNN", config(network="SNN"), made)
    write_run(tmp_path / "BN", config(network="BN", optimizer__lr=2e-5), made)
    assert unequal_pairs(load_runs(tmp_path).cells) == ["MNIST, depth 8: BN and SNN also differ in learning rate"]


def test_description_gives_noise_with_interval_and_the_spread_between_seeds(tables: Tables) -> None:
    row = describe_cells(tables).set_index(["network", "depth"]).loc[("BN", 32)]
    # 6 seeds with 46 differences: scatter 6 %; the trend adds nothing visible to 0.15.
    assert row["fluctuation"] == pytest.approx(0.15, rel=0.25)
    assert row["fluctuation_low"] < row["fluctuation"] < row["fluctuation_high"]
    assert row["test_error"] == pytest.approx(0.0975, rel=1e-3)
    assert row["test_error_low"] < row["test_error"] < row["test_error_high"]
    curves = seed_curves(tables, "figure1/mnist/BN/d32-00000000")
    late = np.log(curves.errors_RT[:, curves.steps_T >= 0.2 * curves.steps_T[-1]])
    assert row["spread"] == pytest.approx(np.sqrt(np.mean(late.std(axis=0, ddof=1) ** 2)))
