"""SELU's moments over whole boxes of (x, y), as rigorous enclosures with rigorous gradients.

In: a box of means x and variances y of the pre-activation, as balls (python-flint's arb). Out: balls that contain
every value that mu~, nu~ and their derivatives take on the box, each with its gradient in (x, y), by dual numbers.

Legend, the paper's terms: A = e^{x+y/2} erfc((x+y)/sqrt 2y), B = e^{2x+2y} erfc((x+2y)/sqrt 2y),
C = erfc(x/sqrt 2y), phi = sqrt(2/(pi y)) e^{-x^2/2y}.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

from flint import arb, ctx

PRECISION = 96  # bits: every entry point is decorated with `ctx.workprec(PRECISION)`
ZERO, ONE = arb(0), arb(1)


@dataclass(frozen=True, slots=True)
class Dual:
    """A value with its derivatives in x and y, all balls."""

    value: arb
    dx: arb = ZERO
    dy: arb = ZERO

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, self.dx + other.dx, self.dy + other.dy)

    def __sub__(self, other: Dual) -> Dual:
        return Dual(self.value - other.value, self.dx - other.dx, self.dy - other.dy)

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.dx, -self.dy)

    def __mul__(self, other: Dual) -> Dual:
        v, w = self.value, other.value
        return Dual(v * w, self.dx * w + v * other.dx, self.dy * w + v * other.dy)

    def scaled(self, factor: arb) -> Dual:
        return Dual(self.value * factor, self.dx * factor, self.dy * factor)

    def inverse(self) -> Dual:
        inverse = 1 / self.value
        return self._chain(inverse, -inverse * inverse)

    def sqrt(self) -> Dual:
        root = self.value.sqrt()
        return self._chain(root, 1 / (2 * root))

    def squared(self) -> Dual:
        return self._chain(self.value * self.value, 2 * self.value)

    def _chain(self, value: arb, slope: arb) -> Dual:
        return Dual(value, slope * self.dx, slope * self.dy)


@cache
@ctx.workprec(PRECISION)
def selu_constants() -> tuple[arb, arb]:
    """Return alpha and lambda for the fixed point (0, 1) as balls, from their closed forms (paper: Eq. 14)."""
    pi, e, half = arb.pi(), arb(1).exp(), arb(1) / 2
    first, second = half.sqrt().erfc(), arb(2).sqrt().erfc()  # erfc(1/sqrt 2), erfc(sqrt 2)
    alpha = -(2 / pi).sqrt() / (first * half.exp() - 1)
    inner = 2 * second * e**2 + pi * first**2 * e - 2 * (2 + pi) * first * e.sqrt() + pi + 2
    return alpha, (1 - first * e.sqrt()) * (2 * pi).sqrt() / inner.sqrt()


class MomentBalls:
    """Enclosures of the paper's SELU's moments for (x, y) in a box, with gradients in (x, y) (Eq. 4, 5, appendix).

    They are the mean mu~, the variance nu~, their derivatives in x and y, and E selu'(z)^2, each computed at its first
    use. y must be positive on the box, or the enclosures are not finite.
    """

    def __init__(self, x: arb, y: arb) -> None:
        self._x, self._y = Dual(x, ONE, ZERO), Dual(y, ZERO, ONE)
        self._alpha, self._lambda = selu_constants()
        self._a, self._b, self._c, self._phi = _terms(x, y)
        self._above = Dual(arb(2)) - self._c  # 2 P(z > 0)

    @cached_property
    def mean(self) -> Dual:
        halves = self._x * self._above + self._y * self._phi + (self._a - self._c).scaled(self._alpha)
        return halves.scaled(self._lambda / 2)

    @cached_property
    def variance(self) -> Dual:
        x, y = self._x, self._y
        positive = (x.squared() + y) * self._above + x * y * self._phi
        negative = (self._b - self._a - self._a + self._c).scaled(self._alpha**2)
        return (positive + negative).scaled(self._lambda**2 / 2) - self.mean.squared()

    @cached_property
    def mean_x(self) -> Dual:
        return (self._a.scaled(self._alpha) + self._above).scaled(self._lambda / 2)

    @cached_property
    def mean_y(self) -> Dual:
        return (self._a.scaled(self._alpha) - self._phi.scaled(self._alpha - 1)).scaled(self._lambda / 4)

    @cached_property
    def variance_x(self) -> Dual:
        positive = self._x * self._above + self._y * self._phi
        second = ((self._b - self._a).scaled(self._alpha**2) + positive).scaled(self._lambda**2)
        return second - (self.mean * self.mean_x).scaled(arb(2))

    @cached_property
    def variance_y(self) -> Dual:
        second = (self._b + self._b - self._a).scaled(self._alpha**2) + self._above
        return second.scaled(self._lambda**2 / 2) - (self.mean * self.mean_y).scaled(arb(2))

    @cached_property
    def slope_squared(self) -> Dual:
        return (self._b.scaled(self._alpha**2) + self._above).scaled(self._lambda**2 / 2)


def _terms(x: arb, y: arb) -> tuple[Dual, Dual, Dual, Dual]:
    """Return A, B, C, phi with gradients. In each argument x and y occur once or act in the same direction."""
    root = (2 * y).sqrt()
    ratio = x / root
    decay = (-ratio * ratio).exp()  # not ratio**2: arb takes powers of balls around 0 by logarithm
    phi = decay * (2 / (arb.pi() * y)).sqrt()
    c = _over_range(ratio, arb.erfc)
    a = decay * _over_range(ratio + (y / 2).sqrt(), _erfcx)
    b = decay * _over_range(ratio + root, _erfcx)
    skew = phi * x / (2 * y)
    return (
        Dual(a, a - phi, a / 2 - phi / 2 + skew),
        Dual(b, 2 * b - phi, 2 * b - phi + skew),
        Dual(c, -phi, skew),
        Dual(phi, -phi * x / y, phi * (x * x / (y * y) - 1 / y) / 2),
    )


def _erfcx(t: arb) -> arb:
    return (t * t).exp() * t.erfc()


def _over_range(t: arb, decreasing: Callable[[arb], arb]) -> arb:
    """Enclose a decreasing function over a ball from its two ends: on a wide ball e^{t^2} alone would explode."""
    return decreasing(t.lower()).union(decreasing(t.upper()))
