"""Each network at its own best learning rate: which rate that is, and what the two need there."""

from pathlib import Path

import numpy as np
import pytest
from analysis.made_runs import config, write_run
from tools.made_tables import errors

from selfnorm.analysis.results import Tables
from selfnorm.analysis.runs import load_runs
from selfnorm.studies.rates import rates, scores, section

SPEEDS = {"BN": {1e-5: 0.02, 1e-4: 0.2, 1e-3: 0.1}, "SNN": {1e-5: 0.06, 1e-4: 0.6, 1e-3: 0.9}}


def write_rates(root: Path, speeds: dict[str, dict[float, float]], *, diverged: str = "") -> Tables:
    rng = np.random.default_rng(3)
    for network, by_rate in speeds.items():
        for lr, speed in by_rate.items():
            made = errors(rng, seeds=6, epochs=100, noise=0.001, rate=speed)
            lost = {"2": 400} if network == diverged and lr == 1e-3 else None
            configuration = config(network=network, tag="rates", optimizer__lr=lr)
            write_run(root / "rates" / "mnist" / network / f"d08-{lr:g}", configuration, made, diverged=lost)
    return load_runs(root)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return write_rates(tmp_path_factory.mktemp("rates"), SPEEDS, diverged="SNN")


def test_the_own_rate_has_the_lowest_validation_error_and_no_diverged_seed(made: Tables) -> None:
    table = scores(made)
    best = table[table["best"]].set_index("network")
    assert best["lr"].to_dict() == {"BN": 1e-4, "SNN": 1e-4}
    assert not best["edge"].any()
    assert np.isinf(table.set_index(["network", "lr"]).loc[("SNN", 1e-3), "score"])
    assert table[table["common"]]["lr"].tolist() == [1e-5, 1e-5]
    curve = made.curves_by_cell[best.loc["BN", "cell"], "validation"]
    by_hand = curve.groupby("step")["loss"].mean().min()
    assert best.loc["BN", "score"] == pytest.approx(by_hand, rel=1e-12)


def test_a_best_rate_at_the_end_of_the_grid_is_marked(tmp_path: Path) -> None:
    table = scores(write_rates(tmp_path, SPEEDS))  # nobody diverges: the SNN is best at 1e-3, its largest
    best = table[table["best"]].set_index("network")
    assert best["edge"].to_dict() == {"BN": False, "SNN": True}


def test_the_two_are_compared_at_their_own_rates_and_at_the_common_one(made: Tables) -> None:
    found = rates(made, scores(made)).set_index(["statistic", "rate"])
    # At both rates the SNN falls three times as fast
    assert found.loc[("updates to level", "own"), "value"] == pytest.approx(3, rel=0.1)
    assert found.loc[("updates to level", "common"), "value"] == pytest.approx(3, rel=0.1)
    assert found.loc[("test error rate", "own"), "value"] == pytest.approx(1)
    assert found.loc[("updates to level", "own"), "p"] == pytest.approx(2 / 924)


def test_the_section_names_the_rates_and_refuses_a_single_one(made: Tables, tmp_path: Path) -> None:
    text = section(made, ("BN", "SNN")).text
    assert "| MNIST | 8 | 6 / 6 | 0.0001 | 0.0001 |" in text
    assert "both at 1e-05" in text
    single = write_rates(tmp_path, {network: {1e-5: 0.1} for network in ("BN", "SNN")})
    with pytest.raises(ValueError, match="two learning rates: run \\+sweep=rates"):
        section(single, ("BN", "SNN"))
