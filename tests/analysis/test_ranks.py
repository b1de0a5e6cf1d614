"""Ranks over data sets, against the example of Demšar (2006) and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from selfnorm.analysis.ranks import average_ranks, paired_p


def test_ranks_of_a_table_by_hand() -> None:
    values = pd.DataFrame({"a": [1.0, 1.0, 2.0, 1.0], "b": [2.0, 1.0, 1.0, 2.0], "c": [3.0, 3.0, 3.0, 3.0]})
    ranks = average_ranks(values)
    assert ranks.average.to_dict() == {"a": (1 + 1.5 + 2 + 1) / 4, "b": (2 + 1.5 + 1 + 2) / 4, "c": 3.0}
    # Friedman's statistic with ties, by hand: 12 / (N k (k + 1)) sum R_j^2 - 3 N (k + 1), over the ties' correction
    sums = np.array([5.5, 6.5, 12.0])
    statistic = (12 / (4 * 3 * 4) * (sums**2).sum() - 3 * 4 * 4) / (1 - (2**3 - 2) / (4 * (3**3 - 3)))
    assert ranks.p == pytest.approx(np.exp(-statistic / 2))  # chi2 with two degrees of freedom


@pytest.mark.parametrize(("k", "q"), [(3, 2.343), (4, 2.569), (5, 2.728), (10, 3.164)])
def test_critical_differences_are_those_of_demsars_table(k: int, q: float) -> None:
    """His Table 5(a), for 5 %."""
    values = pd.DataFrame(np.random.default_rng(0).random((14, k)))
    assert average_ranks(values).critical == pytest.approx(q * np.sqrt(k * (k + 1) / (6 * 14)), rel=3e-4)


def test_too_few_or_missing_values_are_refused() -> None:
    with pytest.raises(ValueError, match="three networks and three data sets; here: 2 and 4"):
        average_ranks(pd.DataFrame(np.ones((4, 2))))
    with pytest.raises(ValueError, match="every network on every data set"):
        average_ranks(pd.DataFrame([[1, 2, 3], [1, np.nan, 2], [1, 2, 3]]))


def test_the_paired_test_counts_signs_and_ranks() -> None:
    assert paired_p(np.log([2.0, 1.9, 1.8, 1.7, 1.6, 1.5])) == 2 / 2**6  # all of one sign
    assert paired_p(np.log([2.0, 1.9, 1.8, 1.7, 1.6, 1 / 1.5])) == 4 / 2**6  # the smallest of the other
    assert np.isnan(paired_p(np.zeros(4)))
    assert paired_p(np.log([2, 0.5, 3, 1 / 3])) == 1.0
