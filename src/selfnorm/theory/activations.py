"""The pipeline's activations with their moments under a Gaussian pre-activation.

In: z ~ N(x, y), the mean x and variance y of a pre-activation. Out: mean, variance, derivatives, E f(z)^2, E f'(z)^2.
SELU and ELU are in closed form (`Selu`), the others by quadrature (`Pointwise`), with the same methods.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import expit, ndtr

from selfnorm.theory.checks import finite
from selfnorm.theory.quadrature import Array, Function, Moments, expectation, moments
from selfnorm.theory.selu import Selu
from selfnorm.theory.tailoring import Affine, deep_kernel_shaping, gaussian_poincare, tailored_leaky_relu


@dataclass(frozen=True)
class Pointwise:
    """An activation with a kink at 0 at most, known by its values and slopes; every method is elementwise."""

    function: Function
    slope: Function

    def __call__(self, z: Array) -> Array:
        return self.function(np.asarray(z, float))

    def moments(self, x: Array, y: Array) -> Moments:
        """Return mean and variance of f(z), z ~ N(x, y), and their derivatives in x and y."""
        return moments(self.function, self.slope, x, y)

    def second_moment(self, x: Array, y: Array) -> Array:
        """Return E f(z)^2."""
        return expectation(lambda z: self.function(z) ** 2, x, y)

    def slope_squared(self, x: Array, y: Array) -> Array:
        """Return E f'(z)^2, the factor by which the layer multiplies the square of a gradient."""
        return expectation(lambda z: self.slope(z) ** 2, x, y)


Activation = Pointwise | Selu


def _normal_density(z: Array) -> Array:
    return np.exp(-np.minimum(z**2, 1400.0) / 2) / np.sqrt(2 * np.pi)


def _sech_squared(z: Array) -> Array:
    return 4 * expit(2 * z) * expit(-2 * z)  # 1 - tanh^2 would cancel where tanh saturates


def _leaky_relu(slope: float = 0.01) -> Pointwise:
    finite("slope", slope)
    return Pointwise(lambda z: np.where(z > 0, z, slope * z), lambda z: np.where(z > 0, 1.0, slope))


_ACTIVATIONS: dict[str, Callable[..., Activation]] = {
    "selu": Selu,
    "elu": lambda alpha=1.0: Selu(alpha, 1.0),
    "relu": lambda: Pointwise(lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "leaky_relu": _leaky_relu,
    "gelu": lambda: Pointwise(lambda z: z * ndtr(z), lambda z: ndtr(z) + z * _normal_density(z)),
    "silu": lambda: Pointwise(lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
    "tanh": lambda: Pointwise(np.tanh, _sech_squared),
    "sigmoid": lambda: Pointwise(expit, lambda z: expit(z) * expit(-z)),
}
NAMES = tuple(_ACTIVATIONS)


def _gaussian_poincare(function: str) -> tuple[str, dict[str, float], Affine]:
    return function, {}, gaussian_poincare(activation(function))


def _dks(function: str, layers: int, slope: float = 1.5) -> tuple[str, dict[str, float], Affine]:
    return function, {}, deep_kernel_shaping(activation(function), depth=layers, slope=slope)


def _tat(layers: int, correlation: float = 0.9) -> tuple[str, dict[str, float], Affine]:
    slope, affine = tailored_leaky_relu(depth=layers, correlation=correlation)
    return "leaky_relu", {"slope": slope}, affine


_TAILORED: dict[str, Callable[..., tuple[str, dict[str, float], Affine]]] = {
    "gaussian_poincare": _gaussian_poincare,
    "dks": _dks,
    "tat": _tat,
}
TAILORED = tuple(_TAILORED)


@lru_cache
def tailor(name: str, **constants: float | str) -> tuple[str, dict[str, float], Affine]:
    """Return a tailored activation's function by name, that function's constants, and the affine wrapper around it."""
    return _TAILORED[name](**constants)


def activation(name: str, **constants: float | str) -> Activation:
    """Return the activation of that name, by default with the usual constants (ELU alpha 1, leaky ReLU slope 0.01).

    constants: alpha and lambda_ of selu, alpha of elu, slope of leaky_relu; function of gaussian_poincare; function,
    layers and slope of dks; layers and correlation of tat (`tailoring`). Raises ValueError for an unknown name or
    constant.

    >>> activation("gaussian_poincare", function="relu")(np.array([-1.0, 1.0])).round(4)
    array([0.    , 1.4142])
    """
    makers = _ACTIVATIONS | _TAILORED
    if name not in makers:
        raise ValueError(f"activation {name!r} is unknown, must be one of {', '.join(makers)}")
    legal = inspect.signature(makers[name]).parameters
    if unknown := sorted(constants.keys() - legal.keys()):
        raise ValueError(f"{name} has no constant {unknown[0]}; it has {', '.join(legal) or 'none'}")
    if name in _ACTIVATIONS:
        return _ACTIVATIONS[name](**constants)
    function, own, affine = tailor(name, **constants)
    f = activation(function, **own)
    return Pointwise(affine.of(f), affine.slope_of(f.slope))
