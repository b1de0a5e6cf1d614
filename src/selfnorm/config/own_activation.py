"""A user's own activation in a configuration: the name of a function and its arguments.

The function is imported by the job that trains with it (networks/own_activation.py), and by nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from selfnorm.config.values import Finite, Group

NAME = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
Argument = (
    bool
    | Annotated[int, Field(ge=-(10**9), le=10**9)]
    | Annotated[Finite, Field(ge=-1e30, le=1e30)]
    | Annotated[str, Field(max_length=40)]
)


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

    @property
    def label(self) -> str:
        return activation_label(self.model_dump())


def activation_label(keys: Mapping[str, Any]) -> str:
    """The activation's name in folders and tables: `relu`; of a user's own `mish`, or `softplus_beta2`.

    keys: the configuration's group `activation`.
    """
    if keys["name"] != "custom":
        return str(keys["name"])
    arguments = keys.get("kwargs") or {}
    pieces = [re.split("[.:]", str(keys.get("function")))[-1], *(f"{k}{v}" for k, v in sorted(arguments.items()))]
    return "_".join(re.sub(r"[^A-Za-z0-9.-]+", "_", piece) for piece in pieces)[:80]
