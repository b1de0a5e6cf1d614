"""The training error of one cell as an array over its seeds.

In: the tidy tables. Out: SeedCurves. Shapes: R seeds, T recorded steps.
"""

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
    rows = tables.curves_by_cell.get((cell, split))
    if rows is None:
        raise ValueError(f"{cell} has no {split} curve: run it again, or look at the skipped folders")
    whole = rows.groupby("step")["seed"].transform("size") == rows["seed"].nunique()
    # pivot would turn a missing record into a NaN, which means divergence here; hence `whole` first.
    errors = rows[whole].pivot(index="step", columns="seed", values="loss")
    of_seeds = tables.seeds[tables.seeds["cell"] == cell]
    diverged = _diverged(errors, of_seeds)
    errors = errors.drop(columns=[s for s in diverged if s in errors])
    if (errors <= 0).to_numpy().any():
        seed = errors.columns[(errors <= 0).any()][0]
        raise ValueError(f"{cell}, seed {seed}: an error of 0 or below has no logarithm: record more digits")
    return SeedCurves(
        name=str(rows["network"].iloc[0]),
        steps_T=errors.index.to_numpy(),
        seeds=tuple(map(int, errors.columns)),
        errors_RT=errors.to_numpy().T.copy(),
        diverged=diverged,
        test_errors_R=1 - of_seeds.set_index("seed")["test_accuracy"].reindex(errors.columns).to_numpy(),
    )


def _diverged(errors: pd.DataFrame, seeds: pd.DataFrame) -> dict[int, int]:
    """Seeds with a non-finite error or reported by the run itself, with the earlier of the two steps."""
    reported = seeds.dropna(subset="diverged_step").set_index("seed")["diverged_step"]
    found = {int(s): int(step) for s, step in reported.items()}  # type: ignore[call-overload]
    finite_TR = np.isfinite(errors.to_numpy())
    steps, columns = errors.index.to_numpy(), errors.columns.to_numpy()
    for column in np.flatnonzero(~finite_TR.all(axis=0)):
        seed, first = int(columns[column]), int(steps[finite_TR[:, column].argmin()])
        found[seed] = min(first, found.get(seed, first))
    return found
