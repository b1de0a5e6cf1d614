"""Does bfloat16 give what single precision gives? The same cells, seeds and updates, curve by curve.

In: Tables of both. Out: a row per cell: how far the curves lie apart, and the fluctuation of log error in each; the
page docs/results/precision.md.
"""

import numpy as np
import pandas as pd

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.levels import record_to_record
from selfnorm.analysis.results import Tables
from selfnorm.analysis.statistics import SKIP
from selfnorm.analysis.words import markdown_table

HEAD = """# bfloat16 against single precision

The paper-width study multiplies matrices in bfloat16. The same cells in fp32, over the seeds and updates both have:
`python train.py -m +experiment=selu_deep,batchnorm_deep scale=paper model.depth=8 seeds=[0,1,2] training.epochs=2
recording.errors_per_epoch=10 recording.error_samples=5120 tag=precision`, on two cores.
Fluctuation of log error from record to record, geometric mean over seeds.

"""


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
            sds = [np.exp(record_to_record(logs_RT[:, late])[0].mean()) for logs_RT in pair]
            row["fluctuation: fp32, bf16"] = f"{sds[0]:.5f}, {sds[1]:.5f}"
            rows.append(row)
    if not rows:
        raise ValueError("the two have no cell in common: train the same data set, network and depth in both")
    return pd.DataFrame(rows)


def page(single: Tables, half: Tables) -> str:
    """The comparison as Markdown."""
    return HEAD + markdown_table(compare_precisions(single, half))
