"""The rigorous part against floats and samples; a checker that can only say yes would fail here."""

from dataclasses import replace

import flint
import numpy as np
import pytest
from flint import arb, fmpq

from selfnorm.theory.balls import PRECISION, MomentBalls, selu_constants
from selfnorm.theory.extrema import maximum, minimum
from selfnorm.theory.fixed_points import find_fixed_points
from selfnorm.theory.fixed_region import fixed_point_extremes, upper_bound
from selfnorm.theory.moment_map import layer_jacobian, layer_map
from selfnorm.theory.selu import Selu
from selfnorm.theory.statements import (
    CONTRACTS,
    GROWS_A,
    IMAGE,
    LEMMA_9,
    LEMMA_12,
    LIMITS,
    PAPER,
    SHRINKS,
    THEOREM_1,
    interval,
    rational,
)
from selfnorm.theory.theorems import decide

TURNED = (replace(SHRINKS, sense=">", bound="-8.7"), replace(GROWS_A, sense="<", bound="0.112"))
FLOAT = 1e-10  # the float map's own error, here for variances of order one


@pytest.fixture(autouse=True)
def _precise():
    with flint.ctx.workprec(PRECISION):
        yield


def side(interval):
    return tuple(int(end.p) / int(end.q) for end in interval)


def float_quantity(statement, mu, omega, nu, tau):
    """The statement's quantity by the float map, in its four variables: no reduction to (x, y)."""
    new_mu, new_nu = layer_map(Selu(), mu, nu, omega=omega, tau=tau)
    if statement.measure.symbol == "sigma":
        return np.linalg.norm(layer_jacobian(Selu(), mu, nu, omega=omega, tau=tau), 2, axis=(-2, -1))
    return {"mu~": new_mu, "nu~": new_nu, "nu~ - nu": new_nu - nu}[statement.measure.symbol]


@pytest.mark.parametrize(
    "statement", PAPER + LIMITS + TURNED, ids=lambda s: f"{s.name} {s.measure.symbol}{s.sense}{s.bound}"
)
def test_random_points_never_exceed_the_certified_extremum_and_one_attains_it(statement) -> None:
    verdict = decide(statement, tolerance=1e-10)
    assert verdict.as_expected
    rng, region = np.random.default_rng(0), statement.region
    mu_max, omega_max = (int(limit.p) / int(limit.q) for limit in (region.mu, region.omega))
    limits = [(-mu_max, mu_max), (-omega_max, omega_max), side(region.nu), side(region.tau)]
    # half of the coordinates at an end of their range: extremes lie at corners
    points = [rng.choice([*limit, np.nan, np.nan], 4000) for limit in limits]
    points = [np.where(np.isnan(p), rng.uniform(*limit, 4000), p) for p, limit in zip(points, limits, strict=True)]
    values = float_quantity(statement, *points)
    lower, upper = float(verdict.extremum.lower), float(verdict.extremum.upper)
    at = [int(v.p) / int(v.q) for v in verdict.at.values()]
    assert all(low - 1e-12 <= v <= high + 1e-12 for v, (low, high) in zip(at, limits, strict=True))
    attained = float_quantity(statement, *at)
    if statement.sense == "<":
        assert values.max() < upper + FLOAT
    else:
        assert values.min() > lower - FLOAT
    assert lower - FLOAT <= attained <= upper + FLOAT
    assert upper - lower <= 1e-9


@pytest.mark.parametrize("statement", PAPER, ids=lambda s: f"{s.name} {s.measure.symbol}{s.sense}{s.bound}")
def test_true_with_margin_a_millionth_is_proven_and_false_by_it_is_refuted(statement) -> None:
    extremum = decide(statement).extremum
    margin = 1e-6 if statement.sense == "<" else -1e-6
    middle = float(extremum.lower + extremum.upper) / 2
    true, false = (replace(statement, bound=f"{middle + sign * margin:.15f}") for sign in (1, -1))
    assert decide(true).outcome == "proven"
    assert decide(false).outcome == "refuted"


