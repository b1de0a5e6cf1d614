"""Beyond the paper: does one fixed point attract far more than Theorem 1's domain? Decided rigorously.

In: ranges of (omega, tau), the same in all layers, and of starts (mu, nu). Out: whether, for every (omega, tau), one
fixed point attracts every start. A box of (mu, nu) is mapped, again and again, to a box that contains its image under
every (omega, tau) in question, until the map contracts it.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from flint import arb, ctx, fmpq

from selfnorm.theory.balls import PRECISION, MomentBalls
from selfnorm.theory.extrema import Box, Interval, Quantity, ball, maximum, minimum
from selfnorm.theory.statements import Range, interval

MAX_IMAGES = 200  # in a row for one cell; boxes that still move then do not settle
SMALLEST_NU = fmpq(1, 10**6)  # a variance below may decay to 0: no fixed point is looked for there
MAX_BOXES = 5_000  # in the search for one side of an image, about a second; those of a proof need up to 1,100
GRID = 2**40  # box sides are rounded outwards to multiples of 1/GRID, which keeps the rationals short


class State(NamedTuple):
    """A box of moments."""

    mu: Interval
    nu: Interval

    def inside(self, other: State) -> bool:
        return all(b[0] <= a[0] and a[1] <= b[1] for a, b in zip(self, other, strict=True))

    def __str__(self) -> str:
        mu, nu = (f"[{float(side[0]):.6g}, {float(side[1]):.6g}]" for side in self)
        return f"mu in {mu}, nu in {nu}"


class Weights(NamedTuple):
    """A box of (omega, tau)."""

    omega: Interval
    tau: Interval


START = State(interval("-1", "1"), interval("0.02", "16"))


def domain(region: Range) -> tuple[State, Weights]:
    """Return the range's boxes of moments and of weights."""
    return State((-region.mu, region.mu), region.nu), Weights((-region.omega, region.omega), region.tau)


def image(state: State, weights: Weights) -> State:
    """Return a box that contains the image of the box under every (omega, tau), tight to 1e-4 of its size.

    Raises ArithmeticError if the search for a side does not converge, as where nu comes near 0 while omega mu does not.
    """
    box = _pre_activation(state, weights)
    tolerance = 1e-4 * float(box[1][1] - box[1][0]) + 1e-9

    def side(quantity: Quantity) -> Interval:
        low = minimum(quantity, box, tolerance=tolerance, max_boxes=MAX_BOXES)
        high = maximum(quantity, box, tolerance=tolerance, max_boxes=MAX_BOXES)
        return _rounded_down(low.lower), -_rounded_down(-high.upper)

    return State(side(lambda x, y: MomentBalls(x, y).mean), side(lambda x, y: MomentBalls(x, y).variance))


def _pre_activation(state: State, weights: Weights) -> Box:
    """Return the box of (x, y) = (mu omega, nu tau)."""
    (nu0, nu1), (tau0, tau1) = state.nu, weights.tau
    x = [mu * omega for mu, omega in itertools.product(state.mu, weights.omega)]
    return (min(x), max(x)), (nu0 * tau0, nu1 * tau1)


def _rounded_down(value: arb) -> fmpq:
    whole = (value * GRID).floor().unique_fmpz()
    assert whole is not None, "the bounds of an extremum are exact numbers"
    return fmpq(whole, GRID)


def contracts(state: State, weights: Weights) -> bool:
    """Return whether every (omega, tau) makes the map a contraction of the box in some weighted maximum norm.

    With bounds a, b, c, d on the Jacobian's entries this is so if and only if a, d < 1 and b c < (1 - a)(1 - d).
    """
    x, y = _pre_activation(state, weights)
    m, omega, tau = MomentBalls(ball(x), ball(y)), ball(weights.omega), ball(weights.tau)
    a, c = ((slope.value * omega).abs_upper() for slope in (m.mean_x, m.variance_x))
    b, d = ((slope.value * tau).abs_upper() for slope in (m.mean_y, m.variance_y))
    return bool(a < 1 and d < 1 and b * c < (1 - a) * (1 - d))


class Basin(NamedTuple):
    """Each cell of (omega, tau) that is not open ends in a box that is mapped into itself, contracting."""

    fixed_points: list[State]  # a box for each closed cell
    open_cells: list[Weights]

    @property
    def proven(self) -> bool:
        return not self.open_cells


@ctx.workprec(PRECISION)
def one_fixed_point_attracts(weights: Weights, *, start: State = START, max_depth: int = 12) -> Basin:
    """Decide whether, for every (omega, tau) in the box, one fixed point attracts every start.

    The images of `start` shrink until they contract. Where they stop shrinking before that, the cell of (omega, tau)
    is cut in two and both go on from the box reached. A cell is left open, that is not proven, if it has been cut
    `max_depth` times, if its variance may decay to 0, or if an image cannot be bounded.
    """
    basin = Basin([], [])
    pending = [(weights, start, 0)]
    while pending:
        cell, state, depth = pending.pop()
        try:
            final = _shrink(state, cell)
            settled = contracts(final, cell) and image(final, cell).inside(final)
        except ArithmeticError:
            basin.open_cells.append(cell)
            continue
        if final.nu[0] >= SMALLEST_NU and settled:
            basin.fixed_points.append(final)
        elif depth == max_depth or final.nu[0] < SMALLEST_NU:
            basin.open_cells.append(cell)
        else:
            pending += [(half, final, depth + 1) for half in _halves(cell)]
    return basin


def _shrink(state: State, cell: Weights) -> State:
    """Iterate until the box contracts or a layer shrinks it by less than 2 %."""
    for _ in range(MAX_IMAGES):
        before, state = state, image(state, cell)
        settled = state.inside(before) and _size(state) > 0.98 * _size(before)
        if settled or state.nu[0] < SMALLEST_NU or contracts(state, cell):
            break
    return state


def _size(state: State) -> float:
    (mu0, mu1), (nu0, nu1) = state
    return float(mu1 - mu0) + float(nu1 - nu0) / float(nu1 + nu0)


def _halves(cell: Weights) -> list[Weights]:
    """Cut tau's interval, which moves the fixed point most, or omega's where tau's is ten times shorter."""
    (w0, w1), (t0, t1) = cell
    w, t = (w0 + w1) / 2, (t0 + t1) / 2
    if 10 * (t1 - t0) < w1 - w0:
        return [Weights((w0, w), cell.tau), Weights((w, w1), cell.tau)]
    return [Weights(cell.omega, (t0, t)), Weights(cell.omega, (t, t1))]


def hull(*states: State) -> State:
    """Return the smallest box around all of them."""
    sides = ((min(low for low, _ in side), max(high for _, high in side)) for side in zip(*states, strict=True))
    return State(*sides)
