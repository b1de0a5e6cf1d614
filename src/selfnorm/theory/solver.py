"""SELU's alpha and lambda for a wanted fixed point (mu, nu), and the variances for which there is one.

In: mu, nu and the weights' (omega, tau). Out: (alpha, lambda), in double precision or in any number of digits.
With p = max(z, 0) and q = min(e^z - 1, 0), selu = lambda (p + alpha q) and p q = 0: (mu, nu) is a fixed point if and
only if lambda (Ep + alpha Eq) = mu and lambda^2 (Ep^2 + alpha^2 Eq^2) = nu + mu^2. Their ratio is a quadratic in
alpha; mu^2 / E selu^2 is monotone in alpha on either side of mu = 0, so the root is unique where it exists.

Legend: r = mu^2 / (nu + mu^2).
"""

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from scipy.optimize import brentq

from selfnorm.theory.checks import finite, positive

Number = float | str  # or mpmath's own


def selu_for_fixed_point(mu: float, nu: float, *, omega: float | None = None, tau: float = 1.0) -> tuple[float, float]:
    """Return (alpha, lambda) of the SELU whose layer keeps activations of mean mu and variance nu, exact to rounding.

    omega=None, the default, is the layer of independent random weights of zero mean, as an initialized network has
    it: its units' sums of weights are not all 0 (nor 1) but have variance tau, so that over the units the
    pre-activation is N(0, tau (nu + mu^2)), which a layer's mean and variance over samples and units obey.
    A number is the paper's setting, every unit with the same sum of weights: z ~ N(mu omega, nu tau). omega=0 means
    weights centred to zero sum; the authors' notebook uses omega=1. For mu = 0 all of them agree.

    Raises ValueError where no SELU with alpha, lambda > 0 has the fixed point, naming the variances that exist.

    >>> selu_for_fixed_point(0, 1)  # the paper's constants
    (1.6732632423543772, 1.0507009873554805)
    >>> alpha, lambda_ = selu_for_fixed_point(-0.1, 2.0)
    >>> round(alpha, 4), round(lambda_, 4)
    (2.33, 0.9798)
    """
    alpha, lambda_ = selu_to_digits(mu, nu, omega=omega, tau=tau, digits=25)
    return float(alpha), float(lambda_)


def selu_to_digits(
    mu: Number, nu: Number, *, omega: Number | None = None, tau: Number = 1, digits: int = 50
) -> tuple[mpmath.mpf, mpmath.mpf]:
    """Solve like `selu_for_fixed_point` to that many digits; "0.1" is that decimal, a float is taken exactly."""
    target = float(mu), float(nu), None if omega is None else float(omega), float(tau)
    _check_target(*target)
    precision = digits + _digits(*target)
    previous = mpmath.inf, mpmath.inf
    while True:  # e^z - 1 and the quadratic cancel by an unknown number of digits: double until two agree
        with mpmath.workdps(precision):
            current = parameters(*_target(mu, nu, omega, tau), sqrt=mpmath.sqrt)
        with mpmath.workdps(digits + 5):
            if all(abs(a / b - 1) < mpmath.mpf(10) ** -digits for a, b in zip(previous, current, strict=True)):
                return +current[0], +current[1]
        previous, precision = current, 2 * precision


def parameters(mu: Any, second: Any, p: Any, pp: Any, q: Any, qq: Any, *, sqrt: Callable[[Any], Any]) -> tuple:
    """Return (alpha, lambda) for the mean and second moment from the integrals; numpy arrays or mpmath numbers.

    Solves (p + alpha q)^2 = r (pp + alpha^2 qq) for the root with sign(p + alpha q) = sign(mu), without cancellation.
    """
    r = mu**2 / second
    large = -p * q + sqrt(r * (p**2 * qq + q**2 * pp - r * pp * qq))
    above = mu >= 0
    # a weight of 0 or 1 instead of a branch, so that arrays pass too; the denominator of the other root may vanish
    alpha = ((p**2 - r * pp) * above + large * (1 - above)) / (large * above + (q**2 - r * qq) * (1 - above))
    return alpha, sqrt(second / (pp + alpha**2 * qq))


def _target(mu: Number, nu: Number, omega: Number | None, tau: Number) -> tuple[mpmath.mpf, ...]:
    """Return mu, nu + mu^2 and E p, E p^2, E q, E q^2 of the pre-activation, at the working precision."""
    mean, variance, squares = mpmath.mpf(mu), mpmath.mpf(nu), mpmath.mpf(tau)
    second = variance + mean**2
    if omega is None:
        return mean, second, *_halves_mp(mpmath.mpf(0), second * squares)
    return mean, second, *_halves_mp(mean * mpmath.mpf(omega), variance * squares)


