"""The training error of one cell as an array over its seeds.

In: the tidy tables. Out: SeedCurves. Shapes: R seeds, T recorded steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from selfnorm.analysis.results import Tables


@dataclass(frozen=True)
class SeedCurves:
    """Error curves of one cell, the seeds that diverged left out.

    steps_T: updates done before each record. seeds: those that count, in order of errors_RT (mean
    cross-entropy, nats, finite and positive). diverged: seed -> first step without a finite error; a seed
    that diverged anywhere is left out everywhere, because what it did before is chosen by what it did after.
    """

    name: str
    steps_T: np.ndarray
    seeds: tuple[int, ...]
    errors_RT: np.ndarray
    diverged: dict[int, int]
    test_errors_R: np.ndarray  # fraction of test samples answered wrongly after training; NaN where not recorded

    @property
    def logs_RT(self) -> np.ndarray:
        return np.log(self.errors_RT)

    def window(self, skip: float) -> "SeedCurves":
        """The curves without the first `skip` (a fraction, 0 <= skip < 1) of their updates."""
        kept = self.steps_T >= skip * self.steps_T[-1]
        return replace(self, steps_T=self.steps_T[kept], errors_RT=self.errors_RT[:, kept])

    def until(self, step: int) -> "SeedCurves":
        """The curves up to and including `step`."""
        kept = self.steps_T <= step
        return replace(self, steps_T=self.steps_T[kept], errors_RT=self.errors_RT[:, kept])


def seed_curves(tables: Tables, cell: str, split: str = "train") -> SeedCurves:
    """The curves of one cell. Steps that some seed has not reached (a run in progress) are left out.

    Raises ValueError when the cell has no such curve, or an error is not positive.
    """
    if (cell, split) not in tables.kept:  # every table and picture of a report asks for the same curves
        rows = tables.curves_by_cell.get((cell, split))
        if rows is None:
            raise ValueError(f"{cell} has no {split} curve: run it again, or look at the skipped folders")
        reported = tables.seeds_by_cell.get(cell, {})
        tables.kept[cell, split] = curves_of(rows, reported, cell, str(rows["network"].iloc[0]))
    return tables.kept[cell, split]


def curves_of(rows: pd.DataFrame, reported: Mapping[int, tuple[float, float]], cell: str, network: str) -> SeedCurves:
    """The same from the rows of one split, and what the run says of each seed: diverged step and test accuracy."""
    steps_T, at_step = np.unique(rows["step"].to_numpy(), return_inverse=True)
    seeds_R, at_seed = np.unique(rows["seed"].to_numpy(), return_inverse=True)
    # A missing record would be a NaN, which means divergence here; hence whole steps alone.
    whole_T = np.bincount(at_step, minlength=len(steps_T)) == len(seeds_R)
    errors_RT = np.full((len(seeds_R), len(steps_T)), np.nan)
    errors_RT[at_seed, at_step] = rows["loss"]
    steps_T, errors_RT = steps_T[whole_T], errors_RT[:, whole_T]
    diverged = {seed: int(step) for seed, (step, _) in reported.items() if not np.isnan(step)}
    finite_RT = np.isfinite(errors_RT)
    for r in np.flatnonzero(~finite_RT.all(axis=1)):
        seed, first = int(seeds_R[r]), int(steps_T[finite_RT[r].argmin()])
        diverged[seed] = min(first, diverged.get(seed, first))
    kept = [r for r, seed in enumerate(seeds_R) if seed not in diverged]
    seeds, errors_RT = tuple(int(seeds_R[r]) for r in kept), np.ascontiguousarray(errors_RT[kept])
    if (errors_RT <= 0).any():
        seed = seeds[int((errors_RT <= 0).any(axis=1).argmax())]
        if (errors_RT < 0).any():
            raise ValueError(f"{cell}: an error of {errors_RT.min():g}, below 0, is no cross-entropy: run it again")
        raise ValueError(f"{cell}, seed {seed}: an error of 0 has no logarithm: record more digits")
    accuracy_R = np.array([reported.get(seed, (np.nan, np.nan))[1] for seed in seeds], dtype=float)
    return SeedCurves(network, steps_T, seeds, errors_RT, diverged, 1 - accuracy_R)
