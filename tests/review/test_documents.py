"""The numbers that the page draws, against the files and plain arithmetic."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from analysis.made_runs import config
from review.made_folders import write_forks, write_small_run
from scipy.special import digamma

from selfnorm.review.catalogue import Catalogue, UnknownName
from selfnorm.review.group import make_group
from selfnorm.review.run import make_run
from selfnorm.runs.finding import find_folders
from selfnorm.theory.expected import expected

DIGITS = 6e-5  # relative: documents hold five digits


def strict(text: bytes) -> Any:
    """JSON without NaN and Infinity, which a browser's parser refuses."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_a_line_of_figure_1_is_the_geometric_mean_over_seeds_with_a_band_of_one_sd(figure1_root: Path) -> None:
    group = strict(Catalogue(figure1_root).group("figure1"))
    assert [(line["network"], line["depth"]) for line in group["lines"]] == [
        (network, depth) for depth in (8, 16, 32) for network in ("BN", "SNN")
    ]
    for line in group["lines"]:
        curves = pd.read_csv(figure1_root / line["id"] / "curves.csv")
        for position in (0, 17, -1):
            here = (curves["step"] == line["step"][position]) & (curves["split"] == "train")
            logs = [math.log(loss) for loss in curves[here]["loss"]]
            mean = sum(logs) / 6
            sd = math.sqrt(sum((log - mean) ** 2 for log in logs) / 5)
            found = [line[key][position] for key in ("mean", "low", "high")]
            assert found == pytest.approx([math.exp(mean + k * sd) for k in (0, -1, 1)], rel=DIGITS)
    assert len(group["cells"]) == 6
    assert {row["verdict"] for row in group["verdicts"]} <= {"holds", "does not hold", "undecided"}


def test_moments_are_those_of_the_file_by_seed_and_in_the_mean(figure1_root: Path) -> None:
    moments = strict(Catalogue(figure1_root).run("figure1/mnist/BN/d32-00000000"))["moments"]
    table = pd.read_csv(figure1_root / "figure1/mnist/BN/d32-00000000/moments.csv").set_index(["step", "seed", "layer"])
    assert (moments["layers"], moments["seeds"]) == (list(range(1, 33)), list(range(6)))
    for column in ("preactivation_mean", "activation_variance", "gradient_second_moment"):
        for at, step in enumerate(moments["steps"]):
            for layer in (1, 20, 32):
                values = [table.loc[(step, seed, layer), column] for seed in range(6)]
                assert moments["mean"][column][at][layer - 1] == pytest.approx(np.mean(values), rel=DIGITS)
                by_seed = [moments["by_seed"][column][seed][at][layer - 1] for seed in range(6)]
                assert by_seed == pytest.approx(values, rel=6e-4)  # four digits


def test_of_too_many_recordings_the_first_the_last_and_some_between_are_given(figure1_root: Path) -> None:
    (folder,) = [f for f in find_folders(figure1_root) if f.name.endswith("SNN/d08-00000000")]
    steps = pd.read_csv(folder.path / "moments.csv")["step"].unique().tolist()
    moments = make_run(folder, most_values=6 * 8 * 10 * 3)["moments"]
    assert (len(moments["steps"]), moments["all_steps"]) == (3, len(steps))
    assert (moments["steps"][0], moments["steps"][-1]) == (steps[0], steps[-1])


def test_a_seed_that_diverged_is_not_in_the_mean_and_leaves_no_nan(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "d4-1", seeds=3)
    for name, column in (("moments.csv", "activation_variance"), ("curves.csv", "loss")):
        table = pd.read_csv(folder / name)
        table.loc[(table["seed"] == 1) & (table["step"] > 500), column] = np.nan
        table.to_csv(folder / name, index=False)
    document = strict(Catalogue(tmp_path).run("d4-1"))
    assert document["moments"]["in_mean"] == [0, 2]
    assert document["moments"]["by_seed"]["activation_variance"][1][-1] == [None] * 4
    curves = pd.read_csv(folder / "curves.csv").query("split == 'train' and seed != 1")
    last = curves[curves["step"] == curves["step"].max()]["loss"]
    assert document["band"]["mean"][-1] == pytest.approx(np.sqrt(np.prod(last)), rel=DIGITS)