def _halves_mp(x: mpmath.mpf, y: mpmath.mpf) -> tuple[mpmath.mpf, ...]:
    """Return E p, E p^2, E q, E q^2 for z ~ N(x, y) at the working precision."""
    s = mpmath.sqrt(y)

    def half_exponential(k: int) -> mpmath.mpf:
        return mpmath.exp(k * x + k**2 * y / 2) * mpmath.erfc((x + k * y) / (s * mpmath.sqrt(2))) / 2

    above = mpmath.erfc(-x / (s * mpmath.sqrt(2))) / 2
    density = s * mpmath.exp(-(x**2) / (2 * y)) / mpmath.sqrt(2 * mpmath.pi)
    below, exp, exp2 = half_exponential(0), half_exponential(1), half_exponential(2)
    return x * above + density, (x**2 + y) * above + x * density, exp - below, exp2 - 2 * exp + below


def _check_target(mu: float, nu: float, omega: float | None, tau: float) -> None:
    """Raise ValueError unless a SELU with alpha, lambda > 0 has the fixed point."""
    finite("mu", mu)
    finite("mu^2", mu * mu)
    finite("omega", omega or 0.0)
    positive("nu", nu)
    positive("tau", tau)
    if _margin(mu, nu, omega, tau) <= SMALLEST_MARGIN:
        ranges = existing_variances(mu, omega=omega, tau=tau)
        legal = " or ".join(f"{low:.6g} < nu < {high:.6g}".removesuffix(" < inf") for low, high in ranges)
        weights = "independent random weights" if omega is None else f"omega={omega:g}"
        raise ValueError(
            f"no SELU has the fixed point mu={mu:g}, nu={nu:g} under {weights}, tau={tau:g}; "
            f"for this mu it exists for {legal}"
        )


SMALLEST_MARGIN = 1e-15  # below it the kink is so far out in a tail that doubles do not determine alpha


def _margin(mu: float, nu: float, omega: float | None, tau: float) -> float:
    """Return how far mu^2 / E selu^2 is below its limit for alpha to 0 or to infinity: positive, the point exists."""
    if mu == 0:
        return 1.0
    if nu <= SMALLEST_MARGIN * mu**2:  # E f^2 >= (E f)^2: the margin is at most nu / mu^2
        return -1.0
    with mpmath.workdps(_digits(mu, nu, omega, tau)):
        mean, second, p, pp, q, qq = _target(mu, nu, omega, tau)
        first, square = (p, pp) if mu > 0 else (q, qq)
        return float(first**2 * second / (mean**2 * square) - 1) if square > 0 else -1.0


def _digits(mu: float, nu: float, omega: float | None, tau: float) -> int:
    """Count the digits to work with: E q^2 cancels as many as y has zeros, E p^2 as many as (x^2 / y)^2; 60 remain."""
    x, y = (0.0, tau * (nu + mu**2)) if omega is None else (mu * omega, tau * nu)
    return 60 + round(max(0.0, -math.log10(y)) + 2 * math.log10(1 + x**2 / y))


def existing_variances(mu: float, *, omega: float | None = None, tau: float = 1.0) -> list[tuple[float, float]]:
    """Return the intervals of nu for which a SELU with alpha, lambda > 0 has the fixed point; the last has no end.

    The search is on a grid of nu / mu^2, ten points a decade. Up to SMALLEST_MARGIN there is no such SELU. Beyond the
    other end there always is: |x| is at most a hundredth of sqrt y, so that mu^2 / E selu^2 may be up to about 1/3.
    """
    if mu == 0:
        return [(0.0, math.inf)]

    def margin(log_ratio: float) -> float:
        return _margin(mu, mu**2 * math.exp(log_ratio), omega, tau) - SMALLEST_MARGIN

    top = 1e4 * (1 + (omega or 0.0) ** 2 / tau)
    grid = np.linspace(math.log(SMALLEST_MARGIN), math.log(top), round(10 * math.log10(top / SMALLEST_MARGIN)))
    exists = np.array([margin(ratio) > 0 for ratio in grid])
    changes = np.flatnonzero(exists[1:] != exists[:-1])
    edges = [mu**2 * math.exp(brentq(margin, grid[i], grid[i + 1], xtol=1e-13)) for i in changes]
    return list(zip(edges[::2], [*edges[1::2], math.inf], strict=True))
