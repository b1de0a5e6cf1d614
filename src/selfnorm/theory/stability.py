"""Stability: fixed points of the second moment in deep chains of an activation, and a sentence where none attracts.

In: an activation, the weights' tau and a depth. Out: numbers and words.

Legend: q second moment of the activations; chi mean-square gain of a gradient through one layer.
"""

from typing import NamedTuple

import numpy as np

from selfnorm.theory.activations import Activation
from selfnorm.theory.fixed_points import find_second_moments
from selfnorm.theory.moment_map import gradient_gain, second_moment_map

LARGEST = 1e12


class FixedSecondMoment(NamedTuple):
    """q that a layer keeps, the part of a small deviation that is left after one layer (below 1: q attracts), chi."""

    q: float
    rate: float
    chi: float


def fixed_second_moments(f: Activation, *, tau: float) -> list[FixedSecondMoment]:
    """Return the fixed points of the second-moment map, from 1e-6 to 1e6."""
    found = find_second_moments(f, tau=tau)
    return [FixedSecondMoment(q, rate, float(gradient_gain(f, 0.0, q, tau=tau))) for q, rate in found]


def normalizing_gain(f: Activation) -> float:
    """Return the tau that keeps the second moment 1: 1 / E f(z)^2 for z ~ N(0, 1)."""
    return 1 / float(f.second_moment(np.array(0.0), np.array(1.0)))


def drift(f: Activation, *, tau: float, depth: int) -> str:
    """Return a sentence on how far a chain drifts for want of an attracting fixed point; empty if it does not."""
    points = fixed_second_moments(f, tau=tau)
    if any(abs(point.rate) < 1 for point in points):
        return ""
    # From the second moment of standardized inputs, or from one beside it where that is fixed and repels
    q = start = 1.1 if any(abs(point.q - 1) < 0.01 for point in points) else 1.0
    for _ in range(depth):
        q = float(second_moment_map(f, q, tau=tau))
        if not 1 / LARGEST < q < LARGEST:
            q = float(np.clip(q, 1 / LARGEST, LARGEST))
            break
    if abs(np.log(q / start)) < 0.01:  # as ReLU, which keeps every second moment
        return ""
    layers = f"{depth} layers take" if depth > 1 else "a layer takes"
    return f"this activation has no attracting fixed point: {layers} a second moment of {start:g} to {q:.3g}"
