"""Forks of made processes: one that forgets the order at the end of its epoch, one that accumulates it, few forks."""

import numpy as np
import pandas as pd
import pytest

from selfnorm.analysis.bounds import RESOLUTION, compare
from selfnorm.analysis.perturbation import at_end, at_levels, spreads

UPDATES = 20  # in an epoch


def forks_of(log_loss_SKU: np.ndarray, *, step: int = 100, source: str = "order") -> pd.DataFrame:
    """forks.csv of one fork point from log losses, (seeds, forks, updates since the fork, the first one is 1)."""
    seed, fork, update = (axis.ravel() for axis in np.indices(log_loss_SKU.shape))
    columns = {"step": step, "epoch": step // UPDATES, "seed": seed, "source": source, "fork": fork}
    return pd.DataFrame({**columns, "update": update + 1, "loss": np.exp(log_loss_SKU.ravel())})


def walks(rng: np.random.Generator, seeds: int, forks: int, sd: float, *, forgets: bool) -> np.ndarray:
    """Random walks of step sd; forgets=True takes the end out of each, so that it returns to where it started."""
    walk = np.cumsum(sd * rng.standard_normal((seeds, forks, UPDATES)), axis=2)
    return walk - walk[..., -1:] * np.arange(1, UPDATES + 1) / UPDATES if forgets else walk


def made_logs(rng: np.random.Generator, seeds: int, forks: int, sd: float = 0.01, between: float = 0.0) -> np.ndarray:
    """Log losses one update after the fork; the true sd differs between seeds by exp(between * normal)."""
    sd_S11 = sd * np.exp(between * rng.standard_normal((seeds, 1, 1)))
    return -1 + sd_S11 * rng.standard_normal((seeds, forks, 1))


def test_the_process_that_accumulates_is_told_from_the_one_that_forgets() -> None:
    rng = np.random.default_rng(30)
    noise = 1e-4 * rng.standard_normal((6, 8, UPDATES))
    accumulates = spreads(forks_of(walks(rng, 6, 8, 0.01, forgets=False) - 1))
    forgets = spreads(forks_of(walks(rng, 6, 8, 0.01, forgets=True) + noise - 3))
    end = compare(at_end(accumulates), at_end(forgets), by="source", at="step").iloc[0]
    # sd 0.01 sqrt(20) against 1e-4; log sd of 8 forks scatters by 0.28, its mean over six seeds by 0.11.
    assert end["value"] == pytest.approx(447, rel=0.5)
    assert end["low"] < 447 < end["high"]
    assert end["p"] == pytest.approx(2 / 924)
    middle = [table[table["update"] == UPDATES // 2] for table in (accumulates, forgets)]
    half_way = compare(*middle, by="source", at="step").iloc[0]
    assert half_way["value"] == pytest.approx(2**0.5, rel=0.5)  # a walk against a bridge: sqrt(u) / sqrt(u (1 - u))
    assert set(at_end(accumulates)["update"]) == {UPDATES}


def trials_of(rng: np.random.Generator, trials: int, seeds: int, forks: int, sd: float, between: float) -> pd.DataFrame:
    """Spreads of many experiments, each a fork point of its own."""
    return spreads(pd.concat(
        forks_of(made_logs(rng, seeds, forks, sd, between), step=trial) for trial in range(trials)
    ))  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "forks"), [(6, 8), (6, 4), (5, 8), (5, 4)])
def test_interval_of_few_forks_and_seeds_covers_the_ratio(seeds: int, forks: int) -> None:
    """A ratio of 3; the true spread of a network differs between its seeds by 20 and by 50 per cent."""
    rng, trials = np.random.default_rng(seeds * forks), 500
    a, b, equal = (trials_of(rng, trials, seeds, forks, *of) for of in ((0.03, 0.2), (0.01, 0.5), (0.03, 0.2)))
    rows = compare(a, b, by="source", at="step").iloc[:trials]
    coverage = ((rows["low"] <= 3) & (rows["high"] >= 3)).mean()
    size = (compare(a, equal, by="source", at="step").iloc[:trials]["p"] < 0.05).mean()
    print(f"forks, {seeds} seeds, {forks} forks: coverage {coverage:.3f}, false alarms {size:.3f}")
    # 95 % and 5 % of 500 trials scatter by 1 %.
    assert 0.925 <= coverage <= 0.98
    assert size <= 0.08


@pytest.mark.parametrize("forks", [3, 8])
def test_log_spread_of_few_forks_has_no_bias(forks: int) -> None:
    rng = np.random.default_rng(31)
    table = spreads(forks_of(made_logs(rng, 2000, forks)))
    # log sd scatters by 0.55 (3 forks), the mean of 2000 by 0.012; uncorrected it is off by -0.29.
    assert table["log_sd"].mean() == pytest.approx(np.log(0.01), abs=0.05)
    assert table["log_error"].mean() == pytest.approx(-1, abs=0.001)


def test_forks_that_do_not_differ_are_an_upper_bound() -> None:
    rng = np.random.default_rng(32)
    still = spreads(forks_of(np.full((6, 8, 1), -2.0)))
    assert still["bound"].all()
    np.testing.assert_allclose(np.exp(still["log_sd"]), RESOLUTION)
    moved = spreads(forks_of(made_logs(rng, 6, 8)))
    row = compare(moved, still, by="source", at="step").iloc[0]
    assert (row["kind"], row["p"]) == ("≥", pytest.approx(2 / 924))
    assert row["value"] == pytest.approx(0.01 / RESOLUTION, rel=0.4)
    assert compare(still, still, by="source", at="step").iloc[0]["kind"] == "?"


def test_diverged_forks_are_left_out_and_counted() -> None:
    forks = forks_of(made_logs(np.random.default_rng(33), 3, 4))
    forks.loc[forks["seed"] == 1, "loss"] = [0.5, np.nan, np.inf, 0.51]
    forks.loc[forks["seed"] == 2, "loss"] = [0.5, np.nan, np.nan, np.nan]
    table = spreads(forks).set_index("seed")
    assert table["diverged"].tolist() == [0, 2, 3]
    assert table["forks"].tolist() == [4, 2, 1]
    assert np.isnan(table.loc[2, "log_sd"])
    # Two forks, nu = 1: s = 0.0198 / sqrt 2, and log s^2 is 1.27 too low on average.
    assert table.loc[1, "log_sd"] == pytest.approx(np.log(np.log(0.51 / 0.5) / 2**0.5) + 1.2703 / 2, abs=1e-3)


def level_table(errors: list[float], factor: float, seeds: int = 6) -> pd.DataFrame:
    """Fork points at which seed r has the spread factor * error^2 * 1.1^r."""
    at = [(seed, error * 1.01**seed) for seed in range(seeds) for error in errors]
    rows = [
        {"source": "order", "seed": r, "log_error": np.log(e), "log_sd": np.log(factor * e**2 * 1.1**r), "bound": False}
        for r, e in at
    ]
    return pd.DataFrame(rows)


def test_equal_levels_recover_a_ratio_that_equal_steps_cannot() -> None:
    slow, fast = level_table([1.9, 0.9, 0.4, 0.2], factor=5), level_table([1.0, 0.3, 0.04, 0.01], factor=1)
    rows = compare(at_levels(slow), at_levels(fast), by="source", at="level")
    # The networks share errors 0.21 to 1: one middle of a half decade, 0.56.
    assert rows["level"].iloc[:-1].round(2).tolist() == [0.56]
    np.testing.assert_allclose(rows["value"], 5, rtol=1e-9)
    assert at_levels(slow)["level"].min() > 0.2  # nothing is extrapolated
    assert at_levels(slow)["level"].max() < 1.9 * 1.01**5


def test_a_level_beside_a_bound_is_a_bound() -> None:
    table = level_table([1.0, 0.3, 0.1], factor=1, seeds=1)
    table["bound"] = table["log_error"] < np.log(0.2)
    levels = at_levels(table).set_index("level")["bound"]
    assert levels.round(2).tolist() == [True, False]  # at 0.18, between 0.1 and 0.3, and at 0.56
