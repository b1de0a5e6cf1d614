"""Estimates that may be bounds: their text, what a bound does to interval and p, unpaired seeds, tables of ratios."""

import doctest
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

from selfnorm.analysis.bounds import Estimate, Kind, compare, kind_of, ratio

RNG_SEED = 20
A, B = np.log([40.0, 42, 45, 50, 52, 60]), np.log([1.0, 1.1, 0.9, 1.2, 0.8, 1.05])


@pytest.mark.parametrize("module", ["bounds", "perturbation", "levels", "speed"])
def test_docstring_examples_hold(module: str) -> None:
    outcome = doctest.testmod(import_module(f"selfnorm.analysis.{module}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("=", "1230000 (0.00123 to 4.57)"),
        ("≥", "≥ 1230000"),
        ("≤", "≤ 1230000"),
        ("?", "–"),
    ],
)
def test_an_estimate_says_whether_it_is_a_bound(kind: Kind, text: str) -> None:
    assert str(Estimate(1234567.0, 0.0012345, 4.5678, kind, 6, 5, 0.0312)) == text


def test_a_bound_without_a_test_shows_no_p() -> None:
    assert str(Estimate(3.0, 2.0, np.inf, "≥", 4, 4, np.nan)) == "≥ 3"


def test_two_bounds_that_point_apart_say_nothing() -> None:
    assert [kind_of(at_least=x, at_most=y) for x in (False, True) for y in (False, True)] == ["=", "≤", "≥", "?"]
    assert np.isnan(ratio(A, B, "?").value)


def test_a_bound_opens_one_end_and_its_p_counts_in_one_direction_alone() -> None:
    plain, least, most = (ratio(A, B, kind) for kind in ("=", "≥", "≤"))
    assert plain.low < plain.value < plain.high
    assert (least.low, least.high, least.p) == (plain.low, np.inf, plain.p)  # at least 47: decided
    assert (most.low, most.high, most.p) == (0, plain.high, 1.0)  # at most 47: may be 47, 1 or less
    assert ratio(B, A, "≤").p == plain.p
    assert ratio(B, A, "≥").p == 1.0
    assert np.isnan(ratio(B[:4], A[:4], "≥").p)  # too few seeds for a test, whichever way the bound points


def test_networks_whose_seeds_all_stand_at_their_bounds_have_a_ratio_without_scatter() -> None:
    both = ratio(np.full(6, np.log(8.0)), np.full(6, np.log(2.0)), "≥")
    assert (both.value, both.low) == (pytest.approx(4), pytest.approx(4))
    assert both.p == pytest.approx(2 / 924)
    with pytest.raises(ValueError, match="1 seeds give no ratio"):
        ratio(A[:1], B, "≥")


def test_unpaired_comparison_of_seeds_that_share_luck_is_conservative() -> None:
    """Half of the variance is shared by the pair: no interval misses, and no test rejects, more often than 5 %."""
    rng = np.random.default_rng(RNG_SEED)
    misses = rejections = 0
    for _ in range(400):
        shared = rng.standard_normal(6)
        one = ratio(*(shared + rng.standard_normal((2, 6))))
        misses += not one.low <= 1 <= one.high
        rejections += one.p < 0.05
    print(
        f"pairs that share half of their variance: coverage {1 - misses / 400:.3f}, false alarms {rejections / 400:.3f}"
    )
    assert max(misses, rejections) / 400 < 0.04  # nominal 0.05 scatters by 0.011; measured 0.01


def table(values: dict[int, list[float]], bound: tuple[int, ...] = ()) -> pd.DataFrame:
    """Spreads in per cent by level and seed."""
    rows = [
        {"what": "x", "level": level, "seed": seed, "log_sd": np.log(sd / 100), "bound": level in bound}
        for level, spreads in values.items()
        for seed, sd in enumerate(spreads)
    ]
    return pd.DataFrame(rows)


def test_ratio_at_levels_and_over_those_that_every_seed_visits() -> None:
    a = table({1: [4, 5, 6], 2: [8, 9, 10], 3: [7, 7, 8]})
    b = table({1: [0.4, 0.5, 0.6], 2: [0.2, 0.3, 0.2], 3: [0.1, 0.2], 4: [1, 1, 2]})
    rows = compare(a, b, by="what", at="level").set_index("level")
    assert rows.index.tolist()[:3] == [1, 2, 3]  # level 4 is visited by one network alone
    assert rows.loc[1, "value"] == pytest.approx(10)
    assert rows.loc[3, "n_b"] == 2
    overall = rows.iloc[-1]
    mean = np.exp(np.log([4, 5, 6, 8, 9, 10]).mean() - np.log([0.4, 0.5, 0.6, 0.2, 0.3, 0.2]).mean())
    assert overall["value"] == pytest.approx(mean)  # level 3 lacks a seed of b
    assert (overall["points"], overall["n_a"], overall["n_b"]) == (2, 3, 3)
    assert overall["percent_a"] == pytest.approx(np.exp(np.log([4, 5, 6, 8, 9, 10]).mean()))
    assert rows["visible"].all()
    assert not compare(b[b["level"] == 1], b[b["level"] == 1], by="what", at="level")["visible"].any()


def test_a_denominator_at_its_bound_makes_the_ratio_a_lower_bound() -> None:
    a, b = table({1: [4, 5, 6], 2: [8, 9, 10]}, bound=(2,)), table({1: [1, 2, 1], 2: [1, 2, 2]}, bound=(1, 2))
    rows = compare(a, b, by="what", at="level")
    assert rows["kind"].tolist() == ["≥", "?", "≥"]
    assert rows["points"].iloc[-1] == 1  # the level where nothing is known is left out
    assert compare(b, table({1: [4, 5, 6]}), by="what", at="level")["kind"].tolist() == ["≤", "≤"]


def test_a_seed_without_a_spread_does_not_count() -> None:
    a, b = table({1: [4, 5, 6, np.nan]}), table({1: [1, 2, 1]})
    rows = compare(a, b, by="what", at="level")
    assert rows["n_a"].tolist() == [3, 3]
    none = compare(table({1: [4, np.nan]}), b, by="what", at="level")
    assert none.empty
    assert none.columns.tolist() == rows.columns.tolist()
