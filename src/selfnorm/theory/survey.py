"""Which of the pipeline's activations normalize themselves: a table of fixed points and whether they attract.

In: nothing. Out: Markdown.

Legend: mu, nu mean and variance of the activations; omega, tau sum of a unit's weights and of their squares;
q = nu + mu^2; chi mean-square gain of a gradient through one layer.
"""

from selfnorm.theory.activations import NAMES, Activation, activation
from selfnorm.theory.fixed_points import find_fixed_points, find_second_moments
from selfnorm.theory.moment_map import gradient_gain, second_moment_map

HEADER = """# Which activations have a fixed point

Made by `python scripts/theory.py`. tau = 1 is LeCun's initialization, tau = 2 He's. Left, the paper's map for weights
of zero sum (omega = 0); right, the second-moment map, which independent random weights obey. A fixed point attracts
if its rate, the part of a small deviation that is left after one layer, is below 1; chi is the mean-square gain of a
gradient through one layer there: only for chi = 1 do gradients keep their size.

| activation | tau | (mu, nu) | rate | q = nu + mu^2 | rate | chi |
| --- | --- | --- | --- | --- | --- | --- |
"""


def activation_table() -> str:
    """One row an activation and tau; fixed points with variance or second moment from 1e-6 to 1e6."""
    return HEADER + "".join(_row(name, tau) for name in NAMES for tau in (1.0, 2.0))


def _row(name: str, tau: float) -> str:
    f = activation(name)
    points = find_fixed_points(f, tau=tau)
    seconds = find_second_moments(f, tau=tau)
    cells = [
        "; ".join(f"({round(p.mu, 4) + 0.0:g}, {p.nu:.4g})" for p in points) or "none",
        "; ".join(f"{p.spectral_radius:.4f}" for p in points),
        "; ".join(f"{q:.4g}" for q, _ in seconds) or _without_fixed_point(f, tau),
        "; ".join(f"{slope:.4f}" for _, slope in seconds),
        "; ".join(f"{gradient_gain(f, 0.0, q, tau=tau):.4f}" for q, _ in seconds),
    ]
    return f"| {name} | {tau:g} | " + " | ".join(cells) + " |\n"


def _without_fixed_point(f: Activation, tau: float) -> str:
    """What q does instead, seen at q = 1: it has one direction everywhere, or there would be a fixed point."""
    growth = float(second_moment_map(f, 1.0, tau=tau))
    if abs(growth - 1) < 1e-9:
        return "every q"
    return "none: vanishes" if growth < 1 else "none: grows"
