"""A run in one row: what it is, its state, its training error and its fluctuation.

In: a Folder. Out: a dictionary of JSON values, the same for the page and for the terminal.
"""

from typing import Any

import numpy as np

from selfnorm.analysis.comparison import ENDED, describe_cells
from selfnorm.analysis.coordinates import dataset_title
from selfnorm.review.compact import number, plain
from selfnorm.review.folders import Folder
from selfnorm.review.reading import Reading, read_run

Row = dict[str, Any]
_SHOWN = ("dataset", "network", "depth", "tag", "scale", "activation", "normalization")


def make_row(folder: Folder) -> Row:
    """The row of one run; raises ValueError for a run that cannot be shown. `state` is the one that it wrote."""
    run = read_run(folder)
    row: Row = {"id": folder.name} | {key: plain(run.cell[key]) for key in _SHOWN}
    row["dataset_title"] = dataset_title(row["dataset"])
    row |= {"state": run.cell["state"], "reason": str(run.summary.get("reason", "")), "files": folder.files}
    row |= {"n": int(run.cell["num_seeds"]), "diverged": int(run.seeds["diverged_step"].notna().sum())}
    row |= {"seconds": number(run.cell["seconds"]), "changed": max(changed for _, changed, _ in folder.stamp) // 10**9}
    return row | _last_error(run) | describe(run)


def _last_error(run: Reading) -> Row:
    """The training error at the last step that every seed has reached: mean and standard deviation over seeds."""
    nothing: Row = {"step": None, "error": None, "error_sd": None, "error_n": 0}
    if run.curves is None:
        return nothing
    train = run.curves[run.curves["split"] == "train"]
    train = train[train.groupby("step")["seed"].transform("size") == train["seed"].nunique()]
    if train.empty:
        return nothing
    lost = set(run.seeds.dropna(subset="diverged_step")["seed"])
    last = train[train["step"] == train["step"].max()]
    losses = last[~last["seed"].isin(lost)]["loss"].to_numpy(float)
    losses = losses[np.isfinite(losses)]
    mean = number(losses.mean()) if len(losses) else None
    sd = number(losses.std(ddof=1)) if len(losses) > 1 else None
    return {"step": int(last["step"].iloc[0]), "error": mean, "error_sd": sd, "error_n": len(losses)}


def describe(run: Reading) -> Row:
    """Fluctuation, final and test error with intervals over seeds, as analysis gives them; a note where it cannot."""
    if run.curves is None or run.cell["state"] not in ENDED:
        return {"note": "no statistics before the run has ended"}
    described = describe_cells(run.tables)
    if described.empty:
        return {"note": "no training curve that statistics could use"}
    values = described.iloc[0].drop(["cell", "dataset", "network", "depth", "n", "diverged"])
    return {str(key): plain(value) for key, value in values.items()}
