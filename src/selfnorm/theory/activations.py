"""The pipeline's activations and their moments under a Gaussian pre-activation, one interface for all.

In: z ~ N(x, y), the mean x and variance y of a pre-activation. Out: mean, variance, derivatives, E f'(z)^2 of f(z).
SELU and ELU in closed form, the others by quadrature.

Legend: x, y mean and variance of the pre-activation z; alpha, lambda_ the SELU's parameters.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit, ndtr

from selfnorm.theory.checks import finite
from selfnorm.theory.quadrature import Array, Function, Moments, expectation, moments
from selfnorm.theory.selu import Selu


class Activation(Protocol):
    """An activation with its Gaussian moments; every method is elementwise over arrays."""

    def __call__(self, z: Array) -> Array: ...

    def slope(self, z: Array) -> Array:
        """f'(z)."""

    def moments(self, x: Array, y: Array) -> Moments:
        """Mean and variance of f(z), z ~ N(x, y), and their derivatives in x and y."""

    def second_moment(self, x: Array, y: Array) -> Array:
        """E f(z)^2."""

    def slope_squared(self, x: Array, y: Array) -> Array:
        """E f'(z)^2, the factor by which the layer multiplies the square of a gradient."""


@dataclass(frozen=True)
class Pointwise:
    """An activation known by its values and slopes, with a kink at 0 at most: moments by quadrature."""

    name: str
    function: Function
    derivative: Function

    def __call__(self, z: Array) -> Array:
        return self.function(np.asarray(z, float))

    def slope(self, z: Array) -> Array:
        return self.derivative(np.asarray(z, float))

    def moments(self, x: Array, y: Array) -> Moments:
        return moments(self.function, self.derivative, x, y)

    def second_moment(self, x: Array, y: Array) -> Array:
        return expectation(lambda z: self.function(z) ** 2, x, y)

    def slope_squared(self, x: Array, y: Array) -> Array:
        return expectation(lambda z: self.derivative(z) ** 2, x, y)


def _normal_density(z: Array) -> Array:
    return np.exp(-np.minimum(z**2, 1400.0) / 2) / np.sqrt(2 * np.pi)


def _sech_squared(z: Array) -> Array:
    return 4 * expit(2 * z) * expit(-2 * z)  # 1 - tanh^2 would cancel where tanh saturates


LEAKY_SLOPE = 0.01


def leaky_relu(slope: float = LEAKY_SLOPE) -> Pointwise:
    """z if z > 0 else slope z. Raises ValueError unless the slope is finite."""
    finite("slope", slope)
    return Pointwise("leaky_relu", lambda z: np.where(z > 0, z, slope * z), lambda z: np.where(z > 0, 1.0, slope))


_ACTIVATIONS: dict[str, Callable[..., Activation]] = {
    "selu": Selu,
    "elu": lambda alpha=1.0: Selu(alpha, 1.0),
    "relu": lambda: Pointwise("relu", lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
    "leaky_relu": leaky_relu,
    "gelu": lambda: Pointwise("gelu", lambda z: z * ndtr(z), lambda z: ndtr(z) + z * _normal_density(z)),
    "silu": lambda: Pointwise("silu", lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
    "tanh": lambda: Pointwise("tanh", np.tanh, _sech_squared),
    "sigmoid": lambda: Pointwise("sigmoid", expit, lambda z: expit(z) * expit(-z)),
}
NAMES = tuple(_ACTIVATIONS)


def activation(name: str, **constants: float) -> Activation:
    """The activation of that name; its constants are the usual ones (ELU alpha 1, leaky ReLU slope 0.01) if not given.

    constants: alpha and lambda_ of selu, alpha of elu, slope of leaky_relu. Raises ValueError for an unknown name or
    constant.
    """
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation {name!r} is unknown, must be one of {', '.join(NAMES)}")
    legal = inspect.signature(_ACTIVATIONS[name]).parameters
    if unknown := sorted(constants.keys() - legal.keys()):
        raise ValueError(f"{name} has no constant {unknown[0]}; it has {', '.join(legal) or 'none'}")
    return _ACTIVATIONS[name](**constants)
