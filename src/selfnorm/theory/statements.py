"""The paper's statements about one layer, as inequalities over a range of (mu, omega, nu, tau).

Out: `PAPER`, in which each statement has a quantity, a range, a sense and a bound with its printed digits, all exact,
and `LIMITS`, which goes beyond the paper: the same statements up to one number, where they hold, and from the next on,
where they fail.

Legend: sigma largest singular value of the Jacobian d(mu~, nu~)/d(mu, nu).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from flint import arb, fmpq

from selfnorm.theory.balls import Dual, MomentBalls
from selfnorm.theory.extrema import Interval


def rational(text: str) -> fmpq:
    """Return exactly the number that the decimal text prints."""
    fraction = Fraction(text)
    return fmpq(fraction.numerator, fraction.denominator)


def interval(low: str, high: str) -> Interval:
    return rational(low), rational(high)


@dataclass(frozen=True)
class Range:
    """A range in which mu and omega go from minus to plus their limit, and nu and tau through positive intervals."""

    mu: fmpq
    omega: fmpq
    nu: Interval
    tau: Interval

    def __post_init__(self) -> None:
        assert self.mu >= 0
        assert self.omega >= 0
        assert 0 < self.nu[0] <= self.nu[1]
        assert 0 < self.tau[0] <= self.tau[1]

    @property
    def x(self) -> Interval:
        return -self.mu * self.omega, self.mu * self.omega

    @property
    def weights(self) -> str:
        return f"|omega| <= {float(self.omega):g}, tau in {_show(self.tau)}"

    def __str__(self) -> str:
        return f"|mu| <= {float(self.mu):g}, nu in {_show(self.nu)}, {self.weights}"


def _show(side: Interval) -> str:
    return f"[{float(side[0]):g}, {float(side[1]):g}]"


Sense = Literal["<", ">"]


@dataclass(frozen=True)
class Measure:
    """A quantity that for given x = mu omega and y = nu tau does not increase with nu (see `theorems`).

    formula(moments, nu, y, omega_max), with nu as a function of y; senses: those for which the worst omega is the
    largest.
    """

    symbol: str
    formula: Callable[[MomentBalls, Dual, Dual, fmpq], Dual]
    senses: str = "<>"


def _singular_value(m: MomentBalls, nu: Dual, y: Dual, omega: fmpq) -> Dual:
    """Return sigma of [[a, b], [c, d]] as (sqrt((a+d)^2 + (b-c)^2) + sqrt((a-d)^2 + (b+c)^2)) / 2.

    The columns of the Jacobian are omega and tau times d(mu~, nu~)/d(x, y), so sigma does not decrease with |omega| or
    tau. Its maximum has omega at its limit and tau at its largest, that is nu = y / tau at its smallest. Its minimum
    would have omega as small as x allows, which is not reduced here.
    """
    tau, w = y * nu.inverse(), arb(omega)
    a, c = m.mean_x.scaled(w), m.variance_x.scaled(w)
    b, d = m.mean_y * tau, m.variance_y * tau
    outer = ((a + d).squared() + (b - c).squared()).sqrt()
    inner = ((a - d).squared() + (b + c).squared()).sqrt()
    return (outer + inner).scaled(arb(1) / 2)


MEAN = Measure("mu~", lambda m, nu, y, omega: m.mean)
VARIANCE = Measure("nu~", lambda m, nu, y, omega: m.variance)
CHANGE = Measure("nu~ - nu", lambda m, nu, y, omega: m.variance - nu)
SIGMA = Measure("sigma", _singular_value, senses="<")


@dataclass(frozen=True)
class Statement:
    """The measure is below ("<") or above (">") the bound everywhere on the region; `expected`: we prove it."""

    name: str
    measure: Measure
    region: Range
    sense: Sense
    bound: str
    expected: bool = True
    note: str = ""

    def __post_init__(self) -> None:
        assert self.sense in self.measure.senses, "in another sense it does not reduce to two variables"

    def __str__(self) -> str:
        return f"{self.measure.symbol} {self.sense} {self.bound}"


TENTH = rational("0.1")
THEOREM_1 = Range(TENTH, TENTH, interval("0.8", "1.5"), interval("0.95", "1.1"))
LEMMA_12 = replace(THEOREM_1, tau=interval("0.8", "1.25"))
THEOREM_2 = Range(rational("1"), TENTH, interval("3", "16"), interval("0.8", "1.25"))
THEOREM_3A = Range(TENTH, TENTH, interval("0.02", "0.16"), interval("0.8", "1.25"))
THEOREM_3B = Range(TENTH, TENTH, interval("0.02", "0.24"), interval("0.9", "1.25"))


def _misprint(printed: Statement, corrected: str) -> tuple[Statement, Statement]:
    why = "the printed bound is rounded towards 0 and fails in the seventh decimal"
    note = "one unit of the last printed digit lower"
    right = replace(printed, name=f"{printed.name}, corrected", bound=corrected, note=note)
    return replace(printed, expected=False, note=why), right


LEMMA_9 = _misprint(Statement("Lemma 9", MEAN, LEMMA_12, ">", "-0.041160"), "-0.041161")
CONTRACTS = Statement("Lemma 12", SIGMA, LEMMA_12, "<", "1")
CONTRACTION = replace(CONTRACTS, name="Lemma 12, tau of Theorem 1", region=THEOREM_1)
_LOWEST_MEAN = _misprint(Statement("Lemma 13", MEAN, THEOREM_1, ">", "-0.03106"), "-0.03107")
IMAGE = (
    _LOWEST_MEAN[0],
    Statement("Lemma 13", MEAN, THEOREM_1, "<", "0.06773"),
    Statement("Lemma 13", VARIANCE, THEOREM_1, ">", "0.80009"),
    Statement("Lemma 13", VARIANCE, THEOREM_1, "<", "1.48617"),
)
SHRINKS = Statement("Theorem 2", CHANGE, THEOREM_2, "<", "0")
GROWS_A = Statement("Theorem 3, tau >= 0.8", CHANGE, THEOREM_3A, ">", "0")
GROWS_B = replace(GROWS_A, name="Theorem 3, tau >= 0.9", region=THEOREM_3B)
PAPER = (*LEMMA_9, CONTRACTS, CONTRACTION, *_LOWEST_MEAN, *IMAGE[1:], SHRINKS, GROWS_A, GROWS_B)


def _moved(statement: Statement, end: str, number: str, expected: bool) -> Statement:
    """Return the statement over a range with another "from nu", "to nu" or "to tau"."""
    which, side = end.split()
    low, high = getattr(statement.region, side)
    moved: dict[str, Any] = {side: (rational(number), high) if which == "from" else (low, rational(number))}
    region = replace(statement.region, **moved)
    return replace(statement, name=f"{statement.name}, {end} = {number}", region=region, expected=expected)


_LAST_TRUE_FIRST_FALSE = (
    (CONTRACTS, "from nu", "0.7641", "0.7639"),
    (CONTRACTS, "to tau", "1.268", "1.269"),
    (SHRINKS, "from nu", "2.498", "2.497"),
    (GROWS_A, "to nu", "0.4074", "0.4075"),
    (GROWS_B, "to nu", "0.6658", "0.6660"),
)
_NEAR_ZERO = Range(TENTH, TENTH, interval("0.00005", "0.00005"), interval("0.8", "0.8"))
_NEAR_ZERO_NOTE = "with a mean x of 0.01, so small a variance keeps z on the side of slope lambda"
LIMITS = (
    *(
        _moved(statement, end, number, expected)
        for statement, end, *numbers in _LAST_TRUE_FIRST_FALSE
        for number, expected in zip(numbers, (True, False), strict=True)
    ),
    Statement("Theorem 3, nu near 0", CHANGE, _NEAR_ZERO, ">", "0", expected=False, note=_NEAR_ZERO_NOTE),
)