def test_faulty_moments_are_a_note_and_the_rest_of_the_run_is_there(tmp_path: Path) -> None:
    (write_small_run(tmp_path / "d4-1") / "moments.csv").write_bytes(b"\xff\x00,\n1\n")
    document = strict(Catalogue(tmp_path).run("d4-1"))
    assert document["moments"] is None
    assert "moments.csv" in document["moments_note"]
    assert document["band"]["step"]


def test_a_half_written_last_step_waits_for_its_other_half(tmp_path: Path) -> None:
    path = write_small_run(tmp_path / "d4-1") / "moments.csv"
    table = pd.read_csv(path)
    whole = strict(Catalogue(tmp_path).run("d4-1"))["moments"]["steps"]
    path.write_text(table.iloc[:-3].to_csv(index=False)[:-9])
    assert strict(Catalogue(tmp_path).run("d4-1"))["moments"]["steps"] == whole[:-1]


def test_a_document_is_made_again_only_when_a_file_has_changed(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "d4-1")
    catalogue = Catalogue(tmp_path)

    def documents() -> tuple[bytes, bytes]:
        return catalogue.run("d4-1"), catalogue.group("figure1")

    first = documents()
    assert all(again is before for again, before in zip(documents(), first, strict=True))
    with (folder / "curves.csv").open("a") as file:
        file.writelines(f"99999,999,{seed},train,0.5,0.9\n" for seed in range(3))
    catalogue.overview()
    run, group = map(strict, documents())
    assert run["band"]["step"][-1] == group["lines"][0]["step"][-1] == 99999


def test_a_name_that_no_run_has_is_unknown(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path)
    for ask in (catalogue.run, catalogue.group):
        with pytest.raises(UnknownName):
            ask("../etc")


def test_forks_are_the_spread_over_copies_at_the_last_update_by_source_and_step(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "d4-1")
    forks = write_forks(folder)
    document = strict(Catalogue(tmp_path).run("d4-1"))
    evaluation, order = document["forks"]
    assert (order["source"], order["step"], order["update"]) == ("order", [10, 100, 1000], 10)
    last = forks.query("source == 'order' and update == 10").assign(log=lambda table: np.log(table["loss"]))
    for at, step in enumerate(order["step"]):
        logs = [rows["log"].std(ddof=1) for _, rows in last[last["step"] == step].groupby("seed")]
        unbiased = np.log(logs) - (digamma(7 / 2) - math.log(7 / 2)) / 2  # of eight copies: see spreads
        mean, sd = unbiased.mean(), unbiased.std(ddof=1)
        shown = [order[key][at] for key in ("mean", "low", "high")]
        assert shown == pytest.approx(np.exp([mean, mean - sd, mean + sd]), rel=DIGITS)
    assert (order["bound"], evaluation["bound"]) == ([False] * 3, [True] * 3)  # copies that do not differ at all
    assert evaluation["mean"] == pytest.approx([2**-23] * 3, rel=DIGITS)


def test_faulty_forks_are_a_note_and_the_rest_of_the_run_is_there(tmp_path: Path) -> None:
    (write_small_run(tmp_path / "d4-1") / "forks.csv").write_text("step,epoch\n1,2\n")
    document = strict(Catalogue(tmp_path).run("d4-1"))
    assert document["forks"] is None
    assert "forks.csv lacks the column seed" in document["forks_note"]
    assert document["moments"]["steps"]


def curves_of(**changes: Any) -> dict[str, Any]:
    made = config(depth=6)
    return expected(
        {key: part | changes.get(key, {}) if isinstance(part, dict) else part for key, part in made.items()}
    )


def test_theory_of_selu_stays_at_zero_one() -> None:
    curves = curves_of()["curves"]
    for name in ("paper", "second_moment"):
        assert curves["activation_mean"][name] == pytest.approx([0] * 6, abs=1e-6)
        assert curves["activation_variance"][name] == pytest.approx([1] * 6, rel=1e-5)
        assert curves["preactivation_variance"][name] == pytest.approx([1] * 6, rel=1e-5)


