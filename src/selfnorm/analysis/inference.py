"""Values per seed become the interval and the p-value of a ratio.

In: one value per seed for each of two networks, on the log scale. Out: an interval, a p-value; corrected p-values.
"""

from functools import cache
from math import comb

import numpy as np
from scipy import stats
from scipy.special import expit, logit

ALPHA = 0.05  # below it a corrected p-value counts
MIN_SEEDS = 2
MIN_SEEDS_TEST = 5  # 4 against 4 reach no p below 2/70
_RESAMPLES = 9999  # of the bootstrap, and of the permutation test where the splits are too many to count all
_MAX_SPLITS = 2_000_000  # all are counted up to 11 against 11


def ratio_interval(log_a: np.ndarray, log_b: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of exp(mean(log_a) - mean(log_b)), one value per seed in each.

    Raises ValueError below two seeds, for values that are not finite, or if all seeds have the same value.
    """
    for values in (log_a, log_b):
        if len(values) < MIN_SEEDS:
            raise ValueError(f"{len(values)} seeds give no interval: at least {MIN_SEEDS} are needed, run more seeds")
        if not np.isfinite(values).all():
            raise ValueError("a seed has no finite value: leave out the seeds that diverged")
    if np.ptp(log_a) == 0 and np.ptp(log_b) == 0:
        raise ValueError("all seeds have the same value: are they the same run?")
    # Fewer than five seeds have too few distinct resamples for a bootstrap.
    few = min(len(log_a), len(log_b)) < MIN_SEEDS_TEST
    low, high = (welch_t if few else bootstrap_t)(log_a, log_b)
    return float(np.exp(low)), float(np.exp(high))


def welch_t(a: np.ndarray, b: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Welch's t interval of mean(a) - mean(b).

    scipy's own warns when one side is constant, as steps to a level are when no seed reaches it.
    """
    (difference,), (error,) = _welch([a], [b])
    shares = np.array([np.var(values, ddof=1) / len(values) for values in (a, b)])
    degrees = shares.sum() ** 2 / (shares**2 / [len(a) - 1, len(b) - 1]).sum()
    half = stats.t.ppf((1 + confidence) / 2, degrees) * error
    return float(difference - half), float(difference + half)


def bootstrap_t(a: np.ndarray, b: np.ndarray, confidence: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Studentised bootstrap interval of mean(a) - mean(b) over seeds (Efron, Tibshirani 1993, section 12.5).

    scipy's percentile and BCa intervals cover only 87 to 91 % of the time with six seeds against six, where
    they should 95; this one 95 to 97 % (tests/analysis/test_inference.py measures it).
    """
    resamples = [values[drawn] for values, drawn in zip((a, b), _draws(len(a), len(b), seed), strict=True)]
    difference, error = _welch([a], [b])
    drawn_difference, drawn_error = _welch(*resamples)
    usable = drawn_error > 1e-12 * max(np.ptp(a), np.ptp(b))  # one seed drawn throughout has no error
    t = (drawn_difference[usable] - difference[0]) / drawn_error[usable]
    t_low, t_high = np.quantile(t, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(difference[0] - t_high * error[0]), float(difference[0] - t_low * error[0])


@cache
def _draws(num_a: int, num_b: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same resamples for every statistic: which seed is drawn, shapes (resamples, num_a) and (resamples, num_b)."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, num_a, (_RESAMPLES, num_a)), rng.integers(0, num_b, (_RESAMPLES, num_b))


def _welch(a_BR: np.ndarray | list, b_BR: np.ndarray | list) -> tuple[np.ndarray, np.ndarray]:
    """Difference of means and its standard error, per resample."""
    a_BR, b_BR = np.asarray(a_BR), np.asarray(b_BR)
    variance = a_BR.var(-1, ddof=1) / a_BR.shape[-1] + b_BR.var(-1, ddof=1) / b_BR.shape[-1]
    return a_BR.mean(-1) - b_BR.mean(-1), np.sqrt(variance)


def mean_interval(logs: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Geometric mean over seeds, t interval on the log scale; the interval is NaN for a single seed."""
    mean = float(np.mean(logs))
    if len(logs) < MIN_SEEDS:
        return float(np.exp(mean)), float("nan"), float("nan")
    half = _t_quantile((1 + confidence) / 2, len(logs) - 1) * np.std(logs, ddof=1) / np.sqrt(len(logs))
    return float(np.exp(mean)), float(np.exp(mean - half)), float(np.exp(mean + half))


def rate_interval(rates: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean over seeds of a rate and its t interval, on the logit scale, so that it stays between 0 and 1.

    The interval is NaN below three seeds, and where a rate is 0 or 1: then the mean is that of the rates.

    >>> [round(value, 3) for value in rate_interval(np.array([0.88, 0.95, 0.97]))]
    [0.941, 0.757, 0.988]
    """
    inside = ((rates > 0) & (rates < 1)).all()
    if not inside:
        return float(rates.mean()), float("nan"), float("nan")
    logits = logit(rates)
    if len(rates) < 3:
        return float(expit(logits.mean())), float("nan"), float("nan")
    half = _t_quantile((1 + confidence) / 2, len(rates) - 1) * logits.std(ddof=1) / np.sqrt(len(rates))
    mean, low, high = (float(expit(logits.mean() + sign * half)) for sign in (0, -1, 1))
    return mean, low, high


@cache
def _t_quantile(probability: float, degrees: int) -> float:
    """scipy's, which takes longer than all else here, for the few numbers of seeds there are."""
    return float(stats.t.ppf(probability, degrees))


def permutation_p(a: np.ndarray, b: np.ndarray) -> float:
    """Two-sided permutation p-value of the difference of means over all splits; NaN below five seeds.

    Splits whose difference equals the observed one up to rounding count as equal to it. Above _MAX_SPLITS splits
    9999 random ones stand for all, and the observed one is counted among them.
    """
    if min(len(a), len(b)) < MIN_SEEDS_TEST:
        return float("nan")
    # The sum of one side alone orders the splits as the difference of means does.
    pooled = np.concatenate([a, b])
    exact = comb(len(pooled), len(a)) <= _MAX_SPLITS
    sums_P = _subset_sums(pooled, len(a)) if exact else _random_sums(pooled, len(a))
    observed = np.sum(a)
    rounding = 1e-12 * np.abs(pooled).sum()  # of sums of the values, however small their differences are
    counts = np.array([(sums_P <= observed + rounding).sum(), (sums_P >= observed - rounding).sum()])
    shares = counts / len(sums_P) if exact else (counts + 1) / (len(sums_P) + 1)
    return float(min(1, 2 * shares.min()))


def _subset_sums(values: np.ndarray, size: int) -> np.ndarray:
    """The sums of all subsets of `size` of the values, each built from the sums of one value less."""
    sums = [np.zeros(1)] + [np.zeros(0)] * size  # by the number of values summed
    for value in values:
        for k in range(size, 0, -1):
            sums[k] = np.concatenate([sums[k], sums[k - 1] + value])
    return sums[size]


def _random_sums(values: np.ndarray, size: int) -> np.ndarray:
    order_P = np.random.default_rng(0).permuted(np.tile(values, (_RESAMPLES, 1)), axis=1)
    return order_P[:, :size].sum(axis=1)


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values corrected by Holm's step-down rule (Holm 1979); NaN are not counted and stay NaN."""
    adjusted = np.full(len(p_values), np.nan)
    tested = np.flatnonzero(~np.isnan(p_values))
    order = tested[np.argsort(p_values[tested])]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * factors))
    return adjusted
