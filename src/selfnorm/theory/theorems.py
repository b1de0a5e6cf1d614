"""Decides statements about SELU's moment map rigorously: proven with the certified extremum, or refuted by a witness.

In: a `Statement`. Out: a `Verdict` with the extremum's enclosure, where it is attained, boxes and seconds.

Legend: mu, nu mean and variance of the activations; omega, tau sum of a unit's weights and of their squares;
x = mu omega, y = nu tau mean and variance of the pre-activation.
"""

import time
from dataclasses import dataclass
from typing import Literal

from flint import arb, ctx, fmpq

from selfnorm.theory.balls import PRECISION, Dual, selu_balls
from selfnorm.theory.extrema import Extremum, Quantity, maximum, minimum
from selfnorm.theory.statements import Piece, Range, Statement, pieces, rational

Outcome = Literal["proven", "refuted", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """What was found about a statement; `at` is where the extremum is attained, the witness if it is refuted."""

    statement: Statement
    outcome: Outcome
    extremum: Extremum
    at: dict[str, fmpq]
    seconds: float

    @property
    def as_expected(self) -> bool:
        return self.outcome == ("proven" if self.statement.expected else "refuted")


def decide(statement: Statement, *, tolerance: float = 1e-12) -> Verdict:
    """Prove or refute the statement; undecided only if the extremum is within the tolerance of the bound.

    Raises ArithmeticError where the search does not converge, as it may for nu near 0 with |omega| near 1.
    """
    start = time.perf_counter()
    with ctx.workprec(PRECISION):
        seek = maximum if statement.sense == "<" else minimum
        parts = pieces(statement.region, statement.sense)
        found = [seek(_quantity(statement, piece), [piece.box], tolerance=tolerance) for piece in parts]
        extremum, piece = _worst(found, parts, statement.sense)
        outcome = _compare(extremum, statement)
        at = _four_variables(statement.region, piece, extremum)
    return Verdict(statement, outcome, extremum, at, time.perf_counter() - start)


def _quantity(statement: Statement, piece: Piece) -> Quantity:
    def quantity(x: arb, y: arb) -> Dual:
        y_dual = Dual(y, arb(0), arb(1))
        return statement.measure.formula(selu_balls(x, y), piece.nu_dual(y), y_dual, statement.region.omega)

    return quantity


def _worst(found: list[Extremum], parts: list[Piece], sense: str) -> tuple[Extremum, Piece]:
    """The extremum over all pieces, and the piece that holds the point which attains it."""
    if sense == "<":
        extremum, piece = max(zip(found, parts, strict=True), key=lambda pair: pair[0].lower)
        lower, upper = extremum.lower, max(e.upper for e in found)
    else:
        extremum, piece = min(zip(found, parts, strict=True), key=lambda pair: pair[0].upper)
        lower, upper = min(e.lower for e in found), extremum.upper
    num_boxes = sum(e.num_boxes for e in found)
    return Extremum(lower, upper, extremum.x, extremum.y, num_boxes), piece


def _compare(extremum: Extremum, statement: Statement) -> Outcome:
    """Refuted only if the quantity at the point found, which [lower, upper] contains, breaks the bound."""
    bound = arb(rational(statement.bound))
    if statement.sense == "<":
        return "proven" if extremum.upper < bound else "refuted" if extremum.lower >= bound else "undecided"
    return "proven" if extremum.lower > bound else "refuted" if extremum.upper <= bound else "undecided"


def _four_variables(region: Range, piece: Piece, extremum: Extremum) -> dict[str, fmpq]:
    """(mu, omega, nu, tau) in the region with mu omega = x and nu tau = y."""
    nu = piece.nu_at(extremum.y)
    mu = extremum.x / region.omega if region.omega else fmpq(0)  # any mu would do
    return {"mu": mu, "omega": region.omega, "nu": nu, "tau": extremum.y / nu}
