"""The region of Theorem 1's fixed points over all (omega, tau): a tight rigorous enclosure of mu and of nu.

A fixed point of some (omega, tau) in range is mu = mu~(x, y), nu = nu~(x, y) with x = mu omega and y = nu tau, so that
the set of all of them is the image of {(x, y): |x| <= omega_max |mu~|, tau_0 nu~ <= y <= tau_1 nu~}. Branch and bound
over (x, y) drops boxes that surely break a constraint. Fixed points at the corners of (omega, tau), found in floats and
then checked in balls, bound the extremes from inside.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

from flint import arb, ctx

from selfnorm.theory.balls import ONE, PRECISION, ZERO, Dual, MomentBalls
from selfnorm.theory.extrema import Box, Candidate, ball, branch_and_bound
from selfnorm.theory.fixed_points import find_fixed_points
from selfnorm.theory.selu import Selu
from selfnorm.theory.statements import Range

Coordinate = Callable[[MomentBalls], Dual]
COORDINATES: dict[str, Coordinate] = {
    "mu min": lambda m: -m.mean,
    "mu max": lambda m: m.mean,
    "nu min": lambda m: -m.variance,
    "nu max": lambda m: m.variance,
}
INWARDS = 1e-12  # how far inside the range the corner's (omega, tau) are taken, so that rounding cannot leave it
MAX_BOXES = 50_000


@dataclass(frozen=True)
class Extreme:
    """Bounds of the extreme: the fixed point at (omega, tau) attains one, and no fixed point exceeds the other."""

    lower: arb
    upper: arb
    omega: float
    tau: float


@ctx.workprec(PRECISION)
def fixed_point_extremes(region: Range, *, tolerance: float = 1e-9) -> dict[str, Extreme]:
    """Bound "mu min", "mu max", "nu min", "nu max" of the fixed points in the region, to within the tolerance.

    Raises ValueError unless each corner of (omega, tau) has a fixed point in the region: where they leave it the
    extremes lie on its edge. Raises ArithmeticError if 50,000 boxes do not reach the tolerance.
    """
    corners = _corner_fixed_points(region)
    (nu0, nu1), (tau0, tau1) = region.nu, region.tau
    extremes = {}
    for name, value in COORDINATES.items():

        def examine(box: Box, value: Coordinate = value) -> Candidate | None:
            (x0, x1), (y0, y1) = box
            upper = upper_bound(region, box, value)
            return None if upper is None else Candidate(upper, arb.neg_inf(), box, cut_x=x1 - x0 > y1 - y0)

        inner, omega, tau = max(((value(m).value.lower(), omega, tau) for omega, tau, m in corners), key=itemgetter(0))
        whole = region.x, (nu0 * tau0, nu1 * tau1)
        outer = branch_and_bound(examine, whole, inner, tolerance=tolerance, max_boxes=MAX_BOXES).upper
        ends = (inner, outer) if name.endswith("max") else (-outer, -inner)
        extremes[name] = Extreme(*ends, omega, tau)
    return extremes


def upper_bound(region: Range, box: Box, value: Coordinate) -> arb | None:
    """Bound the coordinate from above on the box's fixed points in the region; None if the box can hold none."""
    x, y = ball(box[0]), ball(box[1])
    whole, centre = MomentBalls(x, y), MomentBalls(x.mid(), y.mid())

    def bound(at_centre: Dual, on_box: Dual) -> arb:
        mean_value = at_centre.value + on_box.dx * (x - x.mid()) + on_box.dy * (y - y.mid())
        return mean_value.intersection(on_box.value)

    mean, variance = bound(centre.mean, whole.mean), bound(centre.variance, whole.variance)
    if mean.abs_lower() > region.mu or variance < region.nu[0] or variance > region.nu[1]:
        return None
    if x.abs_lower() > arb(region.omega) * mean.abs_upper():
        return None
    for tau, sign in zip(region.tau, (1, -1), strict=True):  # tau_0 nu~ - y <= 0 and y - tau_1 nu~ <= 0
        excess = [m.variance.scaled(arb(tau)) - Dual(at, ZERO, ONE) for m, at in ((centre, y.mid()), (whole, y))]
        if sign * bound(*excess) > 0:
            return None
    upper = bound(value(centre), value(whole)).upper()
    return upper if upper.is_finite() else arb.pos_inf()


def _corner_fixed_points(region: Range) -> list[tuple[float, float, MomentBalls]]:
    """Return (omega, tau) and the moments at a fixed point just inside each corner, surely in the set and region."""
    corners = []
    (tau0, tau1), limit = region.tau, float(region.omega) * (1 - INWARDS)
    for omega, tau in itertools.product((-limit, limit), (float(tau0) * (1 + INWARDS), float(tau1) * (1 - INWARDS))):
        for point in find_fixed_points(Selu(), omega=omega, tau=tau):
            x, y = arb(point.mu * omega), arb(point.nu * tau)
            m = MomentBalls(x, y)
            mu, nu = m.mean.value, m.variance.value
            inside = abs(mu) <= region.mu and region.nu[0] <= nu <= region.nu[1]
            if inside and abs(x) <= arb(region.omega) * abs(mu) and region.tau[0] * nu < y < region.tau[1] * nu:
                corners.append((omega, tau, m))
                break
        else:
            raise ValueError(f"no fixed point for omega={omega:.6g}, tau={tau:.6g} lies surely in {region}")
    return corners
