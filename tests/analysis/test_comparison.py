"""BN against SNN: known ratios come back, and what cannot be told is not told."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_runs import STEPS_PER_EPOCH, config, errors, write_run

from selfnorm.analysis.comparison import compare, describe_cells, speed_table, unequal_pairs
from selfnorm.analysis.curves import SeedCurves
from selfnorm.analysis.results import Tables
from selfnorm.analysis.runs import load_runs
from selfnorm.analysis.statistics import (
    FLUCTUATION,
    MATCHED,
    OF_ERROR,
    SECOND,
    SPEED,
    SPREAD_LEVEL,
    SPREAD_STEP,
    Settings,
    steps_to_common_level,
)
from selfnorm.analysis.verdict import decide, verdicts


def write_pair(
    root: Path, *, seeds: int = 6, epochs: int = 60, bn_noise: float = 0.09, bn_rate: float = 0.5, **options
) -> Tables:
    rng = np.random.default_rng(3)
    for network, noise, rate in (("SNN", 0.03, 0.5), ("BN", bn_noise, bn_rate)):
        made = errors(rng, seeds=seeds, epochs=epochs, noise=noise, rate=rate)
        write_run(root / network, config(network=network), made, **(options if network == "BN" else {}))
    return load_runs(root)


def rows(comparison: pd.DataFrame, statistic: str) -> pd.DataFrame:
    return comparison[comparison["statistic"] == statistic].set_index("depth")


def test_known_ratio_of_noise_comes_back_at_every_depth(tables: Tables) -> None:
    comparison = compare(tables)
    # 6 seeds with about 46 differences each: a log ratio scatters by about 0.1.
    for depth, ratio in ((8, 1.0), (16, 0.08 / 0.03), (32, 5.0)):
        row = rows(comparison, FLUCTUATION).loc[depth]
        assert row["ratio"] == pytest.approx(ratio, rel=0.35)
        assert row["low"] < row["ratio"] < row["high"]
    # The slower network sits at a higher error, so the error itself differs more than its log.
    assert rows(comparison, OF_ERROR).loc[32, "ratio"] > 2 * rows(comparison, FLUCTUATION).loc[32, "ratio"]


def test_known_ratio_comes_back_at_equal_level_too(tmp_path: Path) -> None:
    row = rows(compare(write_pair(tmp_path, bn_rate=0.2)), MATCHED).loc[8]
    # About 20 differences of each SNN seed lie in the band: the log ratio scatters by about 0.12.
    assert row["ratio"] == pytest.approx(3.0, rel=0.4)


def test_smooth_curves_are_compared_by_their_noise_and_not_by_their_bend(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    for network, noise, rate in (("SNN", 1e-5, 0.5), ("BN", 1e-4, 0.1)):
        made = errors(rng, seeds=6, epochs=150, noise=noise, rate=rate)
        write_run(tmp_path / network, config(network=network), made)
    comparison = compare(load_runs(tmp_path))
    # The noise differs tenfold; the SNN bends more, and second differences alone would hide that.
    assert rows(comparison, FLUCTUATION).loc[8, "ratio"] == pytest.approx(10, rel=0.3)
    assert rows(comparison, SECOND).loc[8, "ratio"] < 5
    sentence = verdicts(comparison)["sentence"].iloc[0]
    assert "Second differences still hold the trend here: differences of order" in sentence


def test_a_level_reached_by_no_seed_of_one_network_still_has_an_interval(tmp_path: Path) -> None:
    row = rows(compare(write_pair(tmp_path, seeds=4, epochs=20, bn_noise=0.01, bn_rate=0.001)), SPEED).loc[8]
    assert "reached by BN 0 of 4 and SNN 4 of 4" in row["note"]
    assert 1 < row["low"] < row["ratio"] < row["high"]


def test_a_network_that_rushes_through_the_common_band_gives_a_reason(tables: Tables) -> None:
    row = rows(compare(tables), MATCHED).loc[32]  # the SNN is past BN's whole range after a few epochs
    assert np.isnan(row["ratio"])
    assert "of its differences in the common band" in row["note"]


def test_the_correction_is_over_the_cells_of_each_statistic(tables: Tables) -> None:
    row = rows(compare(tables), FLUCTUATION)
    assert list(row["num_cells"]) == [3, 3, 3]
    assert row.loc[32, "p"] == pytest.approx(2 / 924)
    assert row.loc[32, "p_holm"] == pytest.approx(6 / 924)  # smallest of three
    assert row.loc[8, "p_holm"] == pytest.approx(row.loc[8, "p"])  # largest of three


def test_speed_is_the_ratio_of_rates(tmp_path: Path) -> None:
    row = rows(compare(write_pair(tmp_path, bn_noise=0.03, bn_rate=0.1)), SPEED).loc[8]
    # Power laws with rates 0.5 and 0.1 reach any level after times 1 : 5; noise and offsets shift it by some percent.
    assert row["ratio"] == pytest.approx(5.0, rel=0.15)
    assert "reached by BN 6 of 6 and SNN 6 of 6" in row["note"]


def test_spread_ratio_is_known(tmp_path: Path) -> None:
    comparison = compare(write_pair(tmp_path, bn_noise=0.3))
    # Variances between seeds at equal step: 0.05^2 + 0.3^2 against 0.05^2 + 0.03^2.
    expected = np.sqrt((0.05**2 + 0.3**2) / (0.05**2 + 0.03**2))
    for statistic in (SPREAD_STEP, SPREAD_LEVEL):
        row = rows(comparison, statistic).loc[8]
        # The spread of 6 seeds scatters by 1 / sqrt(10) at worst (offsets alone).
        assert row["ratio"] == pytest.approx(expected, rel=0.6)
        assert row["interval"] == "Welch t"


def test_a_level_that_not_all_reach_is_a_bound_and_says_so() -> None:
    steps_T = np.array([0, 10, 20, 30])
    fast = SeedCurves("SNN", steps_T, (0, 1, 2), np.array([[2.3, 0.9, 0.4, 0.19]] * 3), {}, np.full(3, np.nan))
    slow = SeedCurves("BN", steps_T, (0, 1, 2), np.array([[2.3, 2.3, 2.3, 2.3]] * 3), {}, np.full(3, np.nan))
    log_slow, log_fast, note = steps_to_common_level(slow, fast, Settings())
    assert note == "error 0.2, reached by BN 0 of 3 and SNN 3 of 3 seeds by step 30"
    np.testing.assert_allclose(np.exp(log_slow), 30)
    assert np.all(np.exp(log_fast) < 30)
    with pytest.raises(ValueError, match="half of the seeds do not get"):
        steps_to_common_level(slow, slow, Settings())


def test_claim_holds_where_noise_differs_and_not_where_it_does_not(tables: Tables) -> None:
    found = verdicts(compare(tables)).set_index(["depth", "claim"])
    assert found.loc[(32, "BN fluctuates more"), "verdict"] == "holds"
    assert found.loc[(32, "SNN learns faster"), "verdict"] == "holds"
    assert found.loc[(8, "BN fluctuates more"), "verdict"] != "holds"
    sentence = str(found.loc[(32, "BN fluctuates more"), "sentence"])
    assert sentence.startswith("MNIST, depth 32, BN fluctuates more: holds.")
    assert "n = 6 against 6 seeds" in sentence
    assert "smallest reachable 0.0065" in sentence


BASE = {
    "ratio": 2.0, "low": 1.5, "high": 2.5, "p": 0.002, "p_holm": 0.012, "smallest_p": 0.002, "num_cells": 6,
    "n_a": 6, "n_b": 6, "note": "",
}  # fmt: skip
NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({}, "holds", ""),
        ({"low": 0.4, "ratio": 0.5, "high": 0.6}, "does not hold", "other way"),
        ({"ratio": 1.0, "low": 0.9, "high": 1.1, "p_holm": 1.0}, "does not hold", "below 1.25 times"),
        ({"ratio": 1.2, "low": 0.9, "high": 1.6, "p_holm": 0.3}, "undecided", "leave both answers open"),
        ({"low": 1.1, "p_holm": 0.06}, "undecided", "leave both answers open"),
        ({"p_holm": 0.06, "smallest_p": 0.01}, "undecided", "Lack of seeds"),
        ({"p": NAN, "p_holm": NAN, "n_a": 4}, "undecided", "Lack of seeds: 4 where a test needs 5"),
        ({"ratio": NAN, "note": "too short"}, "undecided", "No number: too short"),
    ],
)
def test_verdict(changes: dict, verdict: str, reason: str) -> None:
    word, why = decide(BASE | changes)
    assert word == verdict
    assert reason in why


def test_four_seeds_are_undecided_for_lack_of_seeds_but_have_an_interval(tmp_path: Path) -> None:
    comparison = compare(write_pair(tmp_path, seeds=4))
    row = rows(comparison, FLUCTUATION).loc[8]
    assert row["low"] < 3 < row["high"]
    assert np.isnan(row["p"])
    sentence = verdicts(comparison)["sentence"].iloc[0]
    assert "undecided" in sentence
    assert "Lack of seeds: 4 where a test needs 5; the interval lies wholly above 1" in sentence


def test_one_seed_gives_reasons_and_never_a_number(tmp_path: Path) -> None:
    comparison = compare(write_pair(tmp_path, seeds=1))
    assert comparison[["ratio", "low", "high", "p"]].isna().all(axis=None)
    assert comparison["note"].str.contains("seeds").all()
    assert verdicts(comparison)["verdict"].eq("undecided").all()


def test_too_few_records_give_a_reason_and_never_a_number(tmp_path: Path) -> None:
    row = rows(compare(write_pair(tmp_path, epochs=4)), FLUCTUATION).loc[8]
    assert np.isnan(row["ratio"])
    assert "at least 3 are needed" in row["note"]


def test_seeds_that_diverged_leave_the_others_and_are_counted(tmp_path: Path) -> None:
    made = write_pair(tmp_path, state="diverged", diverged={"0": 100, "3": 200})
    row = rows(compare(made), FLUCTUATION).loc[8]
    assert (row["n_a"], row["n_b"]) == (4, 6)
    assert row["low"] < 3 < row["high"]
    described = describe_cells(made).set_index("network")
    assert described.loc["BN", "diverged"] == "seed 0 at step 100, seed 3 at step 200"


def test_a_cell_in_which_every_seed_diverged_is_named(tmp_path: Path) -> None:
    made = write_pair(tmp_path, state="diverged", diverged=dict.fromkeys(map(str, range(6)), 100))
    comparison = compare(made)
    assert comparison["note"].eq("every seed of BN diverged: lower the learning rate").all()
    assert describe_cells(made).set_index("network").loc["BN", "n"] == 0


def test_a_run_in_progress_is_not_compared(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no data set and depth has both BN and SNN; there: SNN"):
        compare(write_pair(tmp_path, state="running"))


def test_a_pair_that_differs_in_more_than_the_network_is_named(tmp_path: Path) -> None:
    made = errors(np.random.default_rng(0), seeds=2, epochs=5, noise=0.1, rate=0.5)
    write_run(tmp_path / "SNN", config(network="SNN"), made)
    write_run(tmp_path / "BN", config(network="BN", optimizer__lr=2e-5), made)
    assert unequal_pairs(load_runs(tmp_path).cells) == ["MNIST, depth 8: BN and SNN also differ in learning rate"]


def test_description_gives_noise_with_interval(tables: Tables) -> None:
    row = describe_cells(tables).set_index(["network", "depth"]).loc[("BN", 32)]
    # 6 seeds with 46 differences: scatter 6 %; the trend adds nothing visible to 0.15.
    assert row["fluctuation"] == pytest.approx(0.15, rel=0.2)
    assert row["fluctuation_low"] < row["fluctuation"] < row["fluctuation_high"]
    assert row["test_error"] == pytest.approx(0.0975, rel=1e-3)
    assert row["test_error_low"] < row["test_error"] < row["test_error_high"]


def test_speed_table_counts_who_reached(tables: Tables) -> None:
    table = speed_table(tables)
    snn = table[(table["network"] == "SNN") & (table["depth"] == 8)].set_index("level")
    assert snn.loc[1.0, "reached"] == 6
    # 2.3 (1 + 0.8 t)^-1.3 = 1 at t = (2.3^(1/1.3) - 1) / 0.8 = 1.12 epochs; interpolation is on the log scale.
    assert snn.loc[1.0, "median"] == pytest.approx(1.12 * STEPS_PER_EPOCH, rel=0.1)
    censored = table[table["reached"] < table["n"]]
    assert censored["median"].isna().all()
