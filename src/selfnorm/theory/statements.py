"""The paper's statements about one layer, as inequalities over a range of (mu, omega, nu, tau).

Out: `PAPER` and `REACH`, each statement a quantity, a range, a sense and a bound with its printed digits, all exact.
mu~ and nu~ depend on x = mu omega and y = nu tau alone. Where a quantity contains nu or tau besides, then for a given
(x, y) it is monotone in nu, so that its extremum lies at the smallest (or largest) nu the range allows: every
statement over four variables becomes one over two, with nothing lost.

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
    """mu and omega from minus to plus their limit, nu and tau in intervals."""

    mu: fmpq
    omega: fmpq
    nu: Interval
    tau: Interval

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


# measure(moments, nu, y, omega_max) -> quantity; nu as a function of y, see `Piece`
Measure = Callable[[MomentBalls, Dual, Dual, fmpq], Dual]


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


def pieces(region: Range, extreme_nu: Literal["smallest", "largest"]) -> list[Piece]:
    """The (x, y) range cut where the smallest (largest) nu with tau = y / nu in range changes its formula."""
    (nu0, nu1), (tau0, tau1) = region.nu, region.tau
    zero = fmpq(0)
    if extreme_nu == "smallest":  # nu0 until tau reaches tau1, then y / tau1
        low, high, cut = (nu0, zero), (zero, 1 / tau1), nu0 * tau1
    else:  # y / tau0 until nu reaches nu1, then nu1
        low, high, cut = (zero, 1 / tau0), (nu1, zero), nu1 * tau0
    sides = (nu0 * tau0, cut), (cut, nu1 * tau1)
    return [Piece((region.x, side), *formula) for side, formula in zip(sides, (low, high), strict=True)]


def new_mean(m: MomentBalls, nu: Dual, y: Dual, omega: fmpq) -> Dual:
    return m.mean


def new_variance(m: MomentBalls, nu: Dual, y: Dual, omega: fmpq) -> Dual:
    return m.variance


def variance_change(m: MomentBalls, nu: Dual, y: Dual, omega: fmpq) -> Dual:
    return m.variance - nu


def singular_value(m: MomentBalls, nu: Dual, y: Dual, omega: fmpq) -> Dual:
    """sigma of [[a, b], [c, d]] = (sqrt((a+d)^2 + (b-c)^2) + sqrt((a-d)^2 + (b+c)^2)) / 2.

    The columns of the Jacobian are omega and tau times d(mu~, nu~)/d(x, y): sigma does not decrease with |omega| or
    tau, so omega is at its limit and tau at its largest, that is nu = y / tau at its smallest.
    """
    tau, w = y * nu.inverse(), arb(omega)
    a, c = m.mean_x.scaled(w), m.variance_x.scaled(w)
    b, d = m.mean_y * tau, m.variance_y * tau
    outer = ((a + d).squared() + (b - c).squared()).sqrt()
    inner = ((a - d).squared() + (b + c).squared()).sqrt()
    return (outer + inner).scaled(arb(1) / 2)


@dataclass(frozen=True)
class Statement:
    """quantity `sense` bound everywhere on the region. `expected` is what our proof must find."""

    name: str
    symbol: str
    measure: Measure
    region: Range
    sense: Literal["<", ">"]
    bound: str
    extreme_nu: Literal["smallest", "largest"] = "smallest"
    expected: bool = True
    note: str = ""

    def but(self, **changes: object) -> "Statement":
        """The same statement with another bound, region, ..."""
        return replace(self, **changes)  # type: ignore[arg-type]


_TENTH = rational("0.1")
THEOREM_1 = Range(_TENTH, _TENTH, interval("0.8", "1.5"), interval("0.95", "1.1"))
LEMMA_12 = replace(THEOREM_1, tau=interval("0.8", "1.25"))
THEOREM_2 = Range(rational("1"), _TENTH, interval("3", "16"), interval("0.8", "1.25"))
THEOREM_3A = Range(_TENTH, _TENTH, interval("0.02", "0.16"), interval("0.8", "1.25"))
THEOREM_3B = Range(_TENTH, _TENTH, interval("0.02", "0.24"), interval("0.9", "1.25"))

_IMAGE = Statement("Lemma 13", "mu~", new_mean, THEOREM_1, ">", "-0.03106")
_LEMMA_12 = Statement("Lemma 12", "sigma", singular_value, LEMMA_12, "<", "1")
_THEOREM_2 = Statement("Theorem 2", "nu~ - nu", variance_change, THEOREM_2, "<", "0")
_THEOREM_3A = Statement("Theorem 3, tau >= 0.8", "nu~ - nu", variance_change, THEOREM_3A, ">", "0", "largest")
_THEOREM_3B = _THEOREM_3A.but(name="Theorem 3, tau >= 0.9", region=THEOREM_3B)

CONTRACTION = _LEMMA_12.but(name="Lemma 12, tau of Theorem 1", region=THEOREM_1)
IMAGE = (
    _IMAGE.but(expected=False, note="printed bound rounded towards 0: fails in the sixth decimal"),
    _IMAGE.but(name="Lemma 13, corrected", bound="-0.03107", note="one unit of the last printed digit lower"),
    _IMAGE.but(sense="<", bound="0.06773"),
    _IMAGE.but(symbol="nu~", measure=new_variance, sense=">", bound="0.80009"),
    _IMAGE.but(symbol="nu~", measure=new_variance, sense="<", bound="1.48617"),
)
PAPER = (_LEMMA_12, CONTRACTION, *IMAGE, _THEOREM_2, _THEOREM_3A, _THEOREM_3B)


def _from_nu(statement: Statement, nu: str, expected: bool) -> Statement:
    region = replace(statement.region, nu=(rational(nu), statement.region.nu[1]))
    return statement.but(name=f"{statement.name}, from nu = {nu}", region=region, expected=expected)


def _to_nu(statement: Statement, nu: str, expected: bool) -> Statement:
    region = replace(statement.region, nu=(statement.region.nu[0], rational(nu)))
    return statement.but(name=f"{statement.name}, to nu = {nu}", region=region, expected=expected)


def _to_tau(statement: Statement, tau: str, expected: bool) -> Statement:
    region = replace(statement.region, tau=(statement.region.tau[0], rational(tau)))
    return statement.but(name=f"{statement.name}, to tau = {tau}", region=region, expected=expected)


_NEAR_ZERO = Range(_TENTH, _TENTH, interval("0.00005", "0.00005"), interval("0.8", "0.8"))

# How far the paper's statements reach: true up to one number, false from the next on.
REACH = (
    _from_nu(_LEMMA_12, "0.7641", True),
    _from_nu(_LEMMA_12, "0.7639", False),
    _to_tau(_LEMMA_12, "1.268", True),
    _to_tau(_LEMMA_12, "1.269", False),
    _from_nu(_THEOREM_2, "2.498", True),
    _from_nu(_THEOREM_2, "2.497", False),
    _to_nu(_THEOREM_3A, "0.4074", True),
    _to_nu(_THEOREM_3A, "0.4075", False),
    _to_nu(_THEOREM_3B, "0.6658", True),
    _to_nu(_THEOREM_3B, "0.6660", False),
    _THEOREM_3A.but(
        name="Theorem 3, nu near 0",
        region=_NEAR_ZERO,
        expected=False,
        note="a mean of 0.01 keeps so small a variance on the side of slope lambda",
    ),
)
