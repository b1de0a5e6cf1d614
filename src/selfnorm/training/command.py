"""Train a job for a command line: every failure becomes an exit code and one line, or a traceback if the fault is ours.

Exit codes: 0 done, 2 a request that cannot be met, 3 every seed diverged, 130 Ctrl-C, 1 anything else.
`python -m selfnorm.training.command <parent's pid>` trains a job that it reads from stdin (see `shards`).
"""

from __future__ import annotations

import errno
import logging
import sys
from typing import TYPE_CHECKING, Literal

import torch

from selfnorm.commandline import missing_extra, never_fail
from selfnorm.config import ConfigError, Job
from selfnorm.data.cache import DataUnavailable
from selfnorm.runs.files import Unreadable
from selfnorm.runs.state import RunFolderBusy
from selfnorm.training.checkpoints import CheckpointRefused
from selfnorm.training.job import run_job
from selfnorm.training.recording import AllSeedsDiverged

if TYPE_CHECKING:
    from selfnorm.tracking.mirror import LastValues

log = logging.getLogger(__name__)


def attempt(
    job: Job, *, busy: Literal["refuse", "skip", "wait"] = "refuse", last_values: LastValues | None = None
) -> int:
    """Train the job and return the exit code.

    busy: what to do about a run that another process is training. last_values: see `run_job`.
    """
    try:
        run_job(job, wait=busy == "wait", last_values=last_values)
    except RunFolderBusy as error:
        if busy == "refuse":
            return _refuse(error, 2)
        print(f"left to the process that trains it: {job.folder}", file=sys.stderr)
    except (ConfigError, DataUnavailable, CheckpointRefused, Unreadable) as error:
        return _refuse(error, 2)
    except AllSeedsDiverged as error:
        return _refuse(error, 3)
    except OSError as error:  # a folder that cannot be written, a full disk, a shard that failed
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "; make room, and the same command goes on from the last checkpoint" if full else ""
        return _refuse(f"{error}{hint}", 2 if error.errno == errno.ENAMETOOLONG else 1)
    except Exception as error:
        if _is_out_of_memory(error):
            size = f"model.width={job.model.width}, model.depth={job.model.depth}, {len(job.seeds)} seeds"
            return _refuse(f"not enough memory for {size}; ask for less", 1)
        if problem := missing_extra(error):
            return _refuse(problem, 2)
        log.exception("the job failed: %s", job.folder)
        return 1
    return 0


def _refuse(problem: object, code: int) -> int:
    print(f"train.py: {problem}", file=sys.stderr)
    return code


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    # torch's allocator for the CPU raises a bare RuntimeError, and so does CUDA when it finds no room for its own
    # context: nothing but the words tells these from a fault of ours
    words = ("DefaultCPUAllocator: can't allocate memory", "CUDA error: out of memory")
    return isinstance(error, RuntimeError) and any(text in str(error) for text in words)


if __name__ == "__main__":
    from selfnorm.training.parent_watch import stop_with

    never_fail("stdout", "stderr")
    stop_with(parent=int(sys.argv[1]))
    sys.exit(attempt(Job.model_validate_json(sys.stdin.buffer.read()), busy="wait"))
