"""A deep chain of layers before training, normalized or not: variance, cosine of two samples, and gradient, by layer.

In: the activation, the weights' tau, and what normalizes. Out: a `Chain`. Weights are independent with mean 0 and
variance tau / n, and layers are wide (Poole et al. 2016; Schoenholz et al. 2017; for batch normalization Yang et al.
2019).

Legend: q mean square of a sample's values in a layer; c cosine of two samples; chi mean-square gain of a gradient on
its way back.
"""

from typing import Literal, NamedTuple

import numpy as np
from scipy.special import erf, expit

from selfnorm.theory.activations import Activation, Pointwise
from selfnorm.theory.correlation import correlation_map
from selfnorm.theory.dropout import NO_DROPOUT, Dropout
from selfnorm.theory.quadrature import Array

# sample: each sample is divided by the root mean square of its units (layer and RMS normalization: means over units are
# 0 for such weights). batch: each unit has mean 0 and variance 1 over the samples, before or after the activation.
Normalizer = Literal["none", "sample", "batch before", "batch after"]
IDENTITY = Pointwise(lambda z: z, np.ones_like)
ZERO = np.array(0.0)


def dynamic_function(name: str, alpha: float) -> Pointwise:
    """Return tanh(alpha z) of DyT, or erf(alpha z) of Derf, before training."""
    if name == "dyt":
        return Pointwise(
            lambda z: np.tanh(alpha * z), lambda z: alpha * 4 * expit(2 * alpha * z) * expit(-2 * alpha * z)
        )
    two_over_root_pi = 2 / np.pi**0.5
    return Pointwise(lambda z: erf(alpha * z), lambda z: alpha * two_over_root_pi * np.exp(-((alpha * z) ** 2)))


class Chain(NamedTuple):
    """The layers' moments, (layer,), by the names of the columns that a run records; chi between them, (layer - 1,)."""

    preactivation_variance: Array
    preactivation_cosine: Array
    activation_mean: Array
    activation_variance: Array
    activation_cosine: Array
    chi: Array


def chain(
    f: Activation,
    *,
    depth: int,
    tau: float,
    q: float = 1.0,
    c: float = 0.0,
    normalizer: Normalizer = "none",
    squash: Activation = IDENTITY,
    dropout: Dropout = NO_DROPOUT,
) -> Chain:
    """Follow samples of mean square q and cosine c through `depth` layers.

    squash: an elementwise function in the place of normalization; a pre-activation is what it gives to f. chi[l] is the
    mean square of the gradient at layer l's pre-activations over that at layer l + 1's.

    Example, batch normalization and ReLU, whose gradients grow by pi / (pi - 1) a layer (Yang et al. 2019):

    >>> from selfnorm.theory.activations import activation
    >>> chain(activation("relu"), depth=3, tau=2.0, normalizer="batch after").chi.round(4)
    array([1.4669, 1.4669])
    """
    before, after = normalizer.removesuffix(" before"), "none"
    if normalizer == "batch after":
        before, after = "none", "batch"
    composed = Pointwise(lambda z: f(squash(z)), lambda z: f.slope(squash(z)) * squash.slope(z))
    both: Activation = f if squash is IDENTITY else composed
    outer = Pointwise(lambda z: f.slope(squash(z)), np.zeros_like)  # f's own slope, whose mean square is wanted
    rows, chi, below = [], [], np.nan  # below: the lower layer's part of chi
    for layer in range(depth):
        y, c, divided = _normalized(before, tau * q, c)
        if layer:
            chi.append(below * tau * float(squash.slope_squared(ZERO, np.array(y))) / divided)
        m = both.moments(ZERO, np.array(y))
        z_variance, z_c = (y, c) if squash is IDENTITY else _of(squash, y, c)
        a_c = float(correlation_map(both, c, y=y))
        rows.append((z_variance, z_c, float(m.mean), float(m.variance), a_c))
        mean, variance = dropout.moments(m.mean, m.variance)
        c = float(correlation_map(both, c, y=y, dropout=dropout)) if dropout.rate else a_c
        q, c, divided = _normalized(after, float(variance + mean**2), c)
        slope_squared = f.slope_squared if squash is IDENTITY else outer.second_moment
        below = dropout.gain * float(slope_squared(ZERO, np.array(y))) / divided
    columns = zip(Chain._fields, zip(*rows, strict=True), strict=False)  # chi is the last
    return Chain(**{name: np.array(values) for name, values in columns}, chi=np.array(chi))


def rezero_chain(f: Activation, *, depth: int, tau: float, dropout: Dropout = NO_DROPOUT) -> Chain:
    """Return the chain whose layers, but for the first, add nothing to their input yet (ReZero).

    All of them see what left the first. No gradient reaches their pre-activations, so chi is NaN.
    """
    first = chain(f, depth=2, tau=tau, dropout=dropout)
    later = np.repeat([0, 1], [1, depth - 1])  # the second layer stands for all later ones
    return Chain(
        **{name: column[later] for name, column in first._asdict().items() if name != "chi"},
        chi=np.full(depth - 1, np.nan),
    )


def _normalized(kind: str, q: float, c: float) -> tuple[float, float, float]:
    """Return q and c after normalization, and the mean square that it divides by: the gradient's too."""
    match kind:
        case "sample":
            return 1.0, c, q
        case "batch":
            return 1.0, 0.0, q * (1 - c)  # of many samples: of few c is -1 / (samples - 1)
        case _:
            return q, c, 1.0


def _of(squash: Activation, y: float, c: float) -> tuple[float, float]:
    return float(squash.moments(ZERO, np.array(y)).variance), float(correlation_map(squash, c, y=y))
