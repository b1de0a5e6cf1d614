"""Fluctuation of log training error along a curve, as a function of the error level.

In: the errors of R seeds at the ends of T epochs in a row. Out: one row per statistic, seed and half decade of error,
made for bounds.compare; how often and how far the error rises.
"""

from math import comb

import numpy as np
import pandas as pd
from scipy.signal import savgol_coeffs, savgol_filter

from selfnorm.analysis.bounds import RESOLUTION

MIDDLES = 10 ** (np.arange(-16, 5) / 2 + 0.25)  # of the half decades of error from 1e-8 to 300, on the log scale
MIN_RECORDS = 30  # in a bin, for each seed: white noise is then known to about 20 %
WINDOW = 50  # epochs on either side of a local fit
RECORD, FIT = "record to record", f"about a fit over ±{WINDOW} epochs"
# An estimate is an upper bound if it falls by more than this factor at the next order (RECORD) or in half the
# window (FIT). White noise gives 1 and 1, a random walk 1.02 and 1.4; the bend of a power law t^-1 t / 6 and 16.
BEND = {RECORD: 2**0.5, FIT: 2.0}


def level_of(log_error: np.ndarray) -> np.ndarray:
    """The middle of the half decade in which an error lies.

    >>> level_of(np.log([0.9, 0.4, 0.05])).round(3).tolist()
    [0.562, 0.562, 0.056]
    """
    half_decade = np.floor(2 * log_error / np.log(10)).astype(int) + 16
    return MIDDLES[np.clip(half_decade, 0, len(MIDDLES) - 1)]


def fluctuation(errors_RT: np.ndarray, seeds: np.ndarray) -> pd.DataFrame:
    """Standard deviation of log error per statistic, seed and level. Every record is one epoch after the one before.

    Columns: statistic, level, seed, records, log_sd, bound (the same for all seeds of a level: what bends is the
    curve of the network), diverged (seeds left out, because an error is not finite and positive).

    >>> epochs = np.arange(1, 401)
    >>> noise = 0.02 * np.random.default_rng(0).standard_normal((2, 400))
    >>> table = fluctuation(np.exp(-epochs / 100 + noise), np.array([3, 5]))
    >>> table.groupby("statistic")["log_sd"].mean().apply(np.exp).round(3).tolist()
    [0.02, 0.02]
    """
    valid_R = (np.isfinite(errors_RT) & (errors_RT > 0)).all(axis=1)
    logs_RT = np.log(errors_RT[valid_R])
    rows = []
    for statistic, parts in ((RECORD, _differences(logs_RT)), (FIT, _residuals(logs_RT))):
        for seed, level_T, square_T, check_T in zip(seeds[valid_R], *parts, strict=True):
            for level in np.unique(level_T):
                inside = level_T == level
                spreads = [np.sqrt(np.mean(values[inside])) for values in (square_T, check_T)]
                log_sd, log_check = np.log(np.maximum(spreads, RESOLUTION))
                rows.append((statistic, level, seed, inside.sum(), log_sd, log_check))
    table = pd.DataFrame(rows, columns=["statistic", "level", "seed", "records", "log_sd", "log_check"])
    table = table[table["records"] >= MIN_RECORDS].reset_index(drop=True)
    groups = table.groupby(["statistic", "level"])
    fall = groups["log_sd"].transform("mean") - groups["log_check"].transform("mean")
    bends = fall > np.log(table["statistic"].map(BEND))
    rounding = groups["log_sd"].transform("min") <= np.log(RESOLUTION)
    return table.drop(columns="log_check").assign(bound=bends | rounding, diverged=int((~valid_R).sum()))


def record_to_record(logs_RT: np.ndarray) -> tuple[np.ndarray, bool]:
    """Log of the standard deviation from record to record, all levels together, shape (R,); is it an upper bound?

    Raises ValueError below seven records, and for a value that is not finite.
    """
    if logs_RT.shape[1] < 7:
        raise ValueError(f"{logs_RT.shape[1]} records are too few for a fluctuation, 7 are needed: train more epochs")
    if not np.isfinite(logs_RT).all():
        raise ValueError("a curve has a value that is not finite: leave out the seeds that diverged")
    _, *squares = _differences(logs_RT)
    log_sd_R, log_check_R = (np.log(np.maximum(np.sqrt(square_RT.mean(axis=1)), RESOLUTION)) for square_RT in squares)
    bends = np.mean(log_sd_R - log_check_R) > np.log(BEND[RECORD])
    return log_sd_R, bool(bends or log_sd_R.min() <= np.log(RESOLUTION))


def _differences(logs_RT: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Level, square of the third difference and of the fourth, both in units of the variance of white noise.

    Third, for every network: of log(1 / t), second differences leave 1 / (t^2 sqrt 6), 1e-5 at epoch 200, where
    an SNN fluctuates less than that; the third leave 2 / (t^3 sqrt 20), 6e-8. The level is the mean of the four
    records, which does not depend on their noise about it.
    """
    squares = [np.diff(logs_RT, n=k)[:, : logs_RT.shape[1] - 4] ** 2 / comb(2 * k, k) for k in (3, 4)]
    level_RT = level_of(np.lib.stride_tricks.sliding_window_view(logs_RT, 4, axis=1).mean(axis=-1)[:, :-1])
    return level_RT, squares[0], squares[1]


def _residuals(logs_RT: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Level (that of the fit), square of the residual from a local quadratic over ±WINDOW epochs and over half of it.

    A residual in the middle of its window has the variance (1 - h) sigma^2, h being the weight of the record itself
    in the fit. The first and the last WINDOW records have no whole window and are left out.
    """
    if logs_RT.shape[1] <= 2 * WINDOW:
        return (np.empty((len(logs_RT), 0)),) * 3
    fits = [savgol_filter(logs_RT, 2 * half + 1, 2) for half in (WINDOW, WINDOW // 2)]
    free = [1 - savgol_coeffs(2 * half + 1, 2)[half] for half in (WINDOW, WINDOW // 2)]
    squares = [(logs_RT - fit) ** 2 / share for fit, share in zip(fits, free, strict=True)]
    middle = slice(WINDOW, logs_RT.shape[1] - WINDOW)
    return level_of(fits[0][:, middle]), squares[0][:, middle], squares[1][:, middle]


def rises(errors_RT: np.ndarray, seeds: np.ndarray) -> pd.DataFrame:
    """The share of epochs in which the error rises, and the largest rise above the lowest error so far (per cent).

    Columns: seed, share, largest; NaN for a seed that diverged.

    >>> rises(np.array([[2.0, 1.0, 1.1, 0.5, 0.4]]), np.array([7])).round(2).to_dict("records")
    [{'seed': 7, 'share': 0.25, 'largest': 10.0}]
    """
    share_R = (np.diff(errors_RT) > 0).mean(axis=1)
    largest_R = 100 * (errors_RT / np.minimum.accumulate(errors_RT, axis=1) - 1).max(axis=1)
    valid_R = np.isfinite(errors_RT).all(axis=1)
    columns = {"share": np.where(valid_R, share_R, np.nan), "largest": np.where(valid_R, largest_R, np.nan)}
    return pd.DataFrame({"seed": seeds, **columns})
