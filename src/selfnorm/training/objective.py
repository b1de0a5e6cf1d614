"""What a run came to, read from its summary.json, and the number that `+sweep=tune` minimizes. Imports no torch."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from statistics import fmean

from selfnorm.finished import read_summary

DIVERGED = 100.0  # above the log of any error in single precision (88.7), so worse than every network that trained


def state(folder: Path) -> str:
    """`running`, `finished`, `diverged`, `interrupted`, `failed`, or `missing` where no summary can be read."""
    return str(read_summary(folder).get("state", "missing"))


def objective(folder: Path) -> float:
    """The mean over the seeds of the log of the final validation error, a diverged seed counting DIVERGED.

    Raises ValueError for a run that was not trained to its end.
    """
    summary = read_summary(folder)
    if summary.get("state") == "diverged":  # every seed
        return DIVERGED
    if summary.get("state") != "finished":
        raise ValueError(f"no objective without a finished run: {folder}")
    errors = summary["validation_loss"]["by_seed"].values()
    return fmean(DIVERGED if error is None else math.log(max(error, sys.float_info.min)) for error in errors)
