"""Send to W&B what a run's files hold and W&B does not: of a run that logged offline, or whose upload broke off.

In: a run folder. Out: nothing, or a ValueError or OSError in one line. It may be repeated: no row is sent twice.
"""

from __future__ import annotations

import json
from pathlib import Path

from selfnorm.config import parse_job
from selfnorm.runs.files import read_file
from selfnorm.runs.layout import ENVIRONMENT, FINISHED
from selfnorm.runs.reading import read_config
from selfnorm.runs.state import RunFolderBusy, claim, read_summary
from selfnorm.tracking.mirror import LastValues, Mirror
from selfnorm.tracking.server import unreachable


def upload(folder: Path, last_values: LastValues) -> None:
    """Send the run. Raises ValueError for a folder that holds no run, or one in training, and if W&B fails."""
    if not (summary := read_summary(folder)):
        raise ValueError(f"{folder} is not a run: give a folder with summary.json")
    job = parse_job(read_config(folder))
    job = job.model_copy(update={"logger": job.logger.model_copy(update={"mode": "online"})})
    if problem := unreachable():
        raise ValueError(f"W&B: {problem}")
    try:
        with claim(folder, wait=False):
            mirror = Mirror(job, folder, json.loads(read_file(folder / ENVIRONMENT)), last_values)
            mirror.catch_up()
            mirror.finish(summary, exit_code=0 if summary.get("state") == FINISHED else 1)
    except RunFolderBusy:
        raise ValueError(f"{folder} is in training: wait until it ends") from None
    if mirror.lost:
        raise ValueError("not all was sent: try again later")
