"""bfloat16 against single precision: the same cells, seeds and updates, curve by curve.

In: Tables of both. Out: a row per cell: how far the curves lie apart, and the fluctuation of log error in each.
"""

import numpy as np
import pandas as pd

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.fluctuation import noise_sd
from selfnorm.analysis.results import Tables

ORDERS = (2, 3, 4)
SKIP = 0.2  # of the updates, as in the comparison of networks


def compare_precisions(single: Tables, half: Tables) -> pd.DataFrame:
    """A row per cell of `single` that `half` has too, over the seeds and steps that both have.

    Raises ValueError if they share no cell.
    """
    rows = []
    for _, cell in single.cells.iterrows():
        twins = half.cells[
            (half.cells[["dataset", "network", "depth"]] == cell[["dataset", "network", "depth"]]).all(axis=1)
        ]
        for name in twins["cell"]:
            one, other = seed_curves(single, cell["cell"]), seed_curves(half, name)
            seeds = [seed for seed in one.seeds if seed in other.seeds]
            steps_T = np.intersect1d(one.steps_T, other.steps_T)
            pair = [
                curves.logs_RT[np.isin(curves.seeds, seeds)][:, np.isin(curves.steps_T, steps_T)]
                for curves in (one, other)
            ]
            row = {"data set": dataset_title(cell["dataset"]), "network": cell["network"], "depth": cell["depth"]}
            row |= {"n": len(seeds), "updates": int(steps_T[-1])}
            row["largest difference of the error"] = f"{np.abs(np.expm1(pair[1] - pair[0])).max():.2%}"
            late = steps_T >= SKIP * steps_T[-1]
            for order in ORDERS:
                sds = [np.exp(np.log(noise_sd(y_RT[:, late], order)).mean()) for y_RT in pair]
                row[f"fluctuation, order {order}: fp32, bf16"] = f"{sds[0]:.5f}, {sds[1]:.5f}"
            rows.append(row)
    if not rows:
        raise ValueError("the two have no cell in common: train the same data set, network and depth in both")
    return pd.DataFrame(rows)
