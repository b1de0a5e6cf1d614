"""Beyond the paper: after how many layers is every start inside Theorem 1's domain, whatever the weights do?

In: starts (mu, nu) and a range of (omega, tau), different in every layer. Out: a number of layers
that suffices, proven by iterating boxes, and one that is not enough, by a witness.

Legend: mu, nu mean and variance of the activations; omega, tau sum of a unit's weights and of their squares.
"""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

from flint import arb, ctx, fmpq

from selfnorm.theory.balls import PRECISION, MomentBalls, selu_balls
from selfnorm.theory.basin import START, State, domain, hull, image
from selfnorm.theory.statements import Range

MAX_LAYERS = 200


@dataclass(frozen=True)
class Arrival:
    """sufficient: after so many layers every start is inside; insufficient: after so many, one still is not."""

    sufficient: int
    insufficient: int
    witness: tuple[fmpq, fmpq]  # the (mu, nu) that is still outside
    witness_end: tuple[arb, arb]  # where it is after `insufficient` layers
    seconds: float


def layers_until_inside(region: Range, *, start: State = START, num_bins: int = 20) -> Arrival:
    """How many layers with (omega, tau) in the region take every start into the region's (mu, nu).

    The start's variances are cut into bins so that mu is followed together with nu. Raises ArithmeticError if
    200 layers are not enough or a box leaves the start's range of variances.
    """
    begin = time.perf_counter()
    with ctx.workprec(PRECISION):
        sufficient = _sufficient(region, start, num_bins)
        insufficient, witness, end = 0, (start.mu[0], start.nu[0]), (arb(start.mu[0]), arb(start.nu[0]))
        for mu, nu, extreme in itertools.product((*start.mu, fmpq(0)), start.nu, (min, max)):
            layer, reached = _last_layer_outside(region, mu, nu, extreme)
            if layer > insufficient:
                insufficient, witness, end = layer, (mu, nu), reached
    return Arrival(sufficient, insufficient, witness, end, time.perf_counter() - begin)


def _sufficient(region: Range, start: State, num_bins: int) -> int:
    target, weights = domain(region)
    low, high = start.nu
    edges = [low * _power(high / low, i, num_bins) for i in range(num_bins)] + [high]
    boxes = {i: State(start.mu, (edges[i], edges[i + 1])) for i in range(num_bins)}
    for layer in range(1, MAX_LAYERS + 1):
        images = [image(box, weights) for box in boxes.values()]
        boxes = {}
        for box in images:
            if not (low <= box.nu[0] and box.nu[1] <= high):
                raise ArithmeticError(f"the image {box} leaves the starts' variances")
            for i in range(num_bins):
                nu = max(box.nu[0], edges[i]), min(box.nu[1], edges[i + 1])
                if nu[0] <= nu[1]:
                    part = State(box.mu, nu)
                    boxes[i] = hull(boxes[i], part) if i in boxes else part
        if all(box.inside(target) for box in boxes.values()):
            return layer
    raise ArithmeticError(f"{MAX_LAYERS} layers do not bring every box inside")


def _power(ratio: fmpq, i: int, n: int) -> fmpq:
    """About ratio^(i/n), as a short rational: any increasing edges from 1 on will do."""
    return fmpq(round((int(ratio.p) / int(ratio.q)) ** (i / n) * 2**20), 2**20)


def _last_layer_outside(
    region: Range, mu: fmpq, nu: fmpq, extreme: Callable[..., MomentBalls]
) -> tuple[int, tuple[arb, arb]]:
    """Follow one start, taking the corner of (omega, tau) with the smallest (largest) variance in every layer."""
    target, weights = domain(region)
    corners = [(arb(omega), arb(tau)) for omega in weights.omega for tau in weights.tau]
    m, v, last = arb(mu), arb(nu), (0, (arb(mu), arb(nu)))
    for layer in range(1, MAX_LAYERS + 1):
        images = [selu_balls(m * omega, v * tau) for omega, tau in corners]
        chosen = extreme(images, key=lambda moments: float(moments.variance.value))
        m, v = chosen.mean.value, chosen.variance.value
        if m < target.mu[0] or m > target.mu[1] or v < target.nu[0] or v > target.nu[1]:
            last = layer, (m, v)
    return last
