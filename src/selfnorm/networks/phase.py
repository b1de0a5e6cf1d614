"""How one forward pass is meant: what training and evaluation do differently."""

from __future__ import annotations

from dataclasses import dataclass

from selfnorm.networks.randomness import Masks


@dataclass(frozen=True)
class Phase:
    """Arguments of a forward pass.

    group: samples per estimate of the normalization parameters; consecutive groups of a larger batch are normalized
        each by itself. None: the running statistics are used.
    learning: a step of training: running statistics follow, and a batch that is spread over processes is one group.
    masks: where dropout draws from; None: no dropout.
    """

    group: int | None = None
    learning: bool = False
    masks: Masks | None = None


EVALUATION = Phase()
