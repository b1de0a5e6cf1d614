"""The words and readable tables of a prediction study. In: its tables of numbers. Out: strings, tables of strings."""

from typing import Any

import pandas as pd

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.words import MISSING, interval, number
from selfnorm.studies.prediction import MAPS, QUANTITIES, TIMES

TITLES = {"mean": "mean", "variance": "variance", "unit_mean_sd": "scatter of unit means", "chi": "gradient gain χ"}
_NETWORKS = {"selu": "SELU", "selu-alpha": "SELU, alpha dropout", "relu": "ReLU"}

CAPTION = """The deepest network of each kind. Line and band: mean and standard deviation over seeds of what was
measured. Curves: mean over seeds of each map, with the seeds' own weights."""

CLOSEST = (
    "The map that is closest most often over the depths (in how many of them), the range of its error over them, and \
how far seeds scatter."
)

METHOD = """## How the numbers were made

- Measured, by layer: mean and variance of the activations over units and samples; scatter of unit means, the standard
  deviation over units of their means over the samples; χ, the mean square of the gradient that reaches a layer's
  pre-activations over that at the next layer's. With dropout on where the run trains with it.
- The paper's map (μ, ν) → (μ̃, ν̃) takes all units of a layer as alike: each layer's mean ω and τ, from the
  inputs' mean and variance. The second-moment map takes the weights as random and independent: q → E f(√(τ q) z)², from
  each sample's mean square; it says nothing of single units. The per-unit map takes every weight and bias,
  m → W m + b and v → W² v, from each feature's mean and variance, and neglects correlations between units.
- Error: mean over the layers of |predicted − measured|, for each seed with its own weights. Tables: geometric mean over
  n seeds (95 % t interval on the log scale, not corrected for the number of rows). Bold: the smallest, and what is not
  told apart from it seed by seed (paired interval).
- Scatter: mean over the layers of the distance of a seed's measured value from the mean over seeds. A map that
  knows nothing of the weights can do no better on average."""


def network_title(network: str) -> str:
    """The name of a network as the pictures print it."""
    return _NETWORKS.get(network, network)


def network_order(network: str) -> tuple[int, str]:
    """Sort key: SELU, then the networks that it is compared with, then any other by name."""
    names = list(_NETWORKS)
    return (names.index(network) if network in names else len(names)), network


def time_title(when: str, step: int) -> str:
    """`at initialization` or `after 400 updates`."""
    return "at initialization" if when == TIMES[0] else f"after {step} updates"


def closest_view(errors: pd.DataFrame) -> pd.DataFrame:
    """One row per network and time, over the depths: for each quantity the map that is closest most often."""
    rows = []
    for _, group in errors.groupby(["dataset", "network", "when", "step"], sort=False):
        runs = group.drop_duplicates("run")
        row = {
            "data set": dataset_title(runs["dataset"].iloc[0]),
            "network": network_title(runs["network"].iloc[0]),
            "depth": ", ".join(map(str, runs["depth"])),
            "when": time_title(runs["when"].iloc[0], runs["step"].iloc[0]),
            "n": " to ".join(map(str, sorted({group["n"].min(), group["n"].max()}))),
        }
        rows.append(row | {TITLES[name]: _closest(group[group["quantity"] == name], len(runs)) for name in QUANTITIES})
    return pd.DataFrame(rows)


def _closest(rows: pd.DataFrame, num_runs: int) -> str:
    """`the per-unit map (3 of 3): 0.02 to 0.03, scatter 0.05 to 0.1`; a dash where no map says anything."""
    if rows.empty:
        return MISSING
    count = rows.groupby("map")["closest"].sum()
    best = max(count.index, key=lambda name: (count[name], -rows[rows["map"] == name]["error"].mean()))
    chosen = rows[rows["map"] == best]
    reach = f"{_range(chosen['error'])}, scatter {_range(chosen['scatter'])}"
    return f"{MAPS[str(best)]} ({count[best]} of {num_runs}): {reach}"


def _range(values: pd.Series) -> str:
    if values.isna().all():
        return MISSING
    low, high = number(values.min()), number(values.max())
    return low if low == high else f"{low} to {high}"


def error_view(errors: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """One row per run and time: n, the error of each map with interval, the scatter of the seeds."""
    rows = errors[errors["quantity"] == quantity]
    return pd.DataFrame([_error_row(group) for _, group in rows.groupby(["run", "when"], sort=False)])


def _error_row(group: pd.DataFrame) -> dict[str, Any]:
    """The errors of one run at one time, from a row for each map."""
    first, by_map = group.iloc[0], {row["map"]: row for _, row in group.iterrows()}
    row = {
        "data set": dataset_title(first["dataset"]),
        "network": network_title(first["network"]),
        "depth": first["depth"],
        "when": time_title(first["when"], first["step"]),
        "n": group["n"].max(),
    }
    row |= {label: _error(by_map[name]) if name in by_map else MISSING for name, label in MAPS.items()}
    return row | {"scatter": interval(first["scatter"])}


def _error(row: pd.Series) -> str:
    text = interval(float(row["error"]), float(row["low"]), float(row["high"]))
    return f"**{text}**" if row["closest"] else text
