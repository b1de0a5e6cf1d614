"""Tables of predicted and measured moments: known errors are found, and a rebuild gives the same bytes."""

from __future__ import annotations

import gzip
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from selfnorm.studies.prediction import MAPS, QUANTITIES, layer_table, seed_errors, summary
from selfnorm.studies.prediction_report import read_table, write_report, write_table
from selfnorm.theory.prediction import Inputs, LayerMoments, Network, predict_network
from selfnorm.theory.selu import Selu

SCRIPT = Path(__file__).parents[2] / "scripts/prediction.py"
ABOUT = {"command": "python scripts/prediction.py runs --out docs", "left_out": ["a: seed 3 diverged"]}
DEPTH, WIDTH = 6, 40


def labels(seed: int, **changes: Any) -> dict[str, Any]:
    run = {"dataset": "mnist", "network": "selu", "depth": DEPTH, "width": WIDTH, "run": "t/selu"}
    return run | {"when": "initial", "step": 0, "seed": seed} | changes


def maps(seed: int) -> dict[str, LayerMoments]:
    rng = np.random.default_rng(seed)
    weights = [rng.normal(scale=WIDTH**-0.5, size=(WIDTH, WIDTH)) for _ in range(DEPTH)]
    biases = [rng.normal(scale=0.1, size=WIDTH) for _ in range(DEPTH)]
    inputs = Inputs.of(rng.normal(0.2, rng.uniform(0.5, 1.5, (50, 1)), (50, WIDTH)))
    return predict_network(Network(weights, biases, [Selu()] * DEPTH), inputs)


def recorded(path: LayerMoments) -> pd.DataFrame:
    """moments.csv of a network that follows the path exactly."""
    columns = {f"activation_{name}": getattr(path, name) for name in ("mean", "variance", "unit_mean_sd")}
    gradient = 3e-4 * np.append(np.cumprod(path.chi[::-1])[::-1], 1.0)
    table = pd.DataFrame(columns | {"layer": np.arange(1, DEPTH + 1), "gradient_second_moment": gradient})
    return table.sample(frac=1, random_state=0)  # rows in any order


@pytest.mark.parametrize("name", MAPS)
def test_a_network_that_follows_a_map_exactly_has_no_error_under_it_and_some_under_the_others(name: str) -> None:
    paths = maps(0)
    errors = seed_errors(layer_table(paths, recorded(paths[name]), **labels(0))).set_index("quantity")
    said = [quantity for quantity in QUANTITIES if (name, quantity) != ("second_moment", "unit_mean_sd")]
    assert errors.loc[said, name].max() < 1e-13
    others = [other for other in MAPS if other != name]
    assert errors.loc[["variance", "chi"], others].to_numpy().min() > 1e-5


def known() -> pd.DataFrame:
    """Four seeds, two layers; the paper's map is off by 0.1 to 0.4, the per-unit map by a tenth, measured by +-1."""
    rows = []
    for seed, factor in enumerate((1.0, 2.0, 3.0, 4.0)):
        for layer in (1, 2):
            measured = (-1.0) ** seed
            values = {"measured": measured, "paper": measured - 0.1 * factor, "per_unit": measured + 0.01 * factor}
            values["second_moment"] = np.nan
            rows.append(labels(seed) | {"layer": layer, "quantity": "mean"} | values)
    table = pd.DataFrame(rows)
    return table.assign(**{f"{name}_error": table[name] - table["measured"] for name in MAPS})


def test_errors_are_geometric_means_over_seeds_with_a_t_interval_and_the_seeds_scatter_beside_them() -> None:
    found = summary(known()).set_index("map")
    assert set(found.index) == {"paper", "per_unit"}  # the other says nothing
    logs = np.log([0.1, 0.2, 0.3, 0.4])
    half = 3.182446305 * logs.std(ddof=1) / 2  # Student's t, 3 degrees of freedom, 97.5 %
    paper = found.loc["paper"]
    np.testing.assert_allclose(
        paper[["error", "low", "high"]].astype(float), np.exp(logs.mean() + half * np.r_[0, -1, 1])
    )
    assert paper["n"] == 4
    assert list(found.loc[["paper", "per_unit"], "closest"]) == [False, True]
    assert paper["scatter"] == pytest.approx((4 / 3) ** 0.5)  # every seed is 1 away from a mean of 4


