"""Independent references: activations in mpmath and their Gaussian moments by its quadrature at 45 digits."""

from collections.abc import Callable

import mpmath as mp

Function = Callable[[mp.mpf], mp.mpf]
DIGITS = 45  # erfc of mpmath loses a third of them in the tail


def selu(alpha: float, lambda_: float) -> Function:
    return lambda z: mp.mpf(lambda_) * (z if z > 0 else mp.mpf(alpha) * mp.expm1(z))


ACTIVATIONS: dict[str, Function] = {
    "elu": lambda z: z if z > 0 else mp.expm1(z),
    "relu": lambda z: max(z, mp.mpf(0)),
    "leaky_relu": lambda z: z if z > 0 else z * mp.mpf(0.01),  # the double nearest to 0.01, as in the code
    "gelu": lambda z: z * mp.ncdf(z),
    "silu": lambda z: z / (1 + mp.exp(-z)),
    "tanh": mp.tanh,
    "sigmoid": lambda z: 1 / (1 + mp.exp(-z)),
}


def expectation(function: Function, x: float, y: float) -> mp.mpf:
    """E function(z), z ~ N(x, y), split at 0, at the function's scale and at standard deviations."""
    with mp.workdps(DIGITS):
        mean, s = mp.mpf(x), mp.sqrt(mp.mpf(y))
        low, high = mean - 14 * s, mean + 14 * s  # the mass beyond is below 1e-43
        cuts = [mean + k * s for k in (-14, -6, -2, 0, 2, 6, 14)]
        cuts += [mp.mpf(k) for k in (-60, -20, -6, -2, 0, 2, 6, 20, 60)]
        edges = sorted({min(max(cut, low), high) for cut in cuts})
        return mp.quad(lambda z: function(z) * mp.exp(-(((z - mean) / s) ** 2) / 2), edges, method="gauss-legendre") / (
            s * mp.sqrt(2 * mp.pi)
        )


def mean_and_variance(function: Function, x: float, y: float) -> tuple[mp.mpf, mp.mpf, mp.mpf]:
    """Mean, variance (of the centred square) and E |function|, the scale of the mean's rounding."""
    with mp.workdps(DIGITS):
        mean = expectation(function, x, y)
        variance = expectation(lambda z: (function(z) - mean) ** 2, x, y)
        return mean, variance, expectation(lambda z: abs(function(z)), x, y)


def selu_jacobian(alpha: float, lambda_: float, x: float, y: float) -> tuple[mp.mpf, ...]:
    """d mu~/dx, d mu~/dy, d nu~/dx, d nu~/dy by the paper's closed forms at 400 digits, which outlast any tail."""
    with mp.workdps(400):
        a, x, y = mp.mpf(alpha), mp.mpf(x), mp.mpf(y)
        root = mp.sqrt(2 * y)
        capital_a = mp.exp(x + y / 2) * mp.erfc((x + y) / root)
        capital_b = mp.exp(2 * x + 2 * y) * mp.erfc((x + 2 * y) / root)
        capital_c, g = mp.erfc(x / root), mp.sqrt(2 / mp.pi) * mp.sqrt(y) * mp.exp(-(x**2) / (2 * y))
        mean = (2 * x - (a + x) * capital_c + a * capital_a + g) / 2
        mean_x = (a * capital_a - capital_c + 2) / 2
        mean_y = (a * capital_a - (a - 1) * g / y) / 4
        second_x = a**2 * (capital_b - capital_a) + x * (2 - capital_c) + g
        second_y = (a**2 * (2 * capital_b - capital_a) - capital_c + 2) / 2
        scaled = mean_x, mean_y, second_x - 2 * mean * mean_x, second_y - 2 * mean * mean_y
        return tuple(value * mp.mpf(lambda_) ** power for value, power in zip(scaled, (1, 1, 2, 2), strict=True))
