"""Decide statements about SELU's moment map rigorously: proven with the certified extremum, or refuted by a witness.

In: a `Statement`. Out: a `Verdict` with the extremum's enclosure and where it is attained.
mu~ and nu~ depend on x = mu omega and y = nu tau alone. A quantity that contains nu or tau besides does not increase
with nu for a given (x, y): its maximum lies at the smallest nu that the range allows, its minimum at the largest.
Every statement over four variables becomes one over two, with nothing lost.
"""

from dataclasses import dataclass
from typing import Literal

from flint import arb, ctx, fmpq

from selfnorm.theory.balls import ONE, PRECISION, ZERO, Dual, MomentBalls
from selfnorm.theory.extrema import Box, Extremum, Quantity, maximum
from selfnorm.theory.statements import Range, Sense, Statement, rational

Outcome = Literal["proven", "refuted", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """The outcome for a statement; `at` is where the extremum is attained, the witness if the statement is refuted."""

    statement: Statement
    outcome: Outcome
    extremum: Extremum
    at: dict[str, fmpq]

    @property
    def as_expected(self) -> bool:
        return self.outcome == ("proven" if self.statement.expected else "refuted")


@dataclass(frozen=True)
class Piece:
    """A part of the (x, y) range on which the worst nu is one formula, nu = offset + slope y."""

    box: Box
    offset: fmpq
    slope: fmpq

    def quantity(self, statement: Statement, sign: int) -> Quantity:
        def formula(x: arb, y: arb) -> Dual:
            y_dual = Dual(y, ZERO, ONE)
            nu = Dual(arb(self.offset)) + y_dual.scaled(arb(self.slope))
            return statement.measure.formula(MomentBalls(x, y), nu, y_dual, statement.region.omega).scaled(arb(sign))

        return formula

    def four_variables(self, x: fmpq, y: fmpq, region: Range) -> dict[str, fmpq]:
        """Return (mu, omega, nu, tau) in the region with mu omega = x and nu tau = y."""
        nu = self.offset + self.slope * y
        mu = x / region.omega if region.omega else fmpq(0)  # any mu would do
        return {"mu": mu, "omega": region.omega, "nu": nu, "tau": y / nu}


@ctx.workprec(PRECISION)
def decide(statement: Statement, *, tolerance: float = 1e-12) -> Verdict:
    """Prove or refute the statement; undecided only if the extremum is within the tolerance of the bound.

    Raises ArithmeticError where the search does not converge, as it may for nu near 0 with |omega| near 1.
    """
    sign = 1 if statement.sense == "<" else -1  # q > b is decided as -q < -b
    pieces = _pieces(statement.region, statement.sense)
    maxima = [maximum(piece.quantity(statement, sign), piece.box, tolerance=tolerance) for piece in pieces]
    best, piece = max(zip(maxima, pieces, strict=True), key=lambda pair: pair[0].lower)
    upper = max(m.upper for m in maxima)
    bound = sign * arb(rational(statement.bound))
    # refuted only if the quantity at the point found, which is at least best.lower, breaks the bound
    outcome: Outcome = "proven" if upper < bound else "refuted" if best.lower >= bound else "undecided"
    ends = (best.lower, upper) if sign == 1 else (-upper, -best.lower)
    at = piece.four_variables(best.x, best.y, statement.region)
    return Verdict(statement, outcome, Extremum(*ends, best.x, best.y), at)


def _pieces(region: Range, sense: Sense) -> list[Piece]:
    """Cut the (x, y) range where the worst nu with tau = y / nu in range changes its formula.

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
