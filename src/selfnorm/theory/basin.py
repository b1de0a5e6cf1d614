"""Beyond the paper: is there one fixed point, and does it attract far more than Theorem 1's domain? Rigorously.

In: ranges of (omega, tau), the same in all layers, and of starts (mu, nu). Out: whether, for every (omega, tau), one
fixed point attracts every start. A box of (mu, nu) is mapped, again and again, to a box that contains its image under
every (omega, tau) in question, until the map contracts it.

Legend: mu, nu mean and variance of the activations; omega, tau sum of a unit's weights and of their squares;
x = mu omega, y = nu tau mean and variance of the pre-activation.
"""

import itertools
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from flint import arb, ctx, fmpq

from selfnorm.theory.balls import PRECISION, selu_balls
from selfnorm.theory.extrema import Interval, Quantity, ball, maximum, minimum
from selfnorm.theory.statements import Range, interval

MAX_IMAGES = 200  # in a row for one cell; boxes that still move then do not settle
SMALLEST_NU = fmpq(1, 10**6)  # a variance below may decay to 0: no fixed point is looked for there
MAX_BOXES = 5_000  # in the search for one side of an image, about a second; those of a proof need up to 1,100
GRID = 2**40  # box sides are rounded outwards to multiples of 1/GRID, which keeps the rationals short


class State(NamedTuple):
    """A box of moments."""

    mu: Interval
    nu: Interval

    def inside(self, other: "State") -> bool:
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
    return State((-region.mu, region.mu), region.nu), Weights((-region.omega, region.omega), region.tau)


def image(state: State, weights: Weights) -> State:
    """A box that contains the image of the box under every (omega, tau), tight but for 1e-4 of its size.

    Raises ArithmeticError if the search for a side does not converge, as where nu comes near 0 while omega mu does not.
    """
    box = (_product(state.mu, weights.omega), _product(state.nu, weights.tau))
    tolerance = 1e-4 * float(box[1][1] - box[1][0]) + 1e-9

    def side(quantity: Quantity) -> Interval:
        low = minimum(quantity, [box], tolerance=tolerance, max_boxes=MAX_BOXES)
        high = maximum(quantity, [box], tolerance=tolerance, max_boxes=MAX_BOXES)
        return _rounded_down(low.lower), -_rounded_down(-high.upper)

    return State(side(lambda x, y: selu_balls(x, y).mean), side(lambda x, y: selu_balls(x, y).variance))


def _product(a: Interval, b: Interval) -> Interval:
    corners = [u * v for u, v in itertools.product(a, b)]
    return min(corners), max(corners)


def _rounded_down(value: arb) -> fmpq:
    whole = (value * GRID).floor().unique_fmpz()
    assert whole is not None, "the bounds of an extremum are exact numbers"
    return fmpq(whole, GRID)


def contracts(state: State, weights: Weights) -> bool:
    """Whether every (omega, tau) makes the map a contraction of the box in some weighted maximum norm.

    With a, b, c, d bounds on the Jacobian's entries: if and only if a, d < 1 and b c < (1 - a)(1 - d).
    """
    x, y = ball(_product(state.mu, weights.omega)), ball(_product(state.nu, weights.tau))
    m, omega, tau = selu_balls(x, y), ball(weights.omega), ball(weights.tau)
    a, c = ((slope.value * omega).abs_upper() for slope in (m.mean_x, m.variance_x))
    b, d = ((slope.value * tau).abs_upper() for slope in (m.mean_y, m.variance_y))
    return bool(a < 1 and d < 1 and b * c < (1 - a) * (1 - d))


@dataclass
class Basin:
    """Proven if every cell of (omega, tau) ends in a box that is mapped into itself, contracting: none is open."""

    num_cells: int = 0
    num_images: int = 0
    hull: State | None = None  # of the fixed points
    open_cells: list[Weights] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def proven(self) -> bool:
        return not self.open_cells


def one_fixed_point_attracts(weights: Weights, *, start: State = START, max_depth: int = 12) -> Basin:
    """Is there, for every (omega, tau) in the box, one fixed point that attracts every start?

    The images of `start` shrink until they contract; where they stop shrinking before that, the cell of (omega, tau)
    is cut in two and both go on from the box reached. Cells cut `max_depth` times, or whose variance may decay to 0, or
    an image of which cannot be bounded, are left open: not proven.
    """
    begin = time.perf_counter()
    basin = Basin()
    with ctx.workprec(PRECISION):
        pending = [(weights, start, 0)]
        while pending:
            cell, state, depth = pending.pop()
            try:
                final, images = _shrink(state, cell)
                settled = contracts(final, cell) and image(final, cell).inside(final)
            except ArithmeticError:
                basin.open_cells.append(cell)
                continue
            basin.num_images += images
            if final.nu[0] >= SMALLEST_NU and settled:
                basin.num_cells += 1
                basin.hull = final if basin.hull is None else hull(basin.hull, final)
            elif depth == max_depth or final.nu[0] < SMALLEST_NU:
                basin.open_cells.append(cell)
            else:
                pending += [(part, final, depth + 1) for part in _cut(cell)]
    basin.seconds = time.perf_counter() - begin
    return basin


def _shrink(state: State, cell: Weights) -> tuple[State, int]:
    """Iterate until the box contracts or a layer shrinks it by less than 2 %; the box and the images taken."""
    images = 0
    while images < MAX_IMAGES:
        new, images = image(state, cell), images + 1
        settled = new.inside(state) and _size(new) > 0.98 * _size(state)
        state = new
        if settled or state.nu[0] < SMALLEST_NU or contracts(state, cell):
            break
    return state, images


def _size(state: State) -> float:
    (mu0, mu1), (nu0, nu1) = state
    return float(mu1 - mu0) + float(nu1 - nu0) / float(nu1 + nu0)


def _cut(cell: Weights) -> list[Weights]:
    """Halves of tau's interval (it moves the fixed point most), of omega's where tau's is ten times shorter."""
    (w0, w1), (t0, t1) = cell
    if 10 * (t1 - t0) < w1 - w0:
        w = (w0 + w1) / 2
        return [Weights((w0, w), cell.tau), Weights((w, w1), cell.tau)]
    t = (t0 + t1) / 2
    return [Weights(cell.omega, (t0, t)), Weights(cell.omega, (t, t1))]


def hull(a: State, b: State) -> State:
    """The smallest box around both."""
    return State(*((min(s[0], t[0]), max(s[1], t[1])) for s, t in zip(a, b, strict=True)))
