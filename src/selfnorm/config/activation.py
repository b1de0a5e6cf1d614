"""The activation of a configuration: SELU by its constants or its fixed point, torch's own, or a user's function.

SELU's missing constants are computed from its fixed point, and the other way round. A user's function is given by its
name; it is imported by the job that trains with it (networks/own_activation.py), and by nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from selfnorm.config.values import Depth, Factor, Finite, Group, Rate

# Klambauer et al. (2017), Eq. 14: the constants that make (0, 1) the fixed point.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_LAMBDA = 1.0507009873554804934193349852946
PAPERS_FIXED_POINT = [0, 1]
SHORT = {"gaussian_poincare": "gp", "dks": "dks"}  # of activations that are made of another one
LARGEST_MEAN, VARIANCES = 1e3, (1e-6, 1e6)  # beyond them single precision trains nothing


Alpha = Annotated[Finite, Field(gt=0, le=1e6)]
NAME = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
Argument = (
    bool
    | Annotated[int, Field(ge=-(10**9), le=10**9)]
    | Annotated[Finite, Field(ge=-1e30, le=1e30)]
    | Annotated[str, Field(max_length=40)]
)


class Selu(Group):
    """SELU by its constants or by its fixed point: from those that are given, all three are computed.

    fixed_point: mean and variance that layers of independent random weights of variance 1/n keep; null only for
    constants that were chosen otherwise. learn: every layer of every replica trains its own alpha and lambda.
    """

    name: Literal["selu"]
    fixed_point: Annotated[list[Finite], Field(min_length=2, max_length=2)] | None
    alpha: Alpha
    lambda_: Factor = Field(alias="lambda")
    learn: bool

    @model_validator(mode="before")
    @classmethod
    def _constants_and_fixed_point_agree(cls, keys: Any) -> Any:
        return complete_selu(keys) if isinstance(keys, dict) else keys

    @property
    def label(self) -> str:
        """The activation's name in folders: `selu` for the paper's constants, else with what differs."""
        if self.fixed_point is None:
            target = f"_a{self.alpha:g}_l{self.lambda_:g}"
        else:
            target = "" if self.fixed_point == PAPERS_FIXED_POINT else "_m{:g}_v{:g}".format(*self.fixed_point)
        return f"selu{target}{'_learned' if self.learn else ''}"


class LeakyRelu(Group):
    name: Literal["leaky_relu"]
    slope: Rate


class Elu(Group):
    name: Literal["elu"]
    alpha: Alpha


class PlainActivation(Group):
    """An activation function of torch.nn by its name there, in small letters."""

    name: Literal["relu", "gelu", "silu", "tanh", "sigmoid"]


class Tailored(Group):
    """An activation in an affine wrapper, computed for deep chains without normalization (theory/tailoring.py)."""


class GaussianPoincare(Tailored):
    name: Literal["gaussian_poincare"]
    function: Literal["relu", "gelu", "silu", "tanh", "sigmoid", "elu", "selu"]


class Dks(Tailored):
    """slope: of the C map over all layers, at correlation 1. layers: that it is made for."""

    name: Literal["dks"]
    function: Literal["gelu", "silu", "tanh", "sigmoid"]  # smooth ones
    slope: Annotated[Finite, Field(gt=1, le=1000)]
    layers: Depth


class Tat(Tailored):
    """correlation: of two samples after all layers, if it is 0 before them. layers: that it is made for."""

    name: Literal["tat"]
    correlation: Annotated[Finite, Field(gt=0, lt=1)]
    layers: Depth


class Custom(Group):
    """A function of a tensor, element by element, or a class of nn.Module that makes one from `kwargs`."""

    name: Literal["custom"]
    function: str
    kwargs: dict[str, Argument]

    @field_validator("function", mode="before")
    @classmethod
    def _names_a_function(cls, function: Any) -> Any:
        if not (isinstance(function, str) and re.fullmatch(rf"{NAME}(\.[A-Za-z_]\w*|:{NAME})", function)):
            raise ValueError(
                "is not the name of a function: torch.nn.functional.mish, or my_module:f for one of your own"
            )
        return function

    @field_validator("kwargs", mode="before")
    @classmethod
    def _none_are_no_arguments(cls, kwargs: Any) -> Any:
        return {} if kwargs is None else kwargs


Activation = Annotated[
    Selu | LeakyRelu | Elu | PlainActivation | GaussianPoincare | Dks | Tat | Custom, Field(discriminator="name")
]


def activation_label(keys: Mapping[str, Any]) -> str:
    """The activation's name in folders and tables: `relu`, `dks_tanh`; of a user's own `mish`, or `softplus_beta2`.

    keys: the configuration's group `activation`.
    """
    if keys["name"] in SHORT:
        return f"{SHORT[keys['name']]}_{keys.get('function')}"
    if keys["name"] != "custom":
        return str(keys["name"])
    arguments = keys.get("kwargs") or {}
    pieces = [re.split("[.:]", str(keys.get("function")))[-1], *(f"{k}{v}" for k, v in sorted(arguments.items()))]
    return "_".join(re.sub(r"[^A-Za-z0-9.-]+", "_", piece) for piece in pieces)[:80]


def complete_selu(keys: dict[str, Any]) -> dict[str, Any]:
    """Add alpha and lambda for the fixed point, or the fixed point (0, 1) for the paper's alpha and lambda.

    Raises ValueError where no SELU has the fixed point, and for constants that contradict it.
    """
    point, constants = keys.get("fixed_point"), {name: keys.get(name) for name in ("alpha", "lambda")}
    papers = {"alpha": SELU_ALPHA, "lambda": SELU_LAMBDA}
    if point is None:
        constants = {name: papers[name] if value is None else value for name, value in constants.items()}
        return {**keys, **constants, "fixed_point": PAPERS_FIXED_POINT if constants == papers else None}
    if not (isinstance(point, list) and len(point) == 2 and all(type(value) in (int, float) for value in point)):
        return {**keys, **papers}  # the schema says what is wrong with the point
    needed = papers if point == PAPERS_FIXED_POINT else _solve(point)
    for name, value in constants.items():
        if value not in (None, needed[name]):
            why = f"activation.fixed_point={point} needs {needed[name]!r}"
            raise ValueError(f"activation.{name}={value}: {why}; leave one of the two out")
    return {**keys, **needed}


def _solve(fixed_point: list[float]) -> dict[str, float]:
    from selfnorm.theory.solver import selu_for_fixed_point  # scipy: slow to import, and most jobs need no solution

    mu, nu = fixed_point
    if abs(mu) > LARGEST_MEAN or not VARIANCES[0] <= nu <= VARIANCES[1]:
        legal = f"mean -{LARGEST_MEAN:g} to {LARGEST_MEAN:g}, variance {VARIANCES[0]:g} to {VARIANCES[1]:g}"
        raise ValueError(f"activation.fixed_point={fixed_point}: use {legal}")
    try:
        alpha, lambda_ = selu_for_fixed_point(mu, nu)
    except ValueError as error:
        raise ValueError(f"activation.fixed_point={fixed_point}: {error}") from None
    return {"alpha": alpha, "lambda": lambda_}
