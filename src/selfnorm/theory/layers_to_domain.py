"""Beyond the paper: after how many layers is every start inside Theorem 1's domain, whatever the weights are?

In: starts (mu, nu) and a range of (omega, tau), different in every layer. Out: a number of layers that suffices, proven
by iterating boxes, and one that does not, shown by a witness.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from flint import arb, ctx, fmpq

from selfnorm.theory.balls import PRECISION, MomentBalls
from selfnorm.theory.basin_of_attraction import START, State, domain, hull, image
from selfnorm.theory.statements import Range

MAX_LAYERS = 200
NUM_BINS = 20  # of START's variances


@dataclass(frozen=True)
class Arrival:
    """After `sufficient` layers every start is inside; after `insufficient` layers the witness still is not."""

    sufficient: int
    insufficient: int
    witness: tuple[fmpq, fmpq]  # its (mu, nu)
    witness_end: tuple[arb, arb]  # its (mu, nu) after `insufficient` layers


@ctx.workprec(PRECISION)
def layers_until_inside(region: Range) -> Arrival:
    """Count the layers with (omega, tau) in the region that take all of START into the region's (mu, nu).

    START's variances are cut into bins so that mu is followed together with nu. Raises ArithmeticError if
    200 layers are not enough or a box leaves the start's range of variances.
    """
    sufficient = _sufficient(region)
    starts = itertools.product((*START.mu, fmpq(0)), START.nu, (min, max))
    witnesses = [((mu, nu), *_last_layer_outside(region, mu, nu, extreme)) for mu, nu, extreme in starts]
    witness, insufficient, end = max(witnesses, key=lambda entry: entry[1])
    return Arrival(sufficient, insufficient, witness, end)


def _sufficient(region: Range) -> int:
    target, weights = domain(region)
    low, high = START.nu
    inner = np.geomspace(float(low), float(high), NUM_BINS + 1)[1:-1]
    edges = [low, *(fmpq(round(edge * 2**20), 2**20) for edge in inner), high]  # short rationals
    bins = list(itertools.pairwise(edges))
    boxes = {side: State(START.mu, side) for side in bins}
    for layer in range(1, MAX_LAYERS + 1):
        images = [image(box, weights) for box in boxes.values()]
        boxes = {}
        for box in images:
            if not (low <= box.nu[0] and box.nu[1] <= high):
                raise ArithmeticError(f"the image {box} leaves the starts' variances")
            for side in bins:
                nu = max(box.nu[0], side[0]), min(box.nu[1], side[1])
                if nu[0] <= nu[1]:
                    boxes[side] = hull(boxes.get(side, State(box.mu, nu)), State(box.mu, nu))
        if all(box.inside(target) for box in boxes.values()):
            return layer
    raise ArithmeticError(f"{MAX_LAYERS} layers do not bring every box inside")


def _last_layer_outside(
    region: Range, mu: fmpq, nu: fmpq, extreme: Callable[..., MomentBalls]
) -> tuple[int, tuple[arb, arb]]:
    """Follow one start through the corner of (omega, tau) with the smallest (largest) variance in every layer."""
    target, weights = domain(region)
    corners = [(arb(omega), arb(tau)) for omega in weights.omega for tau in weights.tau]
    m, v = arb(mu), arb(nu)
    last = 0, (m, v)
    for layer in range(1, MAX_LAYERS + 1):
        images = [MomentBalls(m * omega, v * tau) for omega, tau in corners]
        chosen = extreme(images, key=lambda moments: float(moments.variance.value))
        m, v = chosen.mean.value, chosen.variance.value
        if m < target.mu[0] or m > target.mu[1] or v < target.nu[0] or v > target.nu[1]:
            last = layer, (m, v)
    return last
