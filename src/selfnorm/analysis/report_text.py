"""The words and readable tables of the report. In: tables of numbers. Out: strings, tables of strings."""

from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.fluctuation import MAX_ORDER, MIN_DIFFERENCES, SETTLED
from selfnorm.analysis.inference import MIN_SEEDS_TEST, smallest_p
from selfnorm.analysis.statistics import (
    FINAL,
    FLUCTUATION,
    MATCHED,
    OF_ERROR,
    SECOND,
    SPEED,
    SPREAD_LEVEL,
    SPREAD_STEP,
    TEST,
    Settings,
)
from selfnorm.analysis.verdict import CLAIMS, number

_SHOWN = {
    FLUCTUATION: "fluctuation (log error)",
    MATCHED: "at equal level",
    OF_ERROR: "of the error",
    SECOND: "by second differences",
    SPREAD_STEP: "spread, equal step",
    SPREAD_LEVEL: "spread, equal level",
    SPEED: "steps to level",
    FINAL: "final error",
    TEST: "test error rate",
}
_NONE = "–"


def interval_text(value: float, low: float, high: float) -> str:
    """`4.1 (3.2 to 5.3)`, or a dash where there is no number."""
    if np.isnan(value):
        return _NONE
    return number(value) if np.isnan(low) else f"{number(value)} ({number(low)} to {number(high)})"


def paired_view(comparison: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """One row per data set and depth: n, ratios with interval, verdict and Holm p of both claims."""
    rows = []
    for (dataset, depth), group in comparison.groupby(["dataset", "depth"], sort=False):
        by_statistic = group.set_index("statistic")
        row = {
            "data set": dataset_title(str(dataset)),
            "depth": depth,
            "n": f"{group['n_a'].iloc[0]} / {group['n_b'].iloc[0]}",
        }
        row |= _ratio_columns(by_statistic)
        here = found[(found["dataset"] == dataset) & (found["depth"] == depth)].set_index("claim")["verdict"]
        for statistic, claim in CLAIMS.items():
            row[claim] = f"{here[claim]} (p {_p_text(by_statistic.loc[statistic, 'p_holm'])})"
        rows.append(row)
    return pd.DataFrame(rows)


def controls_view(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row per control (or network): n, every ratio with interval, Holm p of the fluctuation."""
    rows = []
    for key, group in table.groupby(["dataset", "depth", *keys, "cell"], sort=False):
        by_statistic = group.set_index("statistic")
        row = dict(zip(["data set", "depth", *keys], key[:-1], strict=True))
        row["data set"] = dataset_title(str(row["data set"]))
        row["n"] = f"{group['n_a'].iloc[0]} / {group['n_b'].iloc[0]}"
        rows.append(row | _ratio_columns(by_statistic) | {"p": _p_text(by_statistic.loc[FLUCTUATION, "p_holm"])})
    return pd.DataFrame(rows)


def _ratio_columns(by_statistic: pd.DataFrame) -> dict[str, str]:
    return {
        label: interval_text(*by_statistic.loc[statistic, ["ratio", "low", "high"]].astype(float))
        for statistic, label in _SHOWN.items()
        if statistic in by_statistic.index
    }


def _p_text(p: Any) -> str:
    return _NONE if pd.isna(p) else f"{p:.2g}"


def cells_view(described: pd.DataFrame) -> pd.DataFrame:
    """One row per cell: n, diverged seeds, fluctuation, final error and test error rate, spread."""
    rows = []
    for row in described.to_dict("records"):
        view: dict[str, Any] = {
            "data set": dataset_title(row["dataset"]),
            "depth": row["depth"],
            "network": row["network"],
        }
        view |= {"n": row["n"], "diverged": row["diverged"] or _NONE}
        names = {
            "fluctuation": "fluctuation (log error)",
            "fluctuation_error": "of the error",
            "final_error": "final error",
            "test_error": "test error rate",
        }
        for key, label in names.items():
            view[label] = interval_text(*(float(row.get(f"{key}{end}", np.nan)) for end in ("", "_low", "_high")))
        view["spread"] = interval_text(float(row.get("spread", np.nan)), np.nan, np.nan)
        rows.append(view | {"cell": row["cell"]})
    return pd.DataFrame(rows)


def provenance_lines(provenance: dict[str, Any], num_cells: int) -> str:
    """Command, machine, time, versions and commit, as far as the runs recorded them."""
    environment: dict[str, list[str]] = provenance.get("environment", {})
    lines = [f"Report: `{provenance['command']}`."] if provenance.get("command") else []
    seconds = float(provenance.get("seconds", 0.0))
    lines.append(f"Runs: {num_cells} cells, {_duration(seconds)} of training in all.")
    if environment:
        entries = ((key, [v for v in values if v != "None"]) for key, values in environment.items())
        lines.append("Environment: " + "; ".join(f"{k}: {_few(v)}" for k, v in entries if v) + ".")
    else:
        lines.append("Environment: not recorded by the runs.")
    return "\n\n".join(lines) + "\n"


def _few(values: list[str]) -> str:
    """All values while they are few; else their number and the first (each run has a command of its own)."""
    return ", ".join(values) if len(values) <= 3 else f"{len(values)} different ones, such as {values[0]}"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def method(settings: Settings) -> str:
    """How the numbers were made, in the words of the protocol."""
    skip, level, few = f"{settings.skip:.0%}", f"{settings.confidence:.0%}", MIN_SEEDS_TEST
    return f"""## How the numbers were made

- Fluctuation: sigma² = mean((y[t+1] - 2 y[t] + y[t-1])²) / 6 with y = log training error, one record per
  epoch, per seed, over the whole run but its first {skip} of updates. The bend of a learning curve is no noise:
  where the next order of differences (D^k y, squared mean over C(2k, k)) still gives below {SETTLED:.0%} of the value
  for either network, the order is raised for both, up to {MAX_ORDER - 1}. `by second differences` is the same with
  order 2 always, trend or not; `of the error` is without the log.
- Equal level: only differences whose mean level lies in the band of errors that every seed of both
  networks visits, over the whole run, order as above; at least {MIN_DIFFERENCES} of them per seed.
- Spread: standard deviation of log error over seeds (jackknife), at the same step, and while the mean is in
  the band.
- Steps to level: the lowest level of the 1-2-5 series that all seeds of both networks reach (else half of
  them; a seed that does not counts with the last step, and the ratio is a bound).
- Ratios are of geometric means over seeds. Intervals ({level}, not corrected for the number of cells):
  studentised bootstrap over seeds on the log scale from {few} seeds up; Welch's t on the log scale below, and for
  the two spreads.
- p: two-sided permutation of the seeds, corrected over the rows of a statistic by Holm; none below {few}
  seeds. The smallest reachable before correction is {smallest_p(6, 6):.2g} with 6 against 6 seeds and
  {smallest_p(5, 5):.2g} with 5 against 5. For the two spreads it is approximate. All but the two parts of
  the claim is exploratory.
- A seed whose training error stops being finite is left out everywhere and listed.
"""
