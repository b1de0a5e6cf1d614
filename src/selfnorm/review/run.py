"""One run in full: its curves by seed, its moments by step and layer, its forks, the theory and its configuration.

In: a Folder. Out: a dictionary of JSON values. Very long recordings are thinned to steps that are evenly spread.
"""

from typing import Any

import numpy as np

from selfnorm.analysis.perturbation import at_end, spreads
from selfnorm.analysis.runs import seed_curves_of
from selfnorm.commandline import one_line
from selfnorm.review.compact import numbers, plain, spread_evenly
from selfnorm.review.group import MOST_POINTS, band, mean_and_band
from selfnorm.runs.finding import Folder
from selfnorm.runs.layout import MOMENT_COORDINATES, MOMENTS
from selfnorm.runs.reading import Run, read_activation, read_run
from selfnorm.theory.expected import expected

MOST_VALUES = 400_000  # of moments: a 32-layer run of six seeds has about 2000 a step


def make_run(folder: Folder, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """Return the run's document, or its `problem`. Faulty moments or forks become a note beside the rest."""
    try:
        run = read_run(folder)
        document = {"id": folder.name, "config": plain(run.config), "environment": plain(run.environment)}
        document |= {"files": folder.files, "theory": _theory(run), "curves": _curves(run), "band": _band(run)}
    except (ValueError, OSError) as error:
        return {"problem": one_line(error)}
    for key, make in (("moments", lambda: _moments(run, most_values)), ("forks", lambda: _forks(run))):
        try:
            document[key] = make()
        except (ValueError, OSError) as error:
            document |= {key: None, f"{key}_note": str(error)}
    return document


def _theory(run: Run) -> dict[str, Any]:
    theory = expected(run.config, read_activation(run.folder.path))
    curves = theory["curves"].items()
    return theory | {"curves": {column: {name: numbers(y) for name, y in maps.items()} for column, maps in curves}}


def _band(run: Run) -> dict[str, Any]:
    if run.curves is None:
        return {"step": [], "note": "nothing recorded yet"}
    try:
        return band(seed_curves_of(run))
    except ValueError as error:
        return {"step": [], "note": str(error)}


def _curves(run: Run) -> list[dict[str, Any]]:
    """Return a curve per split and seed: step, loss, accuracy."""
    if run.curves is None:
        return []
    curves = []
    for (split, seed), rows in run.curves.groupby(["split", "seed"]):
        shown = rows.iloc[spread_evenly(len(rows), MOST_POINTS)]
        line = {"split": str(split), "seed": int(seed), "step": shown["step"].tolist()}  # type: ignore[call-overload]
        curves.append(line | {key: numbers(shown[key]) for key in ("loss", "accuracy")})
    return curves


def _forks(run: Run) -> list[dict[str, Any]] | None:
    """Return a line per source of randomness: the spread between forks of one state, by the step of the fork.

    The spread is the standard deviation over copies of log training error at the last update of the forks. bound:
    whether the copies of some seed did not differ at all, which makes the spread an upper bound.
    """
    if run.forks is None:
        return None
    table = at_end(spreads(run.forks)).dropna(subset="log_sd")
    lines = []
    for source, rows in table[~table["seed"].isin(run.diverged)].groupby("source"):
        logs = rows.pivot_table(index="seed", columns="step", values="log_sd")
        line = {"source": str(source), "update": int(rows["update"].iloc[0]), "step": logs.columns.tolist()}
        lines.append(line | mean_and_band(logs) | {"bound": rows.groupby("step")["bound"].any().tolist()})
    return lines


def _moments(run: Run, most_values: int) -> dict[str, Any] | None:
    """Return `by_seed`: column -> (seed, step, layer); `mean`: column -> (step, layer) over the finite seeds."""
    table = run.moments()
    if table is None:
        return None
    columns = [c for c in table.columns if c not in MOMENT_COORDINATES]
    seeds, layers = np.unique(table["seed"]), np.unique(table["layer"])
    sizes = table.groupby("step").size()
    steps = sizes.index[sizes == len(seeds) * len(layers)].to_numpy()  # the last may be half written
    if not len(steps):
        raise ValueError(f"{MOMENTS} has no whole step yet: wait for the run")
    steps = steps[spread_evenly(len(steps), max(2, most_values // (len(seeds) * len(layers) * len(columns))))]
    rows = table[table["step"].isin(steps)].sort_values(["seed", "step", "layer"])
    values = rows[columns].to_numpy().reshape(len(seeds), len(steps), len(layers), len(columns))
    finite = [i for i, seed in enumerate(seeds) if seed not in run.diverged and np.isfinite(values[i]).all()]
    mean = values[finite].mean(axis=0) if finite else np.full(values.shape[1:], np.nan)
    return {
        "columns": columns, "steps": steps.tolist(), "layers": layers.tolist(), "seeds": seeds.tolist(),
        "in_mean": [int(seeds[i]) for i in finite], "all_steps": len(sizes),
        "mean": {c: numbers(mean[..., i]) for i, c in enumerate(columns)},
        "by_seed": {c: numbers(values[..., i], 4) for i, c in enumerate(columns)},
    }  # fmt: skip
