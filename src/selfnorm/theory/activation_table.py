"""The page docs/theory/activations.md: the pipeline's activations with their fixed points, and whether those attract.

In: nothing. Out: Markdown.

Legend: q = nu + mu^2; chi mean-square gain of a gradient through one layer.
"""

from selfnorm.theory.activations import NAMES, Activation, activation
from selfnorm.theory.fixed_points import find_fixed_points, find_second_moments
from selfnorm.theory.markdown import table
from selfnorm.theory.moment_map import gradient_gain, second_moment_map

HEADER = """# Which activations have a fixed point

Made by `python scripts/theory.py`. tau = 1 is LeCun's initialization, tau = 2 He's. Left, the paper's map for weights
of zero sum (omega = 0); right, the second-moment map, which independent random weights obey. A fixed point attracts
if its rate, the part of a small deviation that is left after one layer, is below 1; chi is the mean-square gain of a
gradient through one layer there: only for chi = 1 do gradients keep their size.

"""


def activations_page() -> str:
    """Return a row for every activation and tau, with fixed points whose variance or q is from 1e-6 to 1e6."""
    head = ["activation", "tau", "(mu, nu)", "rate", "q = nu + mu^2", "rate", "chi"]
    return HEADER + table(head, [_row(name, tau) for name in NAMES for tau in (1.0, 2.0)])


def _row(name: str, tau: float) -> list[str]:
    f = activation(name)
    points, seconds = find_fixed_points(f, tau=tau), find_second_moments(f, tau=tau)
    return [
        name,
        f"{tau:g}",
        "; ".join(f"({round(p.mu, 4) + 0.0:g}, {p.nu:.4g})" for p in points) or "none",
        "; ".join(f"{p.rate:.4f}" for p in points),
        "; ".join(f"{q:.4g}" for q, _ in seconds) or _without_fixed_point(f, tau),
        "; ".join(f"{slope:.4f}" for _, slope in seconds),
        "; ".join(f"{gradient_gain(f, 0.0, q, tau=tau):.4f}" for q, _ in seconds),
    ]


def _without_fixed_point(f: Activation, tau: float) -> str:
    """Say what q does instead, judged at q = 1: without a fixed point it goes the same way everywhere."""
    growth = float(second_moment_map(f, 1.0, tau=tau))
    if abs(growth - 1) < 1e-9:
        return "every q"
    return "none: vanishes" if growth < 1 else "none: grows"
