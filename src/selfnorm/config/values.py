"""Types that the configuration's groups share: a group, and numbers with their ranges."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1, le=10**9)]
MAX_DEPTH = 1000
Depth = Annotated[int, Field(ge=1, le=MAX_DEPTH)]  # of hidden layers
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Rate = Annotated[Finite, Field(ge=0, lt=1)]
# Of a layer's weights or output: single precision holds its square, and the sum of such squares over a layer.
Factor = Annotated[Finite, Field(ge=1e-6, le=1e6)]


class Group(BaseModel):
    """Keys that belong together; unknown keys and values of another type are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)
