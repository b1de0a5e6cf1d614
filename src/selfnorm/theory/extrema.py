"""Certified maxima and minima of a quantity over boxes of (x, y), by branch and bound in ball arithmetic.

In: a function from a box to an enclosure with gradient (`balls.Dual`), and rational boxes. Out: an interval that
contains the extremum, the point that attains its near end, the number of boxes examined.
A box is enclosed by its natural and its mean-value form; where the gradient has one sign the box shrinks to the
face that holds the extremum, so that an extremum in a corner is found to all digits.

Legend: x, y mean and variance of the pre-activation.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flint import arb, fmpq

from selfnorm.theory.balls import Dual

Interval = tuple[fmpq, fmpq]
Box = tuple[Interval, Interval]
Quantity = Callable[[arb, arb], Dual]

MAX_BOXES = 100_000  # about half a minute: a search that needs more is not converging


@dataclass(frozen=True)
class Extremum:
    """lower <= the extremum <= upper, rigorously; the quantity at (x, y) is within [lower, upper] too."""

    lower: arb
    upper: arb
    x: fmpq
    y: fmpq
    num_boxes: int


def ball(interval: Interval) -> arb:
    """The smallest ball around a rational interval, rounded outwards."""
    low, high = interval
    return arb(low) if low == high else arb(low).union(arb(high))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A box that may hold the maximum, an upper bound on it, a lower bound at its centre, and the side to cut."""

    upper: arb
    centre: arb
    box: Box
    cut_x: bool

    def __lt__(self, other: "_Candidate") -> bool:
        return self.upper > other.upper  # the heap's first is the most promising


def maximum(
    quantity: Quantity, boxes: Iterable[Box], *, tolerance: float = 1e-12, max_boxes: int = MAX_BOXES
) -> Extremum:
    """The largest value of the quantity on the union of the boxes, to within `tolerance`.

    Raises ArithmeticError if `max_boxes` do not reach the tolerance.
    """
    heap: list[_Candidate] = []
    lower, x_best, y_best = arb.neg_inf(), fmpq(0), fmpq(0)
    pending, num_boxes = list(boxes), 0
    while True:
        for box in pending:
            candidate = _examine(quantity, box)
            num_boxes += 1
            if candidate.centre > lower:
                lower, (x_best, y_best) = candidate.centre, _middle(candidate.box)
            heapq.heappush(heap, candidate)
        if heap[0].upper - lower <= tolerance:
            return Extremum(lower, heap[0].upper, x_best, y_best, num_boxes)
        if num_boxes > max_boxes:
            raise ArithmeticError(f"{num_boxes} boxes leave the maximum between {lower} and {heap[0].upper}")
        pending = _halves(heapq.heappop(heap))


def minimum(
    quantity: Quantity, boxes: Iterable[Box], *, tolerance: float = 1e-12, max_boxes: int = MAX_BOXES
) -> Extremum:
    """The smallest value of the quantity, like `maximum`."""
    found = maximum(lambda x, y: -quantity(x, y), boxes, tolerance=tolerance, max_boxes=max_boxes)
    return Extremum(-found.upper, -found.lower, found.x, found.y, found.num_boxes)


def _examine(quantity: Quantity, box: Box) -> _Candidate:
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
    return _Candidate(upper, centre.lower(), box, bool(rise_x.rad() > rise_y.rad()))


def _middle(box: Box) -> tuple[fmpq, fmpq]:
    (x0, x1), (y0, y1) = box
    return (x0 + x1) / 2, (y0 + y1) / 2


def _uphill(side: Interval, slope: arb) -> Interval:
    if slope > 0:
        return side[1], side[1]
    if slope < 0:
        return side[0], side[0]
    return side


def _halves(candidate: _Candidate) -> list[Box]:
    x_side, y_side = candidate.box
    low, high = x_side if candidate.cut_x else y_side
    middle = (low + high) / 2
    parts = (low, middle), (middle, high)
    return [(part, y_side) if candidate.cut_x else (x_side, part) for part in parts]
