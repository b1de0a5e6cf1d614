"""Where Theorem 1's fixed points lie, over all (omega, tau): a tight rigorous enclosure of mu and of nu.

A fixed point of some (omega, tau) in range is mu = mu~(x, y), nu = nu~(x, y) with x = mu omega and y = nu tau, so that
the set of all of them is the image of {(x, y): |x| <= omega_max |mu~|, tau_0 nu~ <= y <= tau_1 nu~}. Branch and bound
over (x, y) drops boxes that surely break a constraint; fixed points at the corners of (omega, tau), found in floats and
then checked in balls, bound the extremes from inside.

Legend: mu, nu mean and variance of the activations; omega, tau sum of a unit's weights and of their squares;
x, y mean and variance of the pre-activation.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from flint import arb, ctx

from selfnorm.theory.balls import PRECISION, Dual, MomentBalls, selu_balls
from selfnorm.theory.extrema import Box, ball
from selfnorm.theory.fixed_points import find_fixed_points
from selfnorm.theory.selu import Selu
from selfnorm.theory.statements import Range

Coordinate = Literal["mean", "variance"]
INWARDS = 1e-12  # how far inside the range the corner's (omega, tau) are taken, so that rounding cannot leave it
MAX_BOXES = 50_000


@dataclass(frozen=True)
class Extreme:
    """outer bounds the coordinate of every fixed point; `inner` is that of one, at (omega, tau): the bound is sharp."""

    outer: arb
    inner: arb
    omega: float
    tau: float
    num_boxes: int


def fixed_point_extremes(region: Range, *, tolerance: float = 1e-9) -> dict[str, Extreme]:
    """Bounds "mu_min", "mu_max", "nu_min", "nu_max" of the fixed points in the region, to within the tolerance.

    Raises ValueError unless each corner of (omega, tau) has a fixed point in the region: where they leave it the
    extremes lie on its edge. Raises ArithmeticError if 50,000 boxes do not reach the tolerance.
    """
    coordinates: tuple[tuple[str, Coordinate], ...] = (("mu", "mean"), ("nu", "variance"))
    with ctx.workprec(PRECISION):
        corners = _corner_fixed_points(region)
        return {
            f"{symbol}_{end}": _extreme(region, coordinate, sign, corners, tolerance)
            for symbol, coordinate in coordinates
            for end, sign in (("min", -1), ("max", 1))
        }


def _extreme(
    region: Range,
    coordinate: Coordinate,
    sign: int,
    corners: list[tuple[float, float, MomentBalls]],
    tolerance: float,
) -> Extreme:
    def value(m: MomentBalls) -> Dual:
        return getattr(m, coordinate).scaled(arb(sign))

    omega, tau, inner = max(
        ((omega, tau, value(m).value.lower()) for omega, tau, m in corners), key=lambda corner: corner[2]
    )
    (nu0, nu1), (tau0, tau1) = region.nu, region.tau
    pending: list[Box] = [(region.x, (nu0 * tau0, nu1 * tau1))]
    heap: list[tuple[float, int, arb, Box]] = []
    num_boxes = 0
    while True:
        for box in pending:
            num_boxes += 1
            upper = _upper_bound(region, box, value)
            if upper is not None and not upper <= inner:  # what cannot be compared stays
                heapq.heappush(heap, (-float(upper), num_boxes, upper, box))
        outer = max([inner, *(entry[2] for entry in heap[:1])])
        if outer - inner <= tolerance:
            return Extreme(sign * max([inner, *(entry[2] for entry in heap)]), sign * inner, omega, tau, num_boxes)
        if num_boxes > MAX_BOXES:
            raise ArithmeticError(f"{num_boxes} boxes leave the {coordinate} between {inner} and {outer}")
        pending = _quarters(heapq.heappop(heap)[3])


def _upper_bound(region: Range, box: Box, value: Callable[[MomentBalls], Dual]) -> arb | None:
    """An upper bound of the coordinate on the box's fixed points in the region; None if it can hold none."""
    x, y = ball(box[0]), ball(box[1])
    whole, centre = selu_balls(x, y), selu_balls(x.mid(), y.mid())

    def bound(here: Dual, gradient: Dual) -> arb:
        mean_value = here.value + gradient.dx * (x - x.mid()) + gradient.dy * (y - y.mid())
        return mean_value.intersection(gradient.value)

    mean, variance = bound(centre.mean, whole.mean), bound(centre.variance, whole.variance)
    if mean.abs_lower() > region.mu or variance < region.nu[0] or variance > region.nu[1]:
        return None
    if x.abs_lower() > arb(region.omega) * mean.abs_upper():
        return None
    for tau, sign in zip(region.tau, (1, -1), strict=True):  # tau_0 nu~ - y <= 0 and y - tau_1 nu~ <= 0
        excess = [
            Dual(tau * m.variance.value - at, tau * m.variance.dx, tau * m.variance.dy - 1)
            for m, at in ((centre, y.mid()), (whole, y))
        ]
        if sign * bound(*excess) > 0:
            return None
    upper = bound(value(centre), value(whole)).upper()
    return upper if upper.is_finite() else arb.pos_inf()


def _quarters(box: Box) -> list[Box]:
    (x0, x1), (y0, y1) = box
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return [(xs, ys) for xs in ((x0, x), (x, x1)) for ys in ((y0, y), (y, y1))]


def _corner_fixed_points(region: Range) -> list[tuple[float, float, MomentBalls]]:
    """(omega, tau) and the moments at the fixed points just inside the range's corners, checked to be in the set."""
    found = []
    (tau0, tau1), limit = (tuple(float(t) for t in region.tau), float(region.omega) * (1 - INWARDS))
    for omega in (-limit, limit):
        for tau in (tau0 * (1 + INWARDS), tau1 * (1 - INWARDS)):
            for point in find_fixed_points(Selu(), omega=omega, tau=tau):
                x, y = arb(point.mu * omega), arb(point.nu * tau)
                m = selu_balls(x, y)
                if _in_the_set(region, x, y, m.mean.value, m.variance.value):
                    found.append((omega, tau, m))
                    break
            else:
                raise ValueError(f"no fixed point for omega={omega:.6g}, tau={tau:.6g} lies surely in {region}")
    return found


def _in_the_set(region: Range, x: arb, y: arb, mu: arb, nu: arb) -> bool:
    """Whether (mu, nu), the image of (x, y), is surely a fixed point of some (omega, tau) and in the region."""
    weights = abs(x) <= arb(region.omega) * abs(mu) and region.tau[0] * nu < y < region.tau[1] * nu
    return bool(weights and abs(mu) <= region.mu and region.nu[0] <= nu <= region.nu[1])
