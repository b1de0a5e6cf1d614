"""The page docs/theory/activations.md: the pipeline's activations with their fixed points, and whether those attract.

In: nothing. Out: Markdown.

Legend: q = nu + mu^2; chi mean-square gain of a gradient through one layer; c correlation of two samples.
"""

from typing import Any

import numpy as np

from selfnorm.theory.activations import NAMES, Activation, activation, tailor
from selfnorm.theory.chain import chain
from selfnorm.theory.correlation import fixed_correlations
from selfnorm.theory.fixed_points import find_fixed_points, find_second_moments
from selfnorm.theory.markdown import table
from selfnorm.theory.moment_map import gradient_gain, second_moment_map

DEPTH = 32
TAILORED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *((f"Gaussian-Poincare {name}", "gaussian_poincare", {"function": name}) for name in ("selu", "tanh", "relu")),
    *((f"DKS {name}", "dks", {"function": name, "layers": DEPTH}) for name in ("tanh", "silu", "gelu")),
    ("TAT leaky ReLU", "tat", {"layers": DEPTH}),
)

HEADER = """# Which activations have a fixed point

Made by `python scripts/theory.py`. tau = 1 is LeCun's initialization, tau = 2 He's. Left, the paper's map for weights
of zero sum (omega = 0); right, the second-moment map, which independent random weights obey. A fixed point attracts
if its rate, the part of a small deviation that is left after one layer, is below 1; chi is the mean-square gain of a
gradient through one layer there: only for chi = 1 do gradients keep their size. c is the correlation to which two
samples are drawn, with the number of layers in which the distance to it shrinks by a factor e (the depth scale).

"""
TAILORED_HEADER = f"""
# Activations tailored for deep chains

Each is an affine wrapper gamma (f(alpha z + beta) + delta) of a function, for tau = 1. All keep q = 1.
Gaussian-Poincare normalization makes chi = 1; deep kernel shaping (DKS) keeps independent samples apart and makes
the C map's slope 1.5 over all layers; TAT takes independent samples to correlation 0.9 in the last of them. Here
for {DEPTH} layers.

"""


def activations_page() -> str:
    """Return a row for every activation and tau, with fixed points whose variance or q is from 1e-6 to 1e6."""
    head = ["activation", "tau", "(mu, nu)", "rate", "q = nu + mu^2", "rate", "chi", "c (depth scale)"]
    page = HEADER + table(head, [_row(name, tau) for name in NAMES for tau in (1.0, 2.0)])
    head = [
        "activation",
        "alpha",
        "beta",
        "gamma",
        "delta",
        "mean",
        "chi",
        "c (depth scale)",
        f"c after {DEPTH} layers",
    ]
    return page + TAILORED_HEADER + table(head, [_tailored_row(*chosen) for chosen in TAILORED])


def _tailored_row(words: str, name: str, constants: dict[str, Any]) -> list[str]:
    f = activation(name, **constants)
    _, own, affine = tailor(name, **constants)
    slope = f", slope {own['slope']:.10f}" if "slope" in own else ""
    return [
        f"{words}{slope}",
        *(f"{value + 0.0:.10f}" for value in affine),
        f"{float(f.moments(np.array(0.0), np.array(1.0)).mean) + 0.0:.4f}",
        f"{float(gradient_gain(f, 0.0, 1.0)):.4f}",
        _attracting(f, 1.0),
        f"{chain(f, depth=DEPTH, tau=1.0).activation_cosine[-1] + 0.0:.4f}",
    ]


def _attracting(f: Activation, y: float) -> str:
    """The correlations that attract, each with its depth scale; TAT's and ReLU's 1 attracts more slowly than any."""
    points = [point for point in fixed_correlations(f, y=y) if abs(point.slope) < 1 - 1e-9]
    found = (f"{round(point.c, 4) + 0.0:g} ({point.depth_scale:.3g})" for point in points)
    return "; ".join(found) or "1 (no scale: slowly)"


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
        "; ".join(_attracting(f, tau * q) for q, _ in seconds) or ("1 (no scale: slowly)" if _keeps(f, tau) else ""),
    ]


def _without_fixed_point(f: Activation, tau: float) -> str:
    """Say what q does instead, judged at q = 1: without a fixed point it goes the same way everywhere."""
    growth = float(second_moment_map(f, 1.0, tau=tau))
    if _keeps(f, tau):
        return "every q"
    return "none: vanishes" if growth < 1 else "none: grows"


def _keeps(f: Activation, tau: float) -> bool:
    return abs(float(second_moment_map(f, 1.0, tau=tau)) - 1) < 1e-9
