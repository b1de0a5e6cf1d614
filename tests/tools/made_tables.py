"""What training could have recorded: curves of known noise and moments of known drift, all numbers made up.

In: a random generator, sizes. Out: arrays and tables as a run's files hold them. Imports no torch.

Shapes: R seeds, T recorded steps.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

STEPS_PER_EPOCH = 78  # of 10 000 samples in batches of 128


def errors(
    rng: np.random.Generator, *, seeds: int, epochs: int, noise: float, rate: float, between: float = 0.05
) -> np.ndarray:
    """Errors (seeds, epochs + 1): a power law from ln 10 down, white noise of sd `noise` on the log scale."""
    t_T = np.arange(epochs + 1)
    trend_T = np.log(2.3) - 1.3 * np.log1p(rate * t_T)
    offset_R1 = between * rng.standard_normal((seeds, 1)) * np.minimum(1, t_T / 5)
    return np.exp(trend_T + offset_R1 + noise * rng.standard_normal((seeds, epochs + 1)))


def made_moments(
    rng: np.random.Generator,
    *,
    depth: int,
    seeds: int,
    drift: float,
    records: int = 30,
    steps: Sequence[int] | None = None,
) -> pd.DataFrame:
    """Moments whose variance leaves 1 by `drift` per layer on the log scale, growing with the step.

    At `steps`, else at about `records` of them from 0 to 7800 on a log scale.
    """
    step, seed, layer = (
        grid.ravel()
        for grid in np.meshgrid(
            np.unique(np.geomspace(1, 7801, records).astype(int)) - 1 if steps is None else np.array(steps),
            np.arange(seeds),
            np.arange(1, depth + 1),
        )
    )
    growth = np.log1p(step) / 9
    noise = 0.02 * rng.standard_normal((10, len(step)))
    table = {"step": step, "epoch": step // STEPS_PER_EPOCH, "seed": seed, "layer": layer}
    for i, stage in enumerate(("preactivation", "activation")):
        table[f"{stage}_mean"] = 0.2 * drift * layer * growth + noise[4 * i]
        table[f"{stage}_variance"] = np.exp(drift * layer * growth + noise[4 * i + 1])
        table[f"{stage}_unit_mean_sd"] = np.abs(noise[4 * i + 2])
        table[f"{stage}_unit_variance_sd"] = np.abs(noise[4 * i + 3])
    return pd.DataFrame(table | {"saturated": np.abs(noise[8]), "gradient_second_moment": noise[9] ** 2})
