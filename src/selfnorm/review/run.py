"""One run in full: its curves by seed, its moments by step and layer, the theory's curves and its configuration.

In: a Folder. Out: a dictionary of JSON values. Of very long recordings a part of the steps is given, spread evenly.
"""

from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.growing import read_whole_lines
from selfnorm.analysis.results import MOMENT_KEYS
from selfnorm.review.compact import numbers, plain
from selfnorm.review.expected import expected
from selfnorm.review.folders import Folder
from selfnorm.review.group import MOST_POINTS, band
from selfnorm.review.reading import Reading, read_run

MOST_VALUES = 400_000  # of moments: a 32-layer run of six seeds has about 2000 a step


def make_run(folder: Folder, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """Raises ValueError for a run that cannot be read; faulty moments are a note and leave the rest."""
    run = read_run(folder)
    document = {"id": folder.name, "config": plain(run.config), "environment": plain(run.environment)}
    document |= {"files": folder.files, "theory": expected(run.config), "curves": _curves(run), "band": _band(run)}
    try:
        return document | {"moments": _moments(folder, run.lost, most_values)}
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        return document | {"moments": None, "moments_note": f"moments.csv is not a table ({error}): run it again"}
    except ValueError as error:
        return document | {"moments": None, "moments_note": str(error)}


def _band(run: Reading) -> dict[str, Any]:
    if run.curves is None:
        return {"step": [], "note": "nothing recorded yet"}
    try:
        return band(run.seed_curves())
    except ValueError as error:
        return {"step": [], "note": str(error)}


def _curves(run: Reading) -> list[dict[str, Any]]:
    """A curve per split and seed: step, loss, accuracy."""
    if run.curves is None:
        return []
    curves = []
    for (split, seed), rows in run.curves.groupby(["split", "seed"]):
        kept = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, MOST_POINTS).round().astype(int))]
        values = {key: numbers(kept[key]) for key in ("loss", "accuracy")}
        curves.append({"split": str(split), "seed": int(seed), "step": kept["step"].tolist()} | values)  # type: ignore[call-overload]
    return curves


def _moments(folder: Folder, lost: set[int], most_values: int) -> dict[str, Any] | None:
    """`by_seed`: column -> (seed, step, layer); `mean`: column -> (step, layer) over the seeds that stayed finite."""
    if "moments.csv" not in folder.files:
        return None
    table = read_whole_lines(folder.path / "moments.csv", MOMENT_KEYS, ["step", "seed", "layer"])
    columns = [c for c in table.columns if c not in MOMENT_KEYS]
    seeds, layers = np.unique(table["seed"]), np.unique(table["layer"])
    sizes = table.groupby("step").size()
    steps = sizes.index[sizes == len(seeds) * len(layers)].to_numpy()  # the last may be half written
    if not len(steps):
        raise ValueError("moments.csv has no whole step yet: wait for the run")
    most = max(2, most_values // (len(seeds) * len(layers) * len(columns)))
    steps = steps[np.unique(np.linspace(0, len(steps) - 1, most).round().astype(int))]
    kept = table[table["step"].isin(steps)].sort_values(["seed", "step", "layer"])
    values = kept[columns].to_numpy().reshape(len(seeds), len(steps), len(layers), len(columns))
    finite = [i for i, seed in enumerate(seeds) if seed not in lost and np.isfinite(values[i]).all()]
    mean = values[finite].mean(axis=0) if finite else np.full(values.shape[1:], np.nan)
    return {
        "columns": columns, "steps": steps.tolist(), "layers": layers.tolist(), "seeds": seeds.tolist(),
        "in_mean": [int(seeds[i]) for i in finite], "all_steps": len(sizes),
        "mean": {c: numbers(mean[..., i]) for i, c in enumerate(columns)},
        "by_seed": {c: numbers(values[..., i], 4) for i, c in enumerate(columns)},
    }  # fmt: skip
