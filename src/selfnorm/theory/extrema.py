"""Certified maxima and minima of a quantity over a box of (x, y), by branch and bound in ball arithmetic.

In: a function from balls to an enclosure with gradient (`balls.Dual`), and a rational box. Out: an interval that
contains the extremum, and the point that attains its near end.
A box is enclosed by its natural and its mean-value form. Where the gradient has one sign the box shrinks to the face
that holds the extremum, so that an extremum in a corner is found to all digits.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from flint import arb, fmpq

from selfnorm.theory.balls import Dual

Interval = tuple[fmpq, fmpq]
Box = tuple[Interval, Interval]
Quantity = Callable[[arb, arb], Dual]

MAX_BOXES = 100_000  # about half a minute: a search that needs more is not converging


@dataclass(frozen=True)
class Extremum:
    """Rigorous bounds of the extremum, between which the quantity at (x, y) lies too."""

    lower: arb
    upper: arb
    x: fmpq
    y: fmpq


def ball(interval: Interval) -> arb:
    """Return the smallest ball around a rational interval, rounded outwards."""
    return arb(interval[0]).union(arb(interval[1]))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A box that may hold the maximum, an upper bound on it, a lower bound at its centre, and the side to cut."""

    upper: arb
    centre: arb
    box: Box
    cut_x: bool

    def __lt__(self, other: Candidate) -> bool:
        return self.upper > other.upper  # the first of a heap is then the most promising

    def halves(self) -> list[Box]:
        x_side, y_side = self.box
        low, high = x_side if self.cut_x else y_side
        middle = (low + high) / 2
        halves = (low, middle), (middle, high)
        return [(half, y_side) if self.cut_x else (x_side, half) for half in halves]


def branch_and_bound(
    examine: Callable[[Box], Candidate | None], box: Box, lower: arb, *, tolerance: float, max_boxes: int
) -> Extremum:
    """Return the maximum, known to be at least `lower`, over the box's parts of which `examine` makes candidates.

    Raises ArithmeticError if `max_boxes` do not reach the tolerance.
    """
    heap: list[Candidate] = []
    x_best, y_best = fmpq(0), fmpq(0)
    pending, num_boxes = [box], 0
    while True:
        for candidate in filter(None, map(examine, pending)):
            if candidate.centre > lower:
                lower, (x_best, y_best) = candidate.centre, _middle(candidate.box)
            heapq.heappush(heap, candidate)
        num_boxes += len(pending)
        upper = max([lower, *(candidate.upper for candidate in heap[:1])])
        if upper - lower <= tolerance:
            return Extremum(lower, upper, x_best, y_best)
        if num_boxes > max_boxes:
            raise ArithmeticError(f"{num_boxes} boxes leave the extremum between {lower} and {upper}")
        pending = heapq.heappop(heap).halves()


def maximum(quantity: Quantity, box: Box, *, tolerance: float = 1e-12, max_boxes: int = MAX_BOXES) -> Extremum:
    """Return the largest value of the quantity on the box, to within `tolerance`; errors of `branch_and_bound`."""
    examine = partial(_examine, quantity)
    return branch_and_bound(examine, box, arb.neg_inf(), tolerance=tolerance, max_boxes=max_boxes)


def minimum(quantity: Quantity, box: Box, *, tolerance: float = 1e-12, max_boxes: int = MAX_BOXES) -> Extremum:
    """Return the smallest value of the quantity, like `maximum`."""
    mirrored = maximum(lambda x, y: -quantity(x, y), box, tolerance=tolerance, max_boxes=max_boxes)
    return replace(mirrored, lower=-mirrored.upper, upper=-mirrored.lower)


def _examine(quantity: Quantity, box: Box) -> Candidate:
    """Shrink the box to the part that holds its maximum and bound the quantity there."""
    while True:
        x, y = ball(box[0]), ball(box[1])
        whole = quantity(x, y)
        smaller = _uphill(box[0], whole.dx), _uphill(box[1], whole.dy)
        if smaller == box:
            break
        box = smaller
    x_centre, y_centre = (arb(coordinate) for coordinate in _middle(box))
    centre = quantity(x_centre, y_centre).value
    rise_x, rise_y = whole.dx * (x - x_centre), whole.dy * (y - y_centre)
    uppers = [bound.upper() for bound in (whole.value, centre + rise_x + rise_y) if bound.is_finite()]
    upper = min(uppers, default=arb.pos_inf())
    return Candidate(upper, centre.lower(), box, bool(rise_x.rad() > rise_y.rad()))


def _middle(box: Box) -> tuple[fmpq, fmpq]:
    (x0, x1), (y0, y1) = box
    return (x0 + x1) / 2, (y0 + y1) / 2


def _uphill(side: Interval, slope: arb) -> Interval:
    """Return the end where the quantity is largest as an interval, or all of the side where the slope has no sign."""
    if slope > 0:
        return side[1], side[1]
    return (side[0], side[0]) if slope < 0 else side
