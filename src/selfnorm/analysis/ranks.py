"""Several networks over several data sets: average ranks and their critical difference (Demšar 2006, JMLR 7:1-30).

In: one value per data set and network. Out: average ranks, Friedman's p, Nemenyi's critical difference; Wilcoxon's p.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from selfnorm.analysis.inference import ALPHA

MIN_BLOCKS = 3  # data sets, below which ranks say nothing


class Ranks(NamedTuple):
    """average: network -> its average rank, the lowest value having rank 1. p: Friedman's. critical: two average ranks
    that lie further apart differ at 5 %, over all pairs. num_blocks: data sets.
    """

    average: pd.Series
    p: float
    critical: float
    num_blocks: int


def average_ranks(values: pd.DataFrame) -> Ranks:
    """Rank the networks (columns) on every data set (rows), the lowest value first; ties share their ranks.

    Raises ValueError for fewer than three networks or three data sets, and for a missing value.
    """
    num_blocks, k = values.shape
    if k < 3 or num_blocks < MIN_BLOCKS:
        raise ValueError(f"ranks need three networks and three data sets; here: {k} and {num_blocks}")
    if values.isna().to_numpy().any():
        raise ValueError("ranks need every network on every data set")
    average = values.rank(axis=1).mean().sort_values(kind="stable")
    with np.errstate(invalid="ignore"):  # all equal on every data set: no number
        p = float(stats.friedmanchisquare(*values.to_numpy().T).pvalue)
    q = stats.studentized_range.ppf(1 - ALPHA, k, np.inf) / np.sqrt(2)
    return Ranks(average, p, float(q * np.sqrt(k * (k + 1) / (6 * num_blocks))), num_blocks)


def paired_p(log_ratios: np.ndarray) -> float:
    """Wilcoxon's signed-rank p of one log ratio per data set, two-sided and exact; NaN where all are 0 or one is there.

    >>> round(paired_p(np.log([2.0, 3.0, 1.5, 4.0, 1.2, 2.5])), 5)
    0.03125
    """
    nonzero = log_ratios[log_ratios != 0]
    return float(stats.wilcoxon(nonzero).pvalue) if len(nonzero) > 1 else np.nan
