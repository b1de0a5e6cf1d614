"""Any groups side by side: known ratios come back, and nothing that they do not share is cut without a word."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analysis.made_runs import config, errors, write_run
from scipy import stats
from tools.fork_server import ForkServer

from selfnorm.analysis.runs import load_runs
from selfnorm.studies.groups import (
    ALL,
    FINAL,
    SPEED,
    TEST,
    compare_groups,
    group_of_runs,
    groups_of_table,
    ranks_of,
    section,
)


def made(factors: dict[str, float], *, datasets: int = 1, seeds: int = 6, steps: int = 11, noise: float = 0.05) -> Any:
    """A tracker's table: values that fall as factor / (1 + step), with noise of each seed's own."""
    rng = np.random.default_rng(5)
    rows = [
        (run, f"data {d}", seed, 10 * t, factor * own / (1 + t))
        for d in range(datasets)
        for run, factor in factors.items()
        for seed, own in enumerate(np.exp(noise * rng.standard_normal(seeds)))
        for t in range(steps)
    ]
    return pd.DataFrame(rows, columns=["run", "dataset", "seed", "step", "value"])


def test_the_ratio_of_the_last_values_is_that_of_geometric_means() -> None:
    table = made({"new": 1.0, "old": 3.0})
    found, notes = compare_groups(groups_of_table(table))
    row = found.set_index("statistic").loc[FINAL]
    last = np.log(table[table["step"] == 100].pivot(index="seed", columns="run", values="value"))
    assert row["value"] == pytest.approx(np.exp(last["new"].mean() - last["old"].mean()))
    assert row["p"] == pytest.approx(2 / 924)  # no split of the twelve seeds is as extreme
    assert row["verdict"] == "new is better"
    assert notes == []


def test_where_higher_is_better_the_ratio_is_of_the_values_and_the_verdict_the_other_way() -> None:
    table = made({"new": 1.0, "old": 3.0})
    table["value"] = 1 / table["value"]  # rises, and new is three times as high
    row = compare_groups(groups_of_table(table, higher=True), higher=True)[0].set_index("statistic").loc[FINAL]
    assert row["value"] == pytest.approx(3, rel=0.1)
    assert row["verdict"] == "new is better"


def test_updates_to_a_level_are_compared() -> None:
    found, _ = compare_groups(groups_of_table(made({"fast": 1.0, "slow": 4.0}, steps=200, noise=0.01)))
    row = found.set_index("statistic").loc[SPEED]
    assert 0.15 < row["value"] < 0.3  # 1 + t is a quarter at equal values
    assert row["verdict"] == "fast is better"


def test_what_is_not_shared_is_said() -> None:
    table = made({"a": 1.0, "b": 2.0}, datasets=2)
    short = (table["run"] == "b") & (table["step"] > 50)
    lacks = (table["run"] == "b") & (table["seed"] == 5)
    alone = (table["run"] == "b") & (table["dataset"] == "data 1")
    ragged = (table["run"] == "a") & (table["seed"] == 0) & (table["step"] == 100)
    found, notes = compare_groups(groups_of_table(table[~(short | lacks | alone | ragged)]))
    assert notes == [
        "data 0: a has 1 of 11 steps that not every seed has",
        "data 1: a has 1 of 11 steps that not every seed has",
        "data 1: a alone; b has no run there",
        "data 0: seeds 0, 1, 2, 3, 4, 5 of a beside 0, 1, 2, 3, 4 of b; all count, unpaired",
        "data 0: a ends at step 90, b at 50; later records do not count",
    ]
    row = found.set_index("statistic").loc[FINAL]
    assert (row["n_a"], row["n_b"]) == (6, 5)
    at_50 = table[(table["step"] == 50) & (table["dataset"] == "data 0") & ~lacks]
    logs = np.log(at_50["value"]).groupby(at_50["run"]).mean()
    assert row["value"] == pytest.approx(np.exp(logs["a"] - logs["b"]))


def test_steps_that_are_nowhere_the_same_are_said_and_speed_is_still_compared() -> None:
    table = made({"a": 1.0, "b": 2.0})
    table.loc[table["run"] == "b", "step"] += 3
    found, notes = compare_groups(groups_of_table(table))
    assert list(found["statistic"]) == [SPEED]
    assert "data 0: the two have no step in common, so that their last values are not compared" in notes


def test_a_group_that_diverged_and_one_seed_alone_are_said() -> None:
    table = made({"a": 1.0, "b": 2.0, "c": 3.0})
    table.loc[(table["run"] == "c") & (table["step"] == 50), "value"] = np.nan
    found, notes = compare_groups(groups_of_table(table))
    assert set(zip(found["a"], found["b"], strict=True)) == {("a", "b")}
    assert "data 0: no seed of c has finite values throughout" in notes
    with pytest.raises(ValueError, match=r"nothing can be compared: .*1 seeds give no ratio"):
        compare_groups(groups_of_table(made({"a": 1.0, "b": 2.0}, seeds=1)))


def test_a_bound_on_one_data_set_withholds_the_mean_over_all() -> None:
    table = made({"a": 1.0, "b": 2.0}, datasets=3)
    stuck = (table["run"] == "b") & (table["dataset"] == "data 1")
    table.loc[stuck, "value"] = 0.99 + 0.001 * table["seed"]  # below a's first value alone, and never falls
    found, notes = compare_groups(groups_of_table(table))
    speed = found[found["statistic"] == SPEED].set_index("dataset")
    assert speed.loc["data 1", "kind"] == "≤"
    assert ALL not in speed.index
    assert "a / b: updates to a level is a bound on data 1, so there is none over all data sets" in notes
    assert ALL in set(found[found["statistic"] == FINAL]["dataset"])


def test_ranks_are_of_the_last_step_that_all_have() -> None:
    table = made({"slow": 1.0, "long": 1.1, "bad": 2.0}, datasets=4, noise=0.001)
    longer = table[table["run"] == "long"]
    more = longer.assign(step=longer["step"] + 200, value=longer["value"] / 100)
    ranks = ranks_of(groups_of_table(pd.concat([table, more])))
    assert ranks.average.to_dict() == {"slow": 1.0, "long": 2.0, "bad": 3.0}


def test_over_several_data_sets_the_test_is_paired() -> None:
    table = made({"a": 1.0, "b": 1.5, "c": 1.6}, datasets=6, noise=0.3)
    found, _ = compare_groups(groups_of_table(table))
    rows = found[found["statistic"] == FINAL].set_index(["dataset", "a", "b"])
    by_data = np.log([rows.loc[(f"data {d}", "a", "b"), "value"] for d in range(6)])
    whole = rows.loc[(ALL, "a", "b")]
    assert whole["value"] == pytest.approx(np.exp(by_data.mean()))
    assert whole["p"] == pytest.approx(stats.wilcoxon(by_data).pvalue)
    assert (whole["n_a"], whole["num_cells"]) == (6, 3)
    text = section(groups_of_table(table)).text
    assert "Average ranks of the value at the last common step over 6 data sets" in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(columns="seed"), "no column seed; needed are run, seed, step, value"),
        (lambda table: table.assign(seed="x" + table["seed"].astype(str)), "seed x0: must be a whole number"),
        (lambda table: table.assign(value=-table["value"]), "ratios need values above 0"),
        (lambda table: pd.concat([table, table.head(1)]), "two values for run a, dataset data 0, seed 0, step 0"),
        (lambda table: table.assign(step=table["step"] + 1000 * table["seed"]), "of a have no step in common"),
    ],
)
def test_a_table_that_cannot_be_compared_is_refused(change: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        groups_of_table(change(made({"a": 1.0, "b": 2.0})))


def write(root: Path) -> None:
    rng = np.random.default_rng(2)
    for tag, network, depth in product(("first", "second"), ("BN", "SNN"), (8, 16)):
        made_RT = errors(rng, seeds=6, epochs=60, noise=0.01, rate=0.5 if tag == "first" else 1.5)
        write_run(root / tag / network / f"d{depth}", config(network=network, depth=depth, tag=tag), made_RT)


def test_runs_are_compared_by_tag_and_network(tmp_path: Path) -> None:
    write(tmp_path)
    first, second = (group_of_runs(f"{tag}:SNN", load_runs(tmp_path, (tag,)), "SNN") for tag in ("first", "second"))
    found, _ = compare_groups([first, second])
    assert set(found["dataset"]) == {"MNIST, depth 8", "MNIST, depth 16", ALL}
    assert set(found["statistic"]) == {FINAL, SPEED, TEST}
    speed = found[(found["statistic"] == SPEED) & (found["dataset"] == "MNIST, depth 8")].iloc[0]
    assert speed["value"] == pytest.approx(3, rel=0.15)
    with pytest.raises(ValueError, match=r"several runs on MNIST, depth 16 .*: name one of them as TAG:NETWORK"):
        group_of_runs("first", load_runs(tmp_path, ("first",)))


def test_the_command_compares_and_refuses(command_server: ForkServer, tmp_path: Path) -> None:
    write(tmp_path / "runs")
    made({"a": 1.0, "b": 2.0, "c": 3.0}, datasets=4).to_csv(tmp_path / "own.csv", index=False)
    shown = command_server.run("scripts/compare.py", ["first:SNN", "second:SNN"], tmp_path)
    assert shown.code == 0, shown
    assert "second:SNN is better" in shown.out
    assert "![" not in shown.out
    written = command_server.run("scripts/compare.py", ["own.csv", "--out", "out"], tmp_path)
    assert (written.code, written.out) == (0, "wrote out/compare.md\n"), written
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"compare.md", "ratios.csv", "ratios.md", "ratios.png", "ranks.png"} <= names
    for arguments, message in (
        (["first"], "first has several runs on MNIST, depth 16"),
        (["own.csv", "first:SNN"], "no run below runs has tag own.csv"),
        (["first:SNN", "--higher"], "--higher is for a CSV file"),
        (["first:SNN"], "one group; name two or more"),
        (["first:SNN", "second:SNN", "first:SNN"], "compare.py: first:SNN: named twice; give each group once"),
        (["nowhere.csv"], "nowhere.csv: no such file; give a CSV file with the columns run, seed, step, value"),
        (["first:LN", "first:SNN"], "first:LN: no finished run of LN; there: BN, SNN"),
    ):
        ended = command_server.run("scripts/compare.py", arguments, tmp_path)
        assert (ended.code, ended.err.count("\n")) == (2, 1), ended
        assert message in ended.err, ended
