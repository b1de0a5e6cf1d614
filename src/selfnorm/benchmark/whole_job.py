"""The whole job as users run it, and where its time goes.

In: a cell. Out: seconds per seed and step, and the time of each pass that is no training step.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from unittest.mock import patch

import torch

from selfnorm import config
from selfnorm.benchmark.contenders import quiet, synchronize
from selfnorm.training import job as job_module
from selfnorm.training import recording

PASSES = ("training_error", "evaluation_error", "layer_moments")


@dataclass
class JobTimes:
    """seconds: of the fit. passes: seconds of each call of a pass that measures. steps: optimizer steps."""

    seconds: float = 0.0
    steps: int = 0
    passes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def time_job(job: config.Job, device: torch.device) -> JobTimes:
    """Train the job from the beginning, with recording, W&B offline and progress bar."""
    times = JobTimes()
    with quiet(), _timed_passes(times, device):
        summary = job_module.run_job(job.model_copy(update={"overwrite": True}))
    times.seconds, times.steps = summary["seconds"], summary["steps"]
    return times


@contextmanager
def _timed_passes(times: JobTimes, device: torch.device) -> Iterator[None]:
    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            synchronize(device)
            start = time.perf_counter()
            result = function(*arguments, **named)
            synchronize(device)
            times.passes[name].append(time.perf_counter() - start)
            return result

        return call

    with ExitStack() as patches:
        for name in PASSES:
            patches.enter_context(patch.object(recording, name, timed(name, getattr(recording, name))))
        yield


def parts(times: JobTimes, *, epochs: int, batches: int) -> dict[str, float]:
    """Seconds of each part of a job of `epochs` epochs of `batches` batches, at what the part took here.

    A job that is short enough to be timed often measures more often than a real one: it is nearly all beginning.
    """
    step = (times.seconds - sum(map(sum, times.passes.values()))) / times.steps
    counts = {
        "training_error": epochs + 1,
        "layer_moments": sum(recording.is_recorded(epoch, None) for epoch in range(epochs)) + 1,
        "evaluation_error": sum(recording.is_validated(epoch, None) for epoch in range(epochs)) + 2,
    }
    return {name: counts[name] * median(times.passes[name]) for name in PASSES} | {"steps": epochs * batches * step}


def shares(seconds: dict[str, float], bare: float) -> dict[str, float]:
    """Fractions of a job's time, of its `parts`; bare: seconds of its steps in a bare loop."""
    whole, error = sum(seconds.values()), seconds["training_error"]
    return {name: seconds[name] / whole for name in PASSES} | {
        "error_of_epoch": error / (seconds["steps"] + error),
        "around": max(0.0, seconds["steps"] - bare) / whole,
    }
