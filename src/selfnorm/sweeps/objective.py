"""The number that `+sweep=tune` minimizes, read from a run's summary.json. Imports no torch."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from statistics import fmean

from selfnorm.runs.state import read_summary

DIVERGED = 100.0  # above the log of any error in single precision (88.7), so worse than every network that trained


def objective(folder: Path) -> float:
    """Average the log of the final validation error over the seeds, a diverged seed counting DIVERGED.

    Raises ValueError for a run that was not trained to its end.
    """
    summary = read_summary(folder)
    if summary.get("state") == "diverged":  # every seed
        return DIVERGED
    if summary.get("state") != "finished":
        raise ValueError(f"no objective without a finished run: {folder}")
    errors = summary["validation_loss"]["by_seed"].values()
    return fmean(DIVERGED if error is None else math.log(max(error, sys.float_info.min)) for error in errors)
