"""Forks of one trained state move apart: the spread of log training error over forks that differ in one source.

In: forks.csv, one row per fork point (step, epoch), seed, source, fork, update since the fork, with its loss.
Out: one row per fork point, seed, source and update, made for bounds.compare, at equal steps and at equal levels.
"""

import numpy as np
import pandas as pd
from scipy.special import digamma

from selfnorm.analysis.bounds import RESOLUTION
from selfnorm.analysis.levels import MIDDLES

_POINT = ["source", "step", "epoch", "seed", "update"]


def spreads(forks: pd.DataFrame) -> pd.DataFrame:
    """Spread over forks of log loss, for every source, fork point, seed and update since the fork.

    Columns: source, step, epoch, seed, update, forks (that count), diverged (forks left out, because the loss is
    not finite and positive), log_error (mean over forks), log_sd (NaN below two forks), bound.

    log_sd is half the log of the sample variance s^2 (ddof 1), freed of the bias that s^2 from K forks has on the
    log scale if their logs are normal: E log s^2 = log sigma^2 + digamma(nu / 2) - log(nu / 2), nu = K - 1. Its
    own scatter, about sqrt(1 / (2 nu)) (0.27 for 8 forks), widens intervals over seeds and moves no ratio. A spread
    at or below the resolution of float32 (no fork differs) counts as that resolution and is an upper bound.

    >>> loss = [0.50, 0.51, 0.49, 0.50]
    >>> point = {"step": 50, "epoch": 2, "seed": 0, "source": "order", "update": 25}
    >>> table = spreads(pd.DataFrame([{**point, "fork": k, "loss": loss[k]} for k in range(4)]))
    >>> np.exp(table[["log_error", "log_sd"]]).round(3).to_dict("records"), bool(table["bound"][0])
    ([{'log_error': 0.5, 'log_sd': 0.02}], False)
    """
    loss = forks["loss"].where(np.isfinite(forks["loss"]) & (forks["loss"] > 0))
    groups = np.log(loss).groupby([forks[key] for key in _POINT])
    table = groups.agg(forks="count", all="size", log_error="mean", variance="var").reset_index()
    half_nu = ((table["forks"] - 1) / 2).where(table["forks"] >= 2)
    log_variance = np.log(table["variance"].clip(lower=1e-300)) - digamma(half_nu) + np.log(half_nu)
    log_sd = (log_variance / 2).clip(lower=np.log(RESOLUTION))
    table = table.assign(diverged=table["all"] - table["forks"], log_sd=log_sd, bound=log_sd <= np.log(RESOLUTION))
    return table[[*_POINT, "forks", "diverged", "log_error", "log_sd", "bound"]]


def at_end(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of each source's last update: the end of the epoch (update 0 for the evaluation alone)."""
    return table[table["update"] == table.groupby("source")["update"].transform("max")]


def at_levels(table: pd.DataFrame) -> pd.DataFrame:
    """The spread of each source and seed at the middle of every half decade of error between its fork points.

    Columns: source, seed, level, log_sd, bound (one of the two points beside the level is a bound). log_sd is linear
    in log error between two fork points, and nothing is said outside of them. One update for each source: see at_end.

    >>> point = {"source": "order", "seed": 0, "bound": False}
    >>> rows = [{**point, "log_error": np.log(e), "log_sd": np.log(s)} for e, s in ((1.0, 0.04), (0.1, 0.004))]
    >>> np.exp(at_levels(pd.DataFrame(rows))["log_sd"] - np.log([0.1778, 0.5623])).round(4).tolist()
    [0.04, 0.04]
    """
    rows = []
    for (source, seed), one in table.dropna(subset="log_sd").sort_values("log_error").groupby(["source", "seed"]):
        x, y, bound = (one[column].to_numpy() for column in ("log_error", "log_sd", "bound"))
        for level in MIDDLES[(np.log(MIDDLES) >= x[0]) & (np.log(MIDDLES) <= x[-1])]:
            after = max(1, int(np.searchsorted(x, np.log(level))))
            beside = bool(bound[after - 1 : after + 1].any())
            rows.append((source, seed, level, np.interp(np.log(level), x, y), beside))
    return pd.DataFrame(rows, columns=["source", "seed", "level", "log_sd", "bound"])