def test_bound_within_the_tolerance_of_the_extremum_is_left_undecided() -> None:
    region = replace(THEOREM_1, mu=rational("1"), nu=(rational("0.02"), rational("16")))
    wide = replace(IMAGE[0], region=region)  # its minimum is inside the range: found by refinement, not at a corner
    sharp = float(decide(wide).extremum.lower)
    close = replace(wide, bound=f"{sharp - 1e-7:.12f}")
    assert decide(close, tolerance=1e-3).outcome == "undecided"
    assert decide(close).outcome == "proven"


@pytest.mark.parametrize(("printed", "least_tau"), [(LEMMA_9[0], 0.8), (IMAGE[0], 0.95)], ids=["Lemma 9", "Lemma 13"])
def test_printed_lower_bounds_of_lemmas_9_and_13_are_broken_by_a_point_of_the_domain(printed, least_tau) -> None:
    verdict = decide(printed)
    assert verdict.outcome == "refuted"
    mu, omega, nu, tau = (int(v.p) / int(v.q) for v in verdict.at.values())
    assert (abs(mu), abs(omega), nu, tau) == (0.1, 0.1, 0.8, least_tau)
    assert layer_map(Selu(), mu, nu, omega=omega, tau=tau)[0] < float(printed.bound)


def test_balls_of_boxes_contain_the_float_values_and_slopes_of_their_points() -> None:
    rng, f = np.random.default_rng(1), Selu()
    for _ in range(40):
        centre, width = np.array([rng.normal(), 10 ** rng.uniform(-1.5, 1.5)]), rng.uniform(0.001, 0.3)
        x, y = (arb(c, abs(c) * width) for c in centre)
        balls = MomentBalls(x, y)
        points = centre * (1 + width * rng.uniform(-1, 1, (20, 2)))
        moments = f.moments(points[:, 0], points[:, 1])
        for name, values in zip(moments._fields, moments, strict=True):
            ball = getattr(balls, name).value
            assert all(ball.overlaps(arb(v, FLOAT * (1 + abs(v)))) for v in values), name
        # the gradients of mean and variance, by dual numbers, against the paper's closed forms
        for name in ("mean", "variance"):
            dual = getattr(balls, name)
            assert dual.dx.overlaps(getattr(balls, f"{name}_x").value)
            assert dual.dy.overlaps(getattr(balls, f"{name}_y").value)


def test_second_derivatives_agree_with_differences() -> None:
    h = 1e-8  # at 96 bits: 1e-16 of curvature, 1e-20 of rounding
    plus, minus, here = (MomentBalls(arb(0.3) + d, arb(1.2)) for d in (h, -h, 0))
    for name in ("mean_x", "mean_y", "variance_x", "variance_y"):
        difference = (getattr(plus, name).value - getattr(minus, name).value) / (2 * arb(h))
        assert abs(float(getattr(here, name).dx - difference)) < 1e-14


def test_point_enclosures_are_tight_and_constants_are_the_papers() -> None:
    alpha, lambda_ = selu_constants()
    assert alpha.overlaps(arb("1.6732632423543772848170429916717 +/- 1e-31"))
    assert lambda_.overlaps(arb("1.0507009873554804934193349852946 +/- 1e-31"))
    fixed = MomentBalls(arb(0), arb(1))
    assert fixed.mean.value.contains(0)
    assert fixed.variance.value.contains(1)
    assert fixed.variance.value.rad() < 1e-24


def test_extrema_inside_a_box_and_at_its_corner_are_found() -> None:
    box = ((rational("-0.1"), rational("0.1")), (rational("0.016"), rational("20")))
    low = minimum(lambda x, y: MomentBalls(x, y).mean, box, tolerance=1e-9)
    y = np.geomspace(0.016, 20, 20_001)
    inner = layer_map(Selu(), np.full_like(y, -0.1), y, omega=1.0)[0]
    assert float(low.lower) <= inner.min() <= float(low.upper) + 1e-7  # the grid's step squared
    high = maximum(lambda x, y: MomentBalls(x, y).mean, box, tolerance=1e-9)
    assert (high.x, high.y) == (fmpq(1, 10), 20)