def test_maps_that_seeds_cannot_tell_apart_are_both_closest() -> None:
    table = known()
    factor = np.where(table["seed"] % 2 == 0, 2.0, 0.6)  # once further, once nearer than the paper's map
    table["per_unit_error"] = table["paper_error"] * factor
    assert summary(table)["closest"].all()


def test_a_network_without_gradient_has_no_gain_and_the_rest_stays() -> None:
    paths = maps(1)
    dead = recorded(paths["paper"]).assign(gradient_second_moment=0.0)
    errors = seed_errors(layer_table(paths, dead, **labels(1))).set_index("quantity")
    assert errors.loc["chi", list(MAPS)].isna().all()
    assert errors.loc["variance", list(MAPS)].notna().all()


@pytest.mark.parametrize("broken", [pd.DataFrame({"layer": [1]}), recorded(maps(0)["paper"]).iloc[:0]])
def test_moments_without_rows_or_columns_are_refused(broken: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"moments\.csv has no (activation_mean, .*|row): run it again"):
        layer_table(maps(0), broken, **labels(0))


def study() -> pd.DataFrame:
    parts = [
        layer_table(
            maps(seed),
            recorded(maps(seed + 10)["per_unit"]),
            **labels(seed, when=when, step=step, network=name, run=f"t/{name}"),
        )
        for name in ("relu", "selu")
        for when, step in (("initial", 0), ("trained", 400))
        for seed in range(2)
    ]
    return pd.concat(parts)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rebuild(*arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["prediction.py", *arguments])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(SCRIPT), run_name="__main__")
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.mark.slow
def test_a_rebuild_from_the_committed_table_gives_the_same_bytes(tmp_path: Path) -> None:
    write_table(study(), ABOUT, tmp_path / "a")
    write_report(*read_table(tmp_path / "a"), tmp_path / "a")
    first = contents(tmp_path / "a")
    assert set(first) == {"prediction.csv.gz", "about.json", "errors.csv", "report.md",
                          "prediction.png", "prediction.svg", "prediction.pdf"}  # fmt: skip
    for name in ("errors.csv", "report.md", "prediction.png", "prediction.svg", "prediction.pdf"):
        (tmp_path / "a" / name).unlink()
    assert rebuild(str(tmp_path / "a"), "--rebuild") == 0
    assert contents(tmp_path / "a") == first
    report = first["report.md"].decode()
    assert report.index("| MNIST | SELU |") < report.index("| MNIST | ReLU |")
    assert "- a: seed 3 diverged" in report
    shuffled = study().sample(frac=1, random_state=1)
    write_table(shuffled, ABOUT, tmp_path / "b")
    assert (tmp_path / "b/prediction.csv.gz").read_bytes() == first["prediction.csv.gz"]


def test_the_committed_study_has_every_cell_seed_and_column() -> None:
    table, about = read_table(SCRIPT.parents[1] / "docs/theory/prediction")
    assert not about["left_out"]
    assert set(table["depth"]) == {8, 16, 32}
    assert set(table["network"]) == {"selu", "selu-alpha", "relu"}
    assert (table.groupby(["run", "when", "quantity"])["seed"].nunique() >= 3).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{}/empty", "--rebuild"], "has no prediction.csv.gz and about.json"),
        (["{}/torn", "--rebuild"], "is not readable"),
        (["{}/foreign", "--rebuild"], "lacks the column dataset"),
        (["{}/text", "--rebuild"], "is not readable (could not convert string to float"),
        (["{}/torn", "--tag", "t"], "--tag selects runs, not committed tables"),
        (["{}/empty"], "--out is missing"),
        (["{}/empty", "--out", "{}/out"], "no run below"),
        (["{}/nowhere"], "is not a folder"),
    ],
)
def test_bad_folders_are_answered_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = study().astype({"measured": object}).assign(measured="much").to_csv(index=False)
    tables = {"torn": b"x", "foreign": gzip.compress(b"a,b\n1,2\n"), "text": gzip.compress(text.encode())}
    for name, table in tables.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "prediction.csv.gz").write_bytes(table)
        (tmp_path / name / "about.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    assert rebuild(*(text.format(tmp_path) for text in arguments)) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
