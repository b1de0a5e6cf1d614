"""The claim's three questions on made runs of known answers, through the whole report."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis.made_runs import config, errors, write_architectures, write_claim, write_run

from selfnorm.analysis.results import Tables, read_results
from selfnorm.analysis.runs import load_runs
from selfnorm.studies import report
from selfnorm.studies.claim import answers, decide, judged
from selfnorm.studies.readme import claim_text, with_results


@pytest.fixture(scope="module")
def claim_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on write_claim's runs: the whole of it, pictures too."""
    root = tmp_path_factory.mktemp("claim")
    write_claim(root / "runs")
    report.make_report(load_runs(root / "runs"), root / "report")
    return root / "report"


@pytest.fixture(scope="module")
def answered(claim_report: Path) -> pd.DataFrame:
    return pd.read_csv(claim_report / "answers.csv").set_index(["depth", "question"])


@pytest.mark.parametrize(
    ("question", "ratio", "tolerance"),
    [
        # 8 copies scatter log sd by 0.27, their mean over six seeds and the levels by about 0.08 in each network.
        ("perturbation", 5.0, 0.35),
        # Some 100 third differences of each of six seeds: 0.06 in each network.
        ("fluctuation", 3.0, 0.25),
        # Rates 1 : 3, but noise of 9 % takes BN below a level before its trend gets there.
        ("speed", 2.7, 0.1),
    ],
)
def test_known_ratios_come_back_and_the_claim_holds(
    answered: pd.DataFrame, question: str, ratio: float, tolerance: float
) -> None:
    row = answered.loc[16, question]
    assert row["value"] == pytest.approx(ratio, rel=tolerance)
    assert row["low"] < ratio < row["high"]
    assert row["verdict"] == "holds"
    assert row["value"] == pytest.approx(row["value_a"] / row["value_b"], rel=1e-4)
    assert row["sentence"].startswith(f"MNIST, depth 16, {row['claim']}: holds. ")


def test_the_claim_does_not_hold_where_the_networks_are_alike(answered: pd.DataFrame) -> None:
    alike = answered.loc[8]
    assert set(alike["claim"]) == {"BN is perturbed more", "BN fluctuates more", "SNN learns faster"}
    assert set(alike["verdict"]) <= {"does not hold", "undecided"}


def test_one_network_without_forks_is_undecided_with_its_reason_and_the_other_questions_are_answered(
    answered: pd.DataFrame,
) -> None:
    rows = answered.loc[32]
    assert rows.loc["perturbation", "verdict"] == "undecided"
    assert rows.loc["perturbation", "sentence"] == (
        "MNIST, depth 32, BN is perturbed more: undecided. SNN has no forks: train it with recording.forks.copies=8."
    )
    assert rows.loc["fluctuation", "verdict"] == rows.loc["speed", "verdict"] == "holds"


def test_the_family_of_a_question_is_its_cells_with_a_test(answered: pd.DataFrame) -> None:
    families = answered["num_cells"].groupby("question").unique()
    assert {question: list(counts) for question, counts in families.items()} == {
        "perturbation": [2], "fluctuation": [3], "speed": [3],
    }  # fmt: skip
    assert answered.loc[(16, "perturbation"), "p_holm"] == pytest.approx(2 * 2 / 924, rel=1e-4)


def test_the_report_shows_every_source_level_and_picture(claim_report: Path) -> None:
    text = (claim_report / "report.md").read_text()
    assert "After one epoch copies of BN lie" in text
    assert "Order alone, at equal error: " in text
    assert "At equal updates: " in text
    assert "The error rises in " in text
    for name in ("figure1", "levels", "forks"):
        assert f"]({name}.png)" in text
        assert (claim_report / f"{name}.svg").is_file()
    perturbation = pd.read_csv(claim_report / "perturbation.csv")
    order = perturbation[(perturbation["source"] == "order") & (perturbation["equal"] == "updates")]
    # One ratio for each fork point, and one over all of them; the true one is 2.
    assert order[(order["depth"] == 16)]["step"].isna().sum() == 1
    assert np.exp(np.log(order[order["depth"] == 16]["value"]).mean()) == pytest.approx(2, rel=0.35)


