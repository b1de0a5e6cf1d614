"""A run in one row: what it is, its state, its training error and its fluctuation.

In: a Folder. Out: a dictionary of JSON values, the same for the page and for the terminal, wherever the folder lies.
"""

from typing import Any

import numpy as np

from selfnorm.analysis.comparison import ENDED, describe_curves
from selfnorm.analysis.coordinates import dataset_title, settings_of
from selfnorm.analysis.runs import cell_of, seed_curves_of
from selfnorm.review.compact import numbers, plain
from selfnorm.runs.finding import Folder
from selfnorm.runs.layout import CONFIG, CURVES
from selfnorm.runs.reading import Run, read_run

Row = dict[str, Any]
_SHOWN = ("dataset", "network", "depth", "tag", "scale", "activation", "normalization")


def make_row(folder: Folder) -> Row:
    """Return the row of one run, with the state that it wrote.

    Raises ValueError for a run that cannot be shown, OSError for a file that cannot be opened.
    """
    run, changed = read_run(folder), {name: time for name, time, _ in folder.stamp}
    cell = cell_of(run)
    row: Row = {key: plain(cell[key]) for key in _SHOWN} | {"dataset_title": dataset_title(str(cell["dataset"]))}
    row |= {"state": run.state, "reason": str(run.summary.get("reason", "")), "files": folder.files}
    row |= {"n": len(run.outcomes), "diverged": len(run.diverged), "changed": max(changed.values()) // 10**9}
    settings = settings_of(cell)
    width = int(settings["width"]) if settings["width"].isdigit() else None
    row |= {"settings": settings, "lr": plain(cell["lr"]), "width": width}
    row |= {"progress": _progress(run, int(cell["epochs"])), "test_accuracy": _test_accuracy(run)}
    # A run without an end shows the time from the first file that a job writes to its last record
    row["seconds"] = numbers(run.seconds or max(0.0, (changed.get(CURVES, 0) - changed[CONFIG]) / 1e9))
    return row | _last_error(run) | _statistics(run)


def _progress(run: Run, epochs: int) -> float:
    """Return the share of the epochs that is done."""
    return 0.0 if run.train.empty else float(run.train["epoch"].max() / epochs)


def _test_accuracy(run: Run) -> float | None:
    """Return the mean over the seeds that stayed finite, a fraction, or None before the run has ended."""
    known = [accuracy for _, accuracy in run.outcomes.values() if np.isfinite(accuracy)]
    return float(numbers(np.mean(known))) if known else None


def _last_error(run: Run) -> Row:
    """Return mean and sd over seeds of the training error at the last step that every seed has reached."""
    step_N, seed_N, loss_N = (run.train[key].to_numpy() for key in ("step", "seed", "loss"))
    steps_T, at_step = np.unique(step_N, return_inverse=True)
    whole_T = steps_T[np.bincount(at_step, minlength=len(steps_T)) == len(np.unique(seed_N))]
    if not len(whole_T):
        return {"step": None, "error": None, "error_sd": None, "error_n": 0}
    losses = loss_N[(step_N == whole_T[-1]) & ~np.isin(seed_N, list(run.diverged)) & np.isfinite(loss_N)]
    return {
        "step": int(whole_T[-1]),
        "error": numbers(losses.mean()) if len(losses) else None,
        "error_sd": numbers(losses.std(ddof=1)) if len(losses) > 1 else None,
        "error_n": len(losses),
    }


def _statistics(run: Run) -> Row:
    """Return fluctuation, final and test error with intervals over seeds, or a note on why there are none."""
    if run.curves is None or run.state not in ENDED:
        return {"note": "no statistics before the run has ended"}
    try:
        return dict(plain(describe_curves(seed_curves_of(run))))
    except ValueError:
        return {"note": "no training curve that statistics could use"}
