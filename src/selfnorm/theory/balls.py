"""SELU's moments over whole boxes of (x, y), as rigorous enclosures with rigorous gradients.

In: a box of means x and variances y of the pre-activation, as balls (python-flint's arb). Out: balls that contain
every value that mu~, xi~ and their derivatives take on the box, each with its gradient in (x, y), by dual numbers.

Legend: x = mu omega, y = nu tau mean and variance of the pre-activation; mu~, nu~, xi~ mean, variance and second
moment of the activation; A = e^{x+y/2} erfc((x+y)/sqrt 2y), B = e^{2x+2y} erfc((x+2y)/sqrt 2y), C = erfc(x/sqrt 2y),
phi = sqrt(2/(pi y)) e^{-x^2/2y}, the paper's terms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from flint import arb

PRECISION = 96  # bits; every entry point works within `flint.ctx.workprec(PRECISION)`


@dataclass(frozen=True, slots=True)
class Dual:
    """A value with its derivatives in x and y, all balls."""

    value: arb
    dx: arb
    dy: arb

    def __add__(self, other: "Dual") -> "Dual":
        return Dual(self.value + other.value, self.dx + other.dx, self.dy + other.dy)

    def __sub__(self, other: "Dual") -> "Dual":
        return Dual(self.value - other.value, self.dx - other.dx, self.dy - other.dy)

    def __neg__(self) -> "Dual":
        return Dual(-self.value, -self.dx, -self.dy)

    def __mul__(self, other: "Dual") -> "Dual":
        return Dual(
            self.value * other.value,
            self.dx * other.value + self.value * other.dx,
            self.dy * other.value + self.value * other.dy,
        )

    def scaled(self, factor: arb) -> "Dual":
        return Dual(self.value * factor, self.dx * factor, self.dy * factor)

    def inverse(self) -> "Dual":
        inverse = 1 / self.value
        slope = -inverse * inverse
        return Dual(inverse, slope * self.dx, slope * self.dy)

    def sqrt(self) -> "Dual":
        root = self.value.sqrt()
        slope = 1 / (2 * root)
        return Dual(root, slope * self.dx, slope * self.dy)

    def squared(self) -> "Dual":
        return Dual(self.value * self.value, 2 * self.value * self.dx, 2 * self.value * self.dy)


def constant(value: arb) -> Dual:
    return Dual(arb(value), arb(0), arb(0))


def selu_constants() -> tuple[arb, arb]:
    """alpha and lambda for the fixed point (0, 1) as balls, from their closed forms (paper: Eq. 14)."""
    pi, e, half = arb.pi(), arb(1).exp(), arb(1) / 2
    first, second = half.sqrt().erfc(), arb(2).sqrt().erfc()  # erfc(1/sqrt 2), erfc(sqrt 2)
    alpha = -(2 / pi).sqrt() / (first * half.exp() - 1)
    inner = 2 * second * e**2 + pi * first**2 * e - 2 * (2 + pi) * first * e.sqrt() + pi + 2
    return alpha, (1 - first * e.sqrt()) * (2 * pi).sqrt() / inner.sqrt()


class MomentBalls(NamedTuple):
    """Enclosures over a box, with gradients in (x, y): mean mu~, variance nu~ and their derivatives in x and y."""

    mean: Dual
    variance: Dual
    mean_x: Dual
    mean_y: Dual
    variance_x: Dual
    variance_y: Dual


def moment_balls(x: arb, y: arb, *, alpha: arb, lambda_: arb) -> MomentBalls:
    """Every value of SELU's moments for (x, y) in the box; y must be positive on it (paper: Eq. 4, 5, appendix)."""
    X, Y = Dual(x, arb(1), arb(0)), Dual(y, arb(0), arb(1))
    a, b, c, phi = _terms(x, y)
    one = constant(arb(1))
    a2, scale, scale2 = alpha**2, lambda_ / 2, lambda_**2 / 2
    above = one + one - c  # 2 P(z > 0)
    g = Y * phi
    mean = (X * above + g + (a - c).scaled(alpha)).scaled(scale)
    second = ((X.squared() + Y) * above + X * g + (b - a - a + c).scaled(a2)).scaled(scale2)
    mean_x = (a.scaled(alpha) + above).scaled(scale)
    mean_y = (a.scaled(alpha) - phi.scaled(alpha - 1)).scaled(scale / 2)
    second_x = ((b - a).scaled(a2) + X * above + g).scaled(2 * scale2)
    second_y = ((b + b - a).scaled(a2) + above).scaled(scale2)
    return MomentBalls(
        mean=mean,
        variance=second - mean.squared(),
        mean_x=mean_x,
        mean_y=mean_y,
        variance_x=second_x - (mean * mean_x).scaled(arb(2)),
        variance_y=second_y - (mean * mean_y).scaled(arb(2)),
    )


def _terms(x: arb, y: arb) -> tuple[Dual, Dual, Dual, Dual]:
    """A, B, C, phi with gradients. Each argument is written so that x and y occur once or act the same way."""
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
    """A decreasing function over a ball from its two ends: wide balls would blow e^{t^2} and erfc up separately."""
    if t.rad() == 0:
        return decreasing(t)
    return decreasing(t.lower()).union(decreasing(t.upper()))