def test_fixed_points_of_theorem_1_lie_in_the_enclosure_which_is_sharp() -> None:
    extremes = fixed_point_extremes(THEOREM_1)
    points = [
        find_fixed_points(Selu(), omega=omega, tau=tau)[0]
        for omega in (-0.1, -0.05, 0, 0.05, 0.1)
        for tau in (0.95, 1.0, 1.05, 1.1)
    ]
    for name, values in {"mu": [p.mu for p in points], "nu": [p.nu for p in points]}.items():
        low, high = float(extremes[f"{name} min"].lower), float(extremes[f"{name} max"].upper)
        assert low - FLOAT <= min(values)
        assert max(values) <= high + FLOAT
        assert min(values) - low < 1e-8  # the grid has the corners that attain the extremes
        assert high - max(values) < 1e-8


def test_no_box_that_holds_a_fixed_point_is_dropped() -> None:
    rng = np.random.default_rng(2)
    omegas = np.concatenate([rng.uniform(-0.1, 0.1, 6), [0.0999999, -0.0999999] * 3])  # at the constraint's edge too
    for omega, tau in zip(omegas, rng.uniform(0.95, 1.1, 12), strict=True):
        point = find_fixed_points(Selu(), omega=omega, tau=tau)[0]
        for size in (fmpq(1, 10**6), fmpq(1, 100)):
            x, y = (rational(f"{v:.17f}") for v in (point.mu * omega, point.nu * tau))
            box = ((x - size / 100, x + size / 100), (y - size, y + size))
            for symbol, value in (("mean", point.mu), ("variance", point.nu)):
                upper = upper_bound(THEOREM_1, box, lambda m, symbol=symbol: getattr(m, symbol))
                assert upper is not None
                assert upper > value
    far = ((rational("0.009"), rational("0.0091")), (rational("1"), rational("1.001")))  # mu about 0.009
    assert upper_bound(THEOREM_1, far, lambda m: m.mean) is None


def test_fixed_points_outside_the_region_are_no_extremes_of_it() -> None:
    with pytest.raises(
        ValueError, match=r"no fixed point for omega=-0\.1, tau=0\.8 lies surely in .*nu in \[0\.8, 1\.5\]"
    ):
        fixed_point_extremes(LEMMA_12)  # nu is 0.409 there
    x, y = (rational("0"), rational("0")), (rational("0.55"), rational("0.56"))  # nu about 0.63, tau about 0.88
    assert upper_bound(LEMMA_12, (x, y), lambda m: m.variance) is None


def test_a_box_that_cannot_be_bounded_is_kept() -> None:
    zero = (rational("-0.01"), rational("0.01")), (rational("0"), rational("0.01"))
    wide = replace(THEOREM_1, nu=interval("0.00001", "16"))
    upper = upper_bound(wide, zero, lambda m: m.mean)
    assert upper == arb.pos_inf()


def test_the_other_sense_is_decided_over_the_other_variances() -> None:
    # Theorem 2's decrease is largest at the largest nu of each nu tau, its increase at the smallest
    verdict = decide(replace(SHRINKS, sense=">", bound="-6"))
    assert verdict.outcome == "refuted"
    mu, omega, nu, tau = (int(v.p) / int(v.q) for v in verdict.at.values())
    assert (nu, tau) == (16, 0.8)
    assert layer_map(Selu(), mu, nu, omega=omega, tau=tau)[1] - nu < -8.5


def test_what_cannot_be_reduced_to_two_variables_is_no_statement() -> None:
    # at omega = 0 sigma is 0.613, below every value that it has at omega's limit
    with pytest.raises(AssertionError):
        replace(CONTRACTS, sense=">", bound="0.65")
    with pytest.raises(AssertionError):
        replace(IMAGE[0], sense=">=")


def test_a_range_of_weights_of_zero_sum_is_decided_and_one_of_no_variance_is_no_range() -> None:
    verdict = decide(replace(CONTRACTS, region=replace(LEMMA_12, omega=rational("0"))))
    assert verdict.outcome == "proven"
    assert verdict.at["mu"] == verdict.at["omega"] == 0
    for wrong in ({"nu": interval("0", "1")}, {"tau": interval("1.1", "0.9")}, {"omega": rational("-1")}):
        with pytest.raises(AssertionError):
            replace(LEMMA_12, **wrong)


def test_too_wide_a_claim_is_not_proven() -> None:
    wide = replace(LEMMA_12, tau=(rational("0.8"), rational("1.3")))
    assert decide(replace(CONTRACTS, region=wide)).outcome == "refuted"
