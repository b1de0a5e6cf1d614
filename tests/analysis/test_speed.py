"""Updates to error levels on exponential curves with known rates: ratios, bounds, crossings, the level reported."""

import numpy as np
import pytest

from selfnorm.analysis.speed import at_reported_level, compare_speed, crossing, updates_to

STEPS = np.arange(0, 2001, 25)


def curves(rates: np.ndarray | list[float], start: float = 2.3, floor: float = 0.0) -> np.ndarray:
    return np.maximum(start * np.exp(-np.outer(rates, STEPS)), floor)


SLOW, FAST = np.linspace(0.9e-3, 1.1e-3, 6), np.linspace(3.6e-3, 4.4e-3, 6)


def test_updates_are_those_of_an_exponential_and_never_is_infinite() -> None:
    np.testing.assert_allclose(updates_to(0.5, curves(SLOW), STEPS), np.log(2.3 / 0.5) / SLOW, rtol=1e-12)
    assert np.isinf(updates_to(0.01, curves(SLOW), STEPS)).all()
    touching = np.array([[2.0, 1.0, 3.0, 0.5]])
    assert updates_to(1.0, touching, np.arange(4.0)) == 1  # the first time counts, whatever comes after


def test_ratio_of_rates_is_found_at_every_level_that_both_reach() -> None:
    table = compare_speed(curves(SLOW), STEPS, curves(FAST), STEPS)
    both = table[table["kind"] == "="]
    assert both["level"].tolist() == [2, 1.5, 1.2, 1, 0.6]  # the slowest seed ends at 0.38
    np.testing.assert_allclose(both["value"], 4, rtol=1e-3)
    assert both["p"].tolist() == pytest.approx([2 / 924] * 5)
    reported = at_reported_level(table)
    assert reported is not None
    assert (reported["level"], reported["kind"]) == (0.6, "=")
    assert crossing(table) is None


def test_a_level_that_the_slower_network_misses_gives_a_lower_bound() -> None:
    table = compare_speed(curves(SLOW), STEPS, curves(FAST), STEPS).set_index("level")
    row = table.loc[0.3]  # needs a rate of log(2.3 / 0.3) / 2000 = 1.02e-3: three of six have it
    assert (row["kind"], row["reached_a"], row["reached_b"], row["high"]) == ("≥", 3, 6, np.inf)
    slowest = np.minimum(np.log(2.3 / 0.3) / SLOW, 2000)
    assert row["value"] == pytest.approx(np.exp(np.mean(np.log(slowest)) - np.mean(np.log(np.log(2.3 / 0.3) / FAST))))
    assert table.loc[0.1, "value"] < 4  # a bound, which the true ratio exceeds
    mirrored = compare_speed(curves(FAST), STEPS, curves(SLOW), STEPS).set_index("level").loc[0.3]
    assert (mirrored["kind"], mirrored["low"]) == ("≤", 0)


def test_where_the_slower_network_reaches_no_level_the_highest_bound_is_reported() -> None:
    stuck = curves(SLOW, floor=2.1)
    reported = at_reported_level(compare_speed(stuck, STEPS, curves(FAST), STEPS))
    assert reported is not None
    assert (reported["level"], reported["kind"], reported["reached_a"]) == (2, "≥", 0)
    assert reported["p"] == pytest.approx(2 / 924)
    assert at_reported_level(compare_speed(stuck, STEPS, stuck, STEPS)) is None


def test_runs_of_other_lengths_are_cut_at_the_shorter_one() -> None:
    longer = np.arange(0, 8001, 25)
    slow = 2.3 * np.exp(-np.outer(SLOW, longer))
    table = compare_speed(slow, longer, curves(FAST), STEPS)
    assert table.equals(compare_speed(curves(SLOW), STEPS, curves(FAST), STEPS))


def test_curves_that_cross_are_reported_as_a_crossing() -> None:
    """One falls fast and stops at 0.8, as BN at depth 8 on CIFAR-10 overtakes late; the other goes on evenly."""
    sprinter = np.array([np.interp(STEPS, [0, 300, 2000], np.log([2.3, 1.1, 0.5])) for _ in range(6)])
    steady = -np.outer(np.linspace(0.98e-3, 1.02e-3, 6), STEPS) + np.log(2.3)
    sprinter += 0.01 * np.linspace(-1, 1, 6)[:, None]
    table = compare_speed(np.exp(steady), STEPS, np.exp(sprinter), STEPS)
    assert crossing(table) == (1, 0.6)
    assert crossing(table[table["level"] >= 1]) is None


def test_noise_about_one_is_no_crossing() -> None:
    rng = np.random.default_rng(50)
    same = [curves(1e-3 * np.exp(0.1 * rng.standard_normal(6))) for _ in range(2)]
    assert crossing(compare_speed(same[0], STEPS, same[1], STEPS)) is None


def test_interval_of_a_ratio_of_speeds_covers_it() -> None:
    rng = np.random.default_rng(51)
    hits = 0
    for _ in range(300):
        rates = (mean * np.exp(0.15 * rng.standard_normal(5)) for mean in (4e-3, 8e-3))
        a, b = (curves(rate) for rate in rates)
        row = compare_speed(a, STEPS, b, STEPS, (0.3,)).iloc[0]
        hits += row["low"] <= 2 <= row["high"]
    print(f"updates to a level, 5 seeds: coverage {hits / 300:.3f}")
    assert 0.92 <= hits / 300 <= 0.985  # 95 % of 300 trials scatter by 1.3 %


def test_seeds_that_diverged_are_left_out_and_counted() -> None:
    broken = curves(SLOW)
    broken[0, 40:] = np.nan
    table = compare_speed(broken, STEPS, curves(FAST), STEPS)
    assert (table["n_a"] == 5).all()
    assert (table["diverged_a"] == 1).all()
    assert (table["diverged_b"] == 0).all()
