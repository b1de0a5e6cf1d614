"""Rivals: predicted before training, measured at the first record, ranked at their own rates."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis.made_runs import config as made_config
from analysis.made_runs import write_run
from tools.made_tables import errors

from selfnorm import config
from selfnorm.analysis.coordinates import network_name, reference_cells
from selfnorm.analysis.figures.style import house_style
from selfnorm.analysis.results import Tables
from selfnorm.analysis.runs import load_runs
from selfnorm.studies.rivals import against, measured, own_rates, predict, ranks, section
from selfnorm.training.job import run_job

SPEEDS = {
    "SNN": {1e-6: 0.005, 1e-5: 0.05, 1e-4: 0.4},
    "BN": {1e-6: 0.002, 1e-5: 0.02, 1e-4: 0.1},
    "LN": {1e-6: 0.001, 1e-5: 0.01, 1e-4: 0.9},
}
CHANGES: Mapping[str, dict[str, object]] = {"LN": {"activation__name": "relu", "normalization__name": "layer"}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Three networks at depths 4, 8, 16 with three rates each; LN diverges at the largest one in 16 layers."""
    root, rng = tmp_path_factory.mktemp("rivals"), np.random.default_rng(5)
    for depth in (4, 8, 16):
        for network, by_rate in SPEEDS.items():
            for lr, speed in by_rate.items():
                made = errors(rng, seeds=6, epochs=30, noise=0.001, rate=speed * (1 - depth / 100))
                lost = {str(seed): 40 for seed in range(6)} if (network, depth, lr) == ("LN", 16, 1e-4) else None
                changes = {"optimizer__lr": lr, **CHANGES.get(network, {})}
                configuration = made_config(network=network, depth=depth, tag="rivals", **changes)
                write_run(root / "rivals" / network / f"d{depth}-{lr:g}", configuration, made, diverged=lost)
    return load_runs(root)


def test_a_prediction_is_of_every_network_and_depth_once_whatever_the_rate(make_job: Callable[..., config.Job]) -> None:
    chosen = ["activation=selu"], ["activation=relu", "normalization=batch"], ["model=rezero"]
    jobs = [
        make_job(*overrides, f"model.depth={depth}", f"optimizer.lr={lr}")
        for overrides in chosen for depth in (2, 5) for lr in (1e-5, 1e-3)
    ]  # fmt: skip
    table = predict(job.model_dump(by_alias=True) for job in jobs)
    assert table.groupby(["network", "depth"], sort=False)["layer"].apply(list).to_dict() == {
        (network, depth): list(range(1, depth + 1)) for network in ("SNN", "BN", "ReZero") for depth in (2, 5)
    }
    last = table[table["layer"] == table["depth"]].set_index(["network", "depth"])
    assert last.loc[("BN", 5), "cosine"] == pytest.approx(1 / np.pi)
    first = table[table["layer"] == 1].set_index(["network", "depth"])["gradient"]
    assert first["SNN", 5] == pytest.approx(4 * np.log10(1.0715749925))  # chi of SELU, four times
    assert first["BN", 5] == pytest.approx(4 * np.log10(np.pi / (np.pi - 1)))
    assert np.isnan(first["ReZero", 5])


def test_what_was_measured_before_training_lies_beside_the_prediction(make_job: Callable[..., config.Job]) -> None:
    job = make_job("model.depth=6", "model.width=64", "training.epochs=1", "seeds=[0,1,2,3]", "tag=one")
    run_job(job)
    found = measured(load_runs(Path(job.runs_dir)))
    rows = pd.read_csv(job.folder / "moments.csv").query("step == 0 and layer == 1")
    ends = pd.read_csv(job.folder / "moments.csv").query("step == 0 and layer == 6")
    one = found[found["layer"] == 1].iloc[0]
    assert one["variance"] == pytest.approx(rows["activation_variance"].mean())
    gradients = rows["gradient_second_moment"].to_numpy() / ends["gradient_second_moment"].to_numpy()
    assert one["gradient"] == pytest.approx(np.log10(gradients).mean())
    assert one["gradient_sd"] == pytest.approx(np.log10(gradients).std(ddof=1))
    assert found["network"].unique().tolist() == ["SNN"]


def test_of_rates_with_equally_many_cells_the_papers_is_the_common_one(made: Tables) -> None:
    assert reference_cells(made.cells, "SNN")["lr"].unique().tolist() == [1e-5]


def test_a_networks_own_rate_is_one_at_which_no_seed_diverged(made: Tables) -> None:
    table = own_rates(made)
    own = table[table["rate"] == "own"].set_index(["network", "depth"])["lr"]
    assert own["LN", 8] == 1e-4
    assert own["LN", 16] == 1e-5
    assert table[table["rate"] == "common"]["lr"].unique().tolist() == [1e-5]  # the paper's, not the grid's smallest
    assert table.set_index(["network", "depth", "rate"]).loc[("LN", 16, "own"), "trains"] == np.False_


def test_ranks_and_ratios_are_over_data_sets_and_depths(made: Tables) -> None:
    table = own_rates(made)
    ranked = ranks(table)["training_error"]
    assert ranked.num_blocks == 3
    assert ranked.average.to_dict() == {
        "LN": pytest.approx(5 / 3),
        "SNN": pytest.approx(5 / 3),
        "BN": pytest.approx(8 / 3),
    }
    compared = against(table, "SNN").set_index(["network", "outcome"])
    own = table[table["rate"] == "own"].pivot_table(index="depth", columns="network", values="training_error")
    by_hand = np.exp(np.log(own["BN"] / own["SNN"]).mean())
    assert compared.loc[("BN", "training_error"), "value"] == pytest.approx(by_hand)
    assert compared.loc[("BN", "training_error"), "blocks"] == 3


def test_the_section_needs_a_prediction_and_shows_it(made: Tables) -> None:
    with pytest.raises(ValueError, match=r"nothing was predicted before training: python scripts/predict.py"):
        section(made)
    layers = pd.DataFrame({"network": "SNN", "depth": 16, "layer": range(1, 17), "variance": 1.0, "cosine": 0.0,
                           "gradient": 0.5})  # fmt: skip
    moments = pd.DataFrame(
        {"cell": made.cells["cell"].iloc[0], "dataset": "mnist", "network": "SNN", "depth": 16, "step": 0, "seed": 0,
         "layer": range(1, 17), "activation_variance": 1.1, "activation_cosine": 0.02, "gradient_second_moment": 3.0}
    )  # fmt: skip
    with house_style():
        text = section(replace(made, predicted=layers, moments=moments)).text
    assert "| SNN | 1 | 1.1 | 0 | 0.02 | 0.5 | 0 |" in text
    assert "diverges" not in text


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"model.initialization": "orthogonal"}, "SNN, orthogonal"),
        ({"model.initialization": "lsuv", "activation": "relu"}, "ReLU, LSUV"),
        ({"block": "rezero"}, "ReZero"),
        ({"normalization": "centred"}, "SELU + centred weights"),
        ({"normalization": "dyt", "activation": "relu"}, "DyT"),
        ({"activation": "dks_tanh", "fixed_point": "none"}, "DKS TANH"),
    ],
)
def test_every_rival_has_a_name_of_its_own(changes: dict[str, str], name: str) -> None:
    row = {"block": "plain", "activation": "selu", "normalization": "none", "fixed_point": "(0, 1)", "position": "none"}
    assert network_name(row | changes) == name
