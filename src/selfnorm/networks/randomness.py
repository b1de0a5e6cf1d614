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
    """The purpose of a stream of random numbers; streams of different purposes are independent."""

    INITIALIZATION = 0
    ORDER = 1
    TRAINING_DROPOUT = 2
    ERROR_DROPOUT = 3
    PROBE_DROPOUT = 4
    FORK_ORDER = 5
    FORK_DROPOUT = 6
    FORK_DONORS = 7
    FORK_GROUPS = 8
    FORK_ERROR_DROPOUT = 9


def generator(seed: int, purpose: Purpose, *counters: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on its arguments alone (numpy's SeedSequence mixes them)."""
    state = np.random.SeedSequence([seed, purpose, *counters]).generate_state(1, np.uint32)[0]
    return torch.Generator(device).manual_seed(int(state))


@dataclass
class Masks:
    """Dropout masks of one forward pass; each replica draws from its own stream.

    A process that holds `part` of `parts` equal slices of the batch draws the whole batch's mask and keeps its slice,
    so the masks do not depend on the number of processes. They do depend on the kind of device: a GPU draws its own
    (numbers from the host would cost more than the network). `forks` gives every replica one more counter.
    """

    seeds: Sequence[int]
    purpose: Purpose
    counters: tuple[int, ...]
    part: int = 0
    parts: int = 1
    forks: Sequence[int] = ()
    _generators: list[torch.Generator] = field(default_factory=list)

    def keep(self, like_RBF: Tensor, rate: float) -> Tensor:
        """A boolean mask of `like_RBF`'s shape, True with probability 1 - rate."""
        if not self._generators:
            counters = [(*self.counters, fork) for fork in self.forks] or [self.counters] * len(self.seeds)
            self._generators = [
                generator(seed, self.purpose, *own, device=like_RBF.device)
                for seed, own in zip(self.seeds, counters, strict=True)
            ]
        _, batch, features = like_RBF.shape
        mask_RBF = torch.empty(len(self.seeds), batch * self.parts, features, device=like_RBF.device)
        for mask_BF, source in zip(mask_RBF, self._generators, strict=True):
            mask_BF.uniform_(generator=source)
        return mask_RBF[:, self.part * batch : (self.part + 1) * batch] >= rate


@dataclass
class PairedMasks:
    """Masks of a batch whose second half gives the statistics that its first half is normalized with."""

    first: Masks
    second: Masks

    def keep(self, like_RBF: Tensor, rate: float) -> Tensor:
        """Return what `Masks.keep` does, each half from its own streams."""
        halves = zip((self.first, self.second), like_RBF.chunk(2, dim=1), strict=True)
        return torch.cat([masks.keep(half_RBF, rate) for masks, half_RBF in halves], dim=1)
