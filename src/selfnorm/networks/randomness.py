"""Random numbers as pure functions of (seed, purpose, counters): nothing to save, resume is exact, all processes agree.

Legend: R replica (one per seed), B samples in the global batch, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor


class Purpose(IntEnum):
    """What a stream of random numbers is for; streams of different purposes are independent."""

    INITIALIZATION = 0
    ORDER = 1
    TRAINING_DROPOUT = 2
    ERROR_DROPOUT = 3
    PROBE_DROPOUT = 4


def generator(seed: int, purpose: Purpose, *counters: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on its arguments alone (numpy's SeedSequence mixes them)."""
    state = np.random.SeedSequence([seed, purpose, *counters]).generate_state(1, np.uint32)[0]
    return torch.Generator(device).manual_seed(int(state))


@dataclass
class Masks:
    """Dropout masks of one forward pass, each replica's drawn from its own stream.

    A process that holds `part` of `parts` equal slices of the batch draws the whole batch's mask and keeps its slice,
    so the masks do not depend on the number of processes. They do depend on the kind of device: a GPU draws its own
    (numbers from the host would cost more than the network).
    """

    seeds: Sequence[int]
    purpose: Purpose
    counters: tuple[int, ...]
    part: int = 0
    parts: int = 1
    _generators: list[torch.Generator] = field(default_factory=list)

    def keep(self, like_RBF: Tensor, rate: float) -> Tensor:
        """A boolean mask of `like_RBF`'s shape, True with probability 1 - rate."""
        if not self._generators:
            self._generators = [generator(s, self.purpose, *self.counters, device=like_RBF.device) for s in self.seeds]
        _, batch, features = like_RBF.shape
        mask_RBF = torch.empty(len(self.seeds), batch * self.parts, features, device=like_RBF.device)
        for mask_BF, source in zip(mask_RBF, self._generators, strict=True):
            mask_BF.uniform_(generator=source)
        return mask_RBF[:, self.part * batch : (self.part + 1) * batch] >= rate
