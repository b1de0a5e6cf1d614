"""Other fixed points against (0, 1): known ratios come out, at equal and at the best learning rates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis.made_runs import config, errors, made_moments, write_run

from selfnorm.analysis.coordinates import fixed_point_name
from selfnorm.analysis.results import Tables
from selfnorm.analysis.runs import load_runs
from selfnorm.analysis.statistics import FINAL, TEST
from selfnorm.studies.fixed_point_words import OWN_BEST, both_errors, fixed_point_sentences
from selfnorm.studies.fixed_points import fixed_points
from selfnorm.studies.learned_constants import learned_constants
from selfnorm.studies.report import make_report


def write(
    root: Path,
    *,
    fixed_point: list[float],
    lr: float,
    factor: float,
    learn: bool = False,
    name: str = "",
    seeds: int = 6,
    **changes: object,
) -> None:
    """A SELU whose error is `factor` times a common curve, with six seeds."""
    rng = np.random.default_rng(3)
    made = config(
        activation__fixed_point=fixed_point, activation__learn=learn, optimizer__lr=lr, tag="fixed_points", **changes
    )  # fmt: skip
    moments = made_moments(rng, depth=8, seeds=seeds, records=4, drift=0)
    if learn:
        learned = (moments["step"] > 0) * 0.1 * moments["layer"]
        moments = moments.assign(**{"alpha": 1 + learned, "lambda": 2.0})
    name = name or f"selu_{fixed_point[0]}_{fixed_point[1]}_{lr}_{learn}"
    curves_RT = factor * errors(rng, seeds=6, epochs=60, noise=0.02, rate=0.5)[:seeds]
    write_run(root / "mnist" / name / "d8-00000000", made, curves_RT, moments=moments)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    write(tmp_path, fixed_point=[0, 1], lr=1e-5, factor=1.0)
    write(tmp_path, fixed_point=[0, 2], lr=1e-5, factor=0.5)
    write(tmp_path, fixed_point=[0, 1], lr=3e-5, factor=0.4)
    write(tmp_path, fixed_point=[0, 2], lr=3e-5, factor=2.0)
    write(tmp_path, fixed_point=[0, 1], lr=1e-5, factor=0.7, learn=True)
    return load_runs(tmp_path)


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        ({"name": "relu"}, "none"),
        ({"name": "selu"}, "(0, 1)"),
        ({"name": "selu", "alpha": 1.6732632423543772, "lambda": 1.0507009873554805}, "(0, 1)"),
        ({"name": "selu", "fixed_point": [-0.1, 2.0], "alpha": 2.33, "lambda": 0.98}, "(-0.1, 2)"),
        ({"name": "selu", "fixed_point": [0.0, 1.0], "learn": True}, "learned from (0, 1)"),
        ({"name": "selu", "alpha": 1.0, "lambda": 1.5}, "alpha 1, lambda 1.5"),
    ],
)
def test_a_selu_is_named_by_its_constants(activation: dict[str, object], name: str) -> None:
    assert fixed_point_name({f"activation.{key}": value for key, value in activation.items()}) == name


def test_known_ratios_come_out_at_equal_and_at_the_best_learning_rates(tables: Tables) -> None:
    found = fixed_points(tables).set_index(["lr", "fixed_point", "statistic"])["value"]
    assert found["1e-05", "(0, 2)", FINAL] == pytest.approx(0.5)
    assert found["3e-05", "(0, 2)", FINAL] == pytest.approx(5.0)
    assert found["1e-05", "learned from (0, 1)", FINAL] == pytest.approx(0.7)
    # the best of (0, 2) is 0.5 at 1e-5, that of (0, 1) is 0.4 at 3e-5
    assert found[OWN_BEST, "(0, 2)", FINAL] == pytest.approx(0.5 / 0.4)
    assert found["1e-05", "(0, 2)", TEST] == pytest.approx(1)


def test_a_selu_is_compared_with_one_that_differs_in_its_fixed_point_alone(tables: Tables, tmp_path: Path) -> None:
    before = fixed_points(tables)
    write(tmp_path, fixed_point=[0, 1], lr=1e-5, factor=9.0, name="fewer_seeds", seeds=2)
    write(tmp_path, fixed_point=[0, 2], lr=1e-5, factor=9.0, name="batch", training__batch_size=32)
    write(tmp_path, fixed_point=[0, 1], lr=1e-5, factor=9.0, name="epochs", training__epochs=7)
    more = load_runs(tmp_path)
    pd.testing.assert_frame_equal(fixed_points(more), before)
    make_report(more, tmp_path / "report")
    text = (tmp_path / "report/report.md").read_text()
    for left_out in (
        "mnist/batch/d8-00000000: not among the fixed points, it differs from the others in batch size",
        "mnist/epochs/d8-00000000: not among the fixed points, it differs from the others in epochs",
        "mnist/fewer_seeds/d8-00000000: not among the fixed points, "
        "mnist/selu_0_1_1e-05_False/d8-00000000 is the same network and stands there",
    ):
        assert left_out in text


def test_two_runs_of_other_seeds_and_one_of_another_fixed_point_at_one_rate_make_a_report(tmp_path: Path) -> None:
    for name in ("some", "others"):
        write(tmp_path / "runs", fixed_point=[0, 1], lr=1e-5, factor=1.0, name=name, seeds=1)
    write(tmp_path / "runs", fixed_point=[0, 2], lr=1e-5, factor=0.5, seeds=1)
    make_report(load_runs(tmp_path / "runs"), tmp_path / "report")
    text = (tmp_path / "report/report.md").read_text()
    assert "## Is (0, 1) the best fixed point?" in text
    assert "mnist/some/d8-00000000: not among the fixed points, mnist/others/d8-00000000 is the same network" in text
    assert "- causes: " in text


def test_sentences_count_what_is_sure(tables: Tables) -> None:
    sentences = fixed_point_sentences(fixed_points(tables))
    (equal,) = [s for s in sentences if s.startswith("(0, 2), at equal learning rates")]
    assert "final error lower in 1 and higher in 1 of 2 (ratios 0.50 to 5.00)" in equal
    (own,) = [s for s in sentences if s.startswith("(0, 2), each at its own best")]
    assert "final error lower in 0 and higher in 1 of 1 (ratios 1.25 to 1.25)" in own


def test_the_answer_names_what_is_better_somewhere_and_worse_nowhere(tables: Tables) -> None:
    table = fixed_points(tables)
    assert (table["p_holm"] <= table["p"] * table["fixed_point"].nunique()).all()  # corrected within one place
    own, equal = fixed_point_sentences(table)[:2]
    assert own.startswith("Each at its own best")
    assert "in final error none" in own  # (0, 2) is surely higher there
    assert "in final error learned from (0, 1) (in 1 of 1)" in equal
    assert equal.endswith("in both none.")
    better = table.assign(p_holm=0.01, low=0.8, high=0.9)
    assert "in both (0, 2), learned from (0, 1)." in fixed_point_sentences(better)[0]


def test_the_readmes_sentences_hold_learned_constants_apart(tables: Tables) -> None:
    table = fixed_points(tables)
    own, equal = both_errors(table.assign(p_holm=0.01, low=0.8, high=0.9))
    assert own.startswith(
        "Each at its own best learning rate, lower in both errors somewhere and higher nowhere: (0, 2);"
    )
    assert "learned from (0, 1): final error lower in 1 and higher in 0 of 1" in equal
    assert "higher nowhere: none;" in both_errors(table)[0]


def test_learned_constants_are_those_after_training(tables: Tables) -> None:
    constants = learned_constants(tables)
    assert len(constants) == 6 * 8
    pd.testing.assert_series_equal(constants["alpha"], 1 + 0.1 * constants["layer"], check_names=False)
    assert set(constants["start"]) == {"(0, 1)"}
    assert (constants["alpha_start"] == 1).all()
    assert (constants["lambda_start"] == 2).all()


@pytest.mark.slow
def test_the_report_has_the_question_its_answer_and_both_pictures(tables: Tables, tmp_path: Path) -> None:
    out = tmp_path / "report"
    make_report(tables, out)
    text = (out / "report.md").read_text()
    assert "## Is (0, 1) the best fixed point?" in text
    assert "mean alpha 1.45 from (0, 1)" in text
    written = {path.name for path in out.iterdir()}
    assert {"fixed_points.png", "constants.png", "fixed_points.csv"} <= written
    assert "causes.png" not in written  # the learning rate alone, which every fixed point has
    assert "no control" not in text
    again = tmp_path / "again"
    make_report(tables, again)
    assert all((again / path.name).read_bytes() == path.read_bytes() for path in out.iterdir())


def test_nothing_to_compare_says_what_to_run(tmp_path: Path) -> None:
    write(tmp_path, fixed_point=[0, 1], lr=1e-5, factor=1.0)
    with pytest.raises(ValueError, match=r"run \+sweep=fixed_points"):
        fixed_points(load_runs(tmp_path))
