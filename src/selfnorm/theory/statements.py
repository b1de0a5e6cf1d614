"""The paper's statements about one layer, as inequalities over a range of (mu, omega, nu, tau).

Out: `PAPER`, each statement a quantity, a range, a sense and a bound with its printed digits, all exact.
mu~ and nu~ depend on x = mu omega and y = nu tau alone. Where a quantity contains nu or tau besides, then for a given
(x, y) it does not increase with nu: its maximum lies at the smallest nu that the range allows, its minimum at the
largest. Every statement over four variables becomes one over two, with nothing lost.

Legend: mu, nu mean and variance of the activations; omega, tau sum of a unit's weights and of their squares;
mu~, nu~ mean and variance one layer on; x, y mean and variance of the pre-activation; sigma largest singular value
of the Jacobian d(mu~, nu~)/d(mu, nu).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from flint import arb, fmpq

from selfnorm.theory.balls import Dual, MomentBalls, constant
from selfnorm.theory.extrema import Box, Interval


def rational(text: str) -> fmpq:
    """The number that the decimal text prints, exactly."""
    fraction = Fraction(text)
    return fmpq(fraction.numerator, fraction.denominator)


def interval(low: str, high: str) -> Interval:
    return rational(low), rational(high)


@dataclass(frozen=True)
class Range:
    """mu and omega from minus to plus their limit, nu and tau in intervals of positive numbers, or ValueError."""

    mu: fmpq
    omega: fmpq
    nu: Interval
    tau: Interval

    def __post_init__(self) -> None:
        for name, limit in (("mu", self.mu), ("omega", self.omega)):
            if limit < 0:
                raise ValueError(f"the limit of |{name}| is {float(limit):g}, must not be negative")
        for name, side in (("nu", self.nu), ("tau", self.tau)):
            if not 0 < side[0] <= side[1]:
                raise ValueError(f"{name} is in {_show(side)}, must be in [low, high] with 0 < low <= high")

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
    """A quantity that for given (x, y) does not increase with nu, so that nu is as the sense asks, see `pieces`.

    formula(moments, nu, y, omega_max), nu as a function of y; senses: those in which omega's limit is the worst case.
    """

    symbol: str
    formula: Callable[[MomentBalls, Dual, Dual, fmpq], Dual]
    senses: str = "<>"


@dataclass(frozen=True)
class Piece:
    """A part of the (x, y) range on which the extreme nu is one formula, nu = offset + slope y."""

    box: Box
    offset: fmpq
    slope: fmpq

    def nu_dual(self, y: arb) -> Dual:
        return constant(arb(self.offset)) + Dual(y, arb(0), arb(1)).scaled(arb(self.slope))

    def nu_at(self, y: fmpq) -> fmpq:
        return self.offset + self.slope * y


def pieces(region: Range, sense: Sense) -> list[Piece]:
    """The (x, y) range cut where the worst nu with tau = y / nu in range changes its formula.

    The worst is the smallest for a statement "<", which the maximum decides, and the largest for ">".
    """
    (nu0, nu1), (tau0, tau1) = region.nu, region.tau
    zero = fmpq(0)
    if sense == "<":  # nu0 until tau reaches tau1, then y / tau1
        low, high, cut = (nu0, zero), (zero, 1 / tau1), nu0 * tau1
    else:  # y / tau0 until nu reaches nu1, then nu1
        low, high, cut = (zero, 1 / tau0), (nu1, zero), nu1 * tau0
    sides = (nu0 * tau0, cut), (cut, nu1 * tau1)
    return [Piece((region.x, side), *formula) for side, formula in zip(sides, (low, high), strict=True)]


def _singular_value(m: MomentBalls, nu: Dual, y: Dual, omega: fmpq) -> Dual:
    """sigma of [[a, b], [c, d]] = (sqrt((a+d)^2 + (b-c)^2) + sqrt((a-d)^2 + (b+c)^2)) / 2.

    The columns of the Jacobian are omega and tau times d(mu~, nu~)/d(x, y): sigma does not decrease with |omega| or
    tau, so its maximum has omega at its limit and tau at its largest, that is nu = y / tau at its smallest. For its
    minimum omega would be as small as x allows: not reduced here.
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
    """quantity `sense` bound everywhere on the region. `expected` is what our proof must find.

    Raises ValueError for a sense in which the quantity cannot be reduced to two variables.
    """

    name: str
    measure: Measure
    region: Range
    sense: Sense
    bound: str
    expected: bool = True
    note: str = ""

    def __post_init__(self) -> None:
        if self.sense not in tuple(self.measure.senses):
            legal = " or ".join(self.measure.senses)
            raise ValueError(f"{self.measure.symbol} {self.sense} {self.bound} cannot be decided, must be with {legal}")

    def but(self, **changes: object) -> "Statement":
        """The same statement with another bound, region, ..."""
        return replace(self, **changes)  # type: ignore[arg-type]


TENTH = rational("0.1")
THEOREM_1 = Range(TENTH, TENTH, interval("0.8", "1.5"), interval("0.95", "1.1"))
LEMMA_12 = replace(THEOREM_1, tau=interval("0.8", "1.25"))
THEOREM_2 = Range(rational("1"), TENTH, interval("3", "16"), interval("0.8", "1.25"))
THEOREM_3A = Range(TENTH, TENTH, interval("0.02", "0.16"), interval("0.8", "1.25"))
THEOREM_3B = Range(TENTH, TENTH, interval("0.02", "0.24"), interval("0.9", "1.25"))

_IMAGE = Statement("Lemma 13", MEAN, THEOREM_1, ">", "-0.03106")
CONTRACTS = Statement("Lemma 12", SIGMA, LEMMA_12, "<", "1")
SHRINKS = Statement("Theorem 2", CHANGE, THEOREM_2, "<", "0")
GROWS_A = Statement("Theorem 3, tau >= 0.8", CHANGE, THEOREM_3A, ">", "0")
GROWS_B = GROWS_A.but(name="Theorem 3, tau >= 0.9", region=THEOREM_3B)

CONTRACTION = CONTRACTS.but(name="Lemma 12, tau of Theorem 1", region=THEOREM_1)
IMAGE = (
    _IMAGE.but(expected=False, note="printed bound rounded towards 0: fails in the sixth decimal"),
    _IMAGE.but(name="Lemma 13, corrected", bound="-0.03107", note="one unit of the last printed digit lower"),
    _IMAGE.but(sense="<", bound="0.06773"),
    _IMAGE.but(measure=VARIANCE, sense=">", bound="0.80009"),
    _IMAGE.but(measure=VARIANCE, sense="<", bound="1.48617"),
)
PAPER = (CONTRACTS, CONTRACTION, *IMAGE, SHRINKS, GROWS_A, GROWS_B)
