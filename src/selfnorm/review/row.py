"""A run in one row: what it is, its state, its training error and its fluctuation.

In: a Folder. Out: a dictionary of JSON values, the same for the page and for the terminal, wherever the folder lies.
"""

from typing import Any

import numpy as np

from selfnorm.analysis.comparison import ENDED, describe_curves
from selfnorm.analysis.coordinates import dataset_title
from selfnorm.review.compact import number, plain
from selfnorm.review.folders import Folder
from selfnorm.review.reading import Reading, read_run

Row = dict[str, Any]
_SHOWN = ("dataset", "network", "depth", "tag", "scale", "activation", "normalization")


def make_row(folder: Folder) -> Row:
    """The row of one run, with the state that it wrote.

    Raises ValueError for a run that cannot be shown, OSError for a file that cannot be opened.
    """
    run = read_run(folder)
    row: Row = {key: plain(run.cell[key]) for key in _SHOWN}
    row["dataset_title"] = dataset_title(row["dataset"])
    row |= {"state": run.cell["state"], "reason": str(run.summary.get("reason", "")), "files": folder.files}
    row |= {"n": int(run.cell["num_seeds"]), "diverged": len(run.lost)}
    row |= {
        "seconds": number(run.cell["seconds"] or _since_start(folder)),
        "changed": max(changed for _, changed, _ in folder.stamp) // 10**9,
    }
    return row | _last_error(run) | describe(run)


def _since_start(folder: Folder) -> float:
    """Seconds from config.yaml, which a job writes first, to its last record: all that a run without an end can say."""
    changed = {name: time for name, time, _ in folder.stamp}
    return max(0.0, (changed.get("curves.csv", 0) - changed["config.yaml"]) / 1e9)


def _last_error(run: Reading) -> Row:
    """The training error at the last step that every seed has reached: mean and standard deviation over seeds."""
    nothing: Row = {"step": None, "error": None, "error_sd": None, "error_n": 0}
    step_N, seed_N, loss_N = (run.train[key].to_numpy() for key in ("step", "seed", "loss"))
    steps_T, at_step = np.unique(step_N, return_inverse=True)
    whole_T = steps_T[np.bincount(at_step, minlength=len(steps_T)) == len(np.unique(seed_N))]
    if not len(whole_T):
        return nothing
    last_N = (step_N == whole_T[-1]) & ~np.isin(seed_N, list(run.lost))
    losses = loss_N[last_N & np.isfinite(loss_N)]
    mean = number(losses.mean()) if len(losses) else None
    sd = number(losses.std(ddof=1)) if len(losses) > 1 else None
    return {"step": int(whole_T[-1]), "error": mean, "error_sd": sd, "error_n": len(losses)}


def describe(run: Reading) -> Row:
    """Fluctuation, final and test error with intervals over seeds, as analysis gives them; a note where it cannot."""
    if run.curves is None or run.cell["state"] not in ENDED:
        return {"note": "no statistics before the run has ended"}
    try:
        values = describe_curves(run.seed_curves())
    except ValueError:
        return {"note": "no training curve that statistics could use"}
    return {key: plain(value) for key, value in values.items()}