def test_forks_are_committed_and_a_rebuild_gives_the_same_bytes(claim_report: Path, tmp_path: Path) -> None:
    tables = read_results(claim_report)
    assert len(tables.forks) == 5 * 5 * 6 * 2 * 8 * 2  # cells, fork points, seeds, sources, copies, readings
    report.make_report(tables, tmp_path)
    for path in sorted(claim_report.iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_tables_are_written_to_six_digits_also_where_a_column_holds_objects(tmp_path: Path) -> None:
    report._write_csv(pd.DataFrame({"value": [2 / 3, None]}, dtype=object), tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().split() == ["value", "0.666667", '""']


def test_the_readme_has_a_row_for_each_cell_and_judges_all_published_studies_as_one_family(
    claim_report: Path, tmp_path: Path
) -> None:
    shutil.copytree(claim_report, tmp_path / "docs/results/digits")
    shutil.copytree(claim_report, tmp_path / "docs/results/figure1")
    (tmp_path / "docs/results/cifar10").mkdir()  # without forks: not in the README
    shutil.copytree(claim_report, tmp_path / "docs/results/causes")  # forked, but no study of the claim
    (tmp_path / "docs/results/rates").mkdir()
    header = "dataset,depth,statistic,rate,value,low,high,kind,n_a,n_b,p"
    (tmp_path / "docs/results/rates/rates.csv").write_text(f"{header}\nmnist,16,updates to level,own,3.7,3,4,=,6,6,1\n")
    old = "head\n<!-- results: begin (make results) -->\nstale\n<!-- results: end -->\ntail\n"
    readme = with_results(old, tmp_path)
    assert readme.startswith("head\n")
    assert readme.endswith("tail\n")
    assert "stale" not in readme
    lines = readme.splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith("| [MNIST")]
    assert [row[1] for row in rows] == ["8", "16", "32"] * 2
    assert rows[1][2] == "6 / 6"
    # Each at its own rate: at the scale of figure1 alone
    assert [row[-1].strip(" |") for row in rows] == ["", "", "", "", "3.7 (3 to 4)", ""]
    assert ", undecided" in rows[2][3]  # no forks of the SNN at depth 32
    assert sum(line.startswith("- **") for line in lines) == 3
    assert "times as far apart" in claim_text([claim_report])
    assert "The claim holds in 1 of 3 cells; it does not hold in 1 and is undecided in 1." in claim_text([claim_report])
    both = pd.concat([pd.read_csv(claim_report / "answers.csv", dtype={"against": "str"})] * 2).fillna({"against": ""})
    assert judged(both)["num_cells"].max() == 6


def test_runs_that_were_not_forked_get_ratios_and_no_verdict(tables: Tables, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(report, "save", lambda *_: [])  # the words are under test, the pictures are slow
    assert report.make_report(tables, tmp_path) == []
    text = (tmp_path / "report.md").read_text()
    assert "## The first 60 epochs: fluctuation of the curve only" in text
    assert "no verdict on the claim" in text
    assert "holds" not in text
    assert "updates to the same error, BN / SNN" in text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"recording__error_samples": 5120}, "BN has its error over a subset of the samples"),
        ({"trainer__precision": "bf16"}, "BN is in bf16, whose rounding fluctuates"),
    ],
)
def test_curves_whose_fluctuation_says_something_else_are_refused(tmp_path: Path, changes: dict, reason: str) -> None:
    made = errors(np.random.default_rng(0), seeds=5, epochs=80, noise=0.05, rate=0.02)
    for network in ("BN", "SNN"):
        write_run(tmp_path / network, config(network=network, **changes), made)
    table, details = answers(load_runs(tmp_path))
    sentence = table.set_index("question").loc["fluctuation", "sentence"]
    assert reason in sentence
    assert "undecided" in sentence
    assert "fluctuation" not in details


def test_several_records_an_epoch_are_refused(tmp_path: Path) -> None:
    made = errors(np.random.default_rng(0), seeds=5, epochs=80, noise=0.05, rate=0.02)
    for network in ("BN", "SNN"):
        folder = write_run(tmp_path / network, config(network=network), made)
        table = pd.read_csv(folder / "curves.csv")
        table.assign(epoch=table["epoch"] // 2).to_csv(folder / "curves.csv", index=False)
    table, _ = answers(load_runs(tmp_path))
    assert "BN has several records an epoch" in table.set_index("question").loc["fluctuation", "sentence"]


def test_curves_that_cross_leave_the_claim_undecided_and_say_where(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    epoch_T = np.arange(101)
    for network, falls in (("SNN", 0.02), ("BN", 0.03)):  # BN waits 30 epochs, then overtakes
        late_T = np.maximum(0, epoch_T - (30 if network == "SNN" else 0))
        trend_T = 2.3 * np.exp(-falls * epoch_T - (0.2 * late_T if network == "SNN" else 0))
        made = trend_T * np.exp(0.01 * rng.standard_normal((6, 101)))
        write_run(tmp_path / network, config(network=network), made)
    table, _ = answers(load_runs(tmp_path))
    row = table.set_index("question").loc["speed"]
    assert row["value"] > 1
    assert row["verdict"] == "undecided"
    assert re.search(r"The curves cross: BN is ahead at the error [0-9.]+, SNN at 0\.[0-9]+\.", row["sentence"])


BASE = {"value": 2.0, "low": 1.5, "high": 2.5, "p": 0.002, "p_holm": 0.012, "against": ""}
NAN = float("nan")


@pytest.mark.parametrize(
    ("changes", "verdict", "reason"),
    [
        ({}, "holds", ""),
        ({"high": np.inf}, "holds", ""),
        ({"low": 0.4, "value": 0.5, "high": 0.6}, "does not hold", "other way"),
        ({"value": 1.0, "low": 0.9, "high": 1.1, "p_holm": 1.0}, "does not hold", "below 1.25 times"),
        ({"value": 0.9, "low": 0.8, "high": np.inf, "p_holm": 1.0}, "undecided", "leave both answers open"),
        ({"value": 1.2, "low": 0.9, "high": 1.6, "p_holm": 0.3}, "undecided", "leave both answers open"),
        ({"low": 1.1, "p_holm": 0.06}, "undecided", "leave both answers open"),
        ({"against": "The curves cross"}, "undecided", "The curves cross"),
        ({"p": NAN, "p_holm": NAN}, "undecided", "A test needs 5 seeds of each network"),
        ({"value": NAN}, "undecided", ""),
    ],
)
def test_verdict(changes: dict, verdict: str, reason: str) -> None:
    word, why = decide(BASE | changes)
    assert word == verdict
    assert reason in why


def test_any_two_networks_can_be_compared_and_are_named(tmp_path: Path) -> None:
    write_architectures(tmp_path)
    tables = load_runs(tmp_path)
    table, _ = answers(tables, ("LN", "SNN"))
    assert list(table["claim"]) == ["LN is perturbed more", "LN fluctuates more", "SNN learns faster"]
    swapped, _ = answers(tables, ("SNN", "LN"))
    speed, back = (t.set_index("question").loc["speed"] for t in (table, swapped))
    assert back["value"] == pytest.approx(1 / speed["value"])
    assert "LN needs" in speed["sentence"]
    assert "BN" not in "".join(table["sentence"])