def test_theory_of_relu_with_hes_gain_is_known_in_closed_form() -> None:
    curves = curves_of(activation={"name": "relu"})["curves"]
    kept = 1 - 1 / math.pi  # Var relu(z) / E relu(z)^2 for centred z
    assert curves["preactivation_variance"]["second_moment"] == pytest.approx([2] * 6, rel=1e-4)
    assert curves["activation_mean"]["second_moment"] == pytest.approx([math.pi**-0.5] * 6, rel=1e-4)
    assert curves["activation_variance"]["second_moment"] == pytest.approx([kept] * 6, rel=1e-4)
    # The paper's map passes the variance on, without the square of the mean
    assert curves["activation_variance"]["paper"] == pytest.approx([kept**layer for layer in range(1, 7)], rel=1e-4)


def test_theory_of_batch_normalization_forgets_what_two_samples_share() -> None:
    curves = curves_of(activation={"name": "relu"}, normalization={"name": "batch"})["curves"]
    assert curves["preactivation_variance"] == {"second_moment": pytest.approx([2] * 6, rel=1e-12)}  # no paper's map
    assert curves["preactivation_cosine"]["second_moment"] == pytest.approx([0] * 6, abs=1e-12)
    assert curves["activation_cosine"]["second_moment"] == pytest.approx([1 / math.pi] * 6, rel=1e-12)


@pytest.mark.parametrize(("initialization", "variance"), [("torch", 3**-6), ("lsuv", 1), ("orthogonal", 1)])
def test_theory_knows_how_the_weights_were_drawn(initialization: str, variance: float) -> None:
    leaky = {"name": "leaky_relu", "slope": 1.0}  # a line: every layer multiplies the variance by tau
    curves = curves_of(activation=leaky, model={"initialization": initialization})["curves"]
    assert curves["activation_variance"]["second_moment"][-1] == pytest.approx(variance, rel=1e-9)


def test_theory_with_standard_dropout_agrees_with_a_simulation() -> None:
    curves = curves_of(dropout={"name": "standard", "rate": 0.2})["curves"]
    rng = np.random.default_rng(1)
    q, means, variances = 1.0, [], []
    for _ in range(6):
        z = rng.normal(0, math.sqrt(q), 10**6)
        a = 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
        means.append(a.mean())
        variances.append(a.var())
        q = np.mean((np.where(rng.random(10**6) < 0.8, a / 0.8, 0)) ** 2)
    # of a million samples a layer, carried on over six
    assert curves["activation_mean"]["second_moment"] == pytest.approx(means, abs=0.02)
    assert curves["activation_variance"]["second_moment"] == pytest.approx(variances, rel=0.02)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"normalization": {"name": "spectral"}}, "there is no map of spectral normalization"),
        ({"model": {"block": "residual"}}, "not residual blocks"),
        ({"activation": {"name": "swish"}}, "No theory curve: activation 'swish' is unknown"),
    ],
)
def test_where_there_is_no_theory_the_page_is_told_why(changes: dict[str, Any], words: str) -> None:
    found = curves_of(**changes)
    assert found["curves"] == {}
    assert words in found["note"]


def test_two_runs_of_one_cell_are_told_apart_and_the_one_in_the_verdict_is_named(tmp_path: Path) -> None:
    for name, network in (("d4-aaaa", "BN"), ("d4-bbbb", "BN"), ("d4-cccc", "SNN")):
        write_small_run(tmp_path / network / name, network=network, seeds=6)
    group = make_group(find_folders(tmp_path))
    one, other = (line for line in group["lines"] if line["network"] == "BN")
    assert one["dash"] != other["dash"]
    assert {row["label"] for row in group["cells"]} == {"BN (aaaa)", "BN (bbbb)", "SNN"}
    assert group["chosen"] == ["MNIST, depth 4: of 2 BN runs, BN/d4-aaaa is compared"]
