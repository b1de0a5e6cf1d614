"""All contenders in turn, round after round, so that whatever else the machine does hits all of them alike.

In: cells. Out: medians and ratios over the rounds of each cell, and where a job's time goes, ready for JSON.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from selfnorm import config
from selfnorm.benchmark.cells import Cell
from selfnorm.benchmark.contenders import (
    Work,
    lightning_as_usual,
    plain_pytorch,
    products_alone,
    quiet,
    replica_steps,
    synchronize,
)
from selfnorm.benchmark.start import start_and_memory
from selfnorm.data.splits import Splits, load_splits
from selfnorm.networks.moments import is_recorded
from selfnorm.sweeps.compose import compose_job
from selfnorm.training.job import run_job
from selfnorm.training.machine import keep_freed_memory
from selfnorm.training.recording import is_validated

FP32, BF16, LIGHTNING = "plain PyTorch, fp32", "plain PyTorch, bf16", "Lightning as usual, fp32"
JOB, STEPS, LIMIT = "this pipeline, whole job", "this pipeline, steps alone", "matrix products alone"
# Passes of a job that measure, as the recorder names them -> as the table does
PASSES = {"layer_moments": "moments", "training_error": "training error", "evaluation_error": "validation and test"}


class Spread(NamedTuple):
    """Median over rounds, and the least and largest: of five rounds these hold the median with 94 % confidence."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def measure(
    cells: Sequence[Cell], start: tuple[str, ...], *, rounds: int, device: str, data_dir: Path
) -> dict[str, Any]:
    """Measure everything that the page shows; start: the overrides of the job whose start is timed."""
    keep_freed_memory()  # for every contender alike
    where = torch.device(device)
    measured: dict[str, Any] = {"machine": _machine(where), "rounds": rounds, "cells": []}
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(cells) * rounds, unit="round") as bar:
        for cell in cells:
            bar.set_description(cell.name)
            trainer = "trainer=gpu" if where.type == "cuda" else "trainer=cpu"
            job = cell.job(Path(folder), trainer, f"data_dir={data_dir}")
            splits = load_splits(
                job.dataset.declaration,
                data_dir=data_dir,
                train_limit=job.dataset.train_limit,
                standardize=job.dataset.standardize,
            )
            contenders = _contenders(job, splits, where, Path(folder))
            for work in contenders.values():
                work(2)  # first steps allocate
            epochs = compose_job(f"dataset={job.dataset.name}", "logger.mode=disabled").training.epochs  # figure1
            batches = len(splits.train.y_N) // job.training.batch_size
            seconds: dict[str, list[float]] = {name: [] for name in (FP32, BF16, LIGHTNING, JOB, STEPS, LIMIT)}
            shares: list[dict[str, float]] = []
            for _ in range(rounds):
                for name, work in contenders.items():
                    seconds[name].append(work(cell.steps))
                parts = parts_of_a_job(time_job(job, where), epochs=epochs, batches=batches)
                per_step = epochs * batches * len(job.seeds)
                seconds[JOB].append(sum(parts.values()) / per_step)
                shares.append(shares_of_a_job(parts, seconds[STEPS][-1] * per_step))
                bar.update()
            about = {"cell": cell.name, "precision": job.trainer.precision, "seeds": len(job.seeds)}
            shares_of = {"shares_of": f"{epochs} epochs of {batches} batches"}
            measured["cells"].append(about | summarize(seconds, shares) | shares_of)
    measured["start"] = start_and_memory(start, device, data_dir=data_dir, times=min(rounds, 3))
    return measured


def _contenders(job: config.Job, splits: Splits, device: torch.device, folder: Path) -> dict[str, Work]:
    return {
        FP32: plain_pytorch(job, splits, device, "fp32"),
        BF16: plain_pytorch(job, splits, device, "bf16"),
        LIGHTNING: lightning_as_usual(job, splits, device, folder),
        STEPS: replica_steps(job, splits, device),
        LIMIT: products_alone(job, splits, device),
    }


def summarize(seconds: dict[str, list[float]], shares: list[dict[str, float]]) -> dict[str, Any]:
    """Take spreads over the rounds: milliseconds, factors by which ours is faster, fractions of the limit, shares."""

    def ratio(slower: str, faster: str) -> Spread:
        return spread([a / b for a, b in zip(seconds[slower], seconds[faster], strict=True)])

    faster = {f"whole job, against {name}": ratio(name, JOB) for name in (FP32, BF16, LIGHTNING)}
    return {
        "milliseconds": {name: spread([1e3 * value for value in values]) for name, values in seconds.items()},
        "faster": faster | {f"steps alone, against {FP32}": ratio(FP32, STEPS)},
        "of_limit": {f"{name}, of the limit": ratio(LIMIT, name) for name in (JOB, STEPS)},
        "shares": {name: spread([round_[name] for round_ in shares]) for name in shares[0]},
    }


class JobTimes(NamedTuple):
    """seconds: the time of training. steps: optimizer steps. passes: seconds of each call of a pass that measures."""

    seconds: float
    steps: int
    passes: dict[str, list[float]]


def time_job(job: config.Job, device: torch.device) -> JobTimes:
    """Train the job from the beginning, with recording, W&B offline and progress bar."""
    passes: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        synchronize(device)
        start = time.perf_counter()
        yield
        synchronize(device)
        passes[name].append(time.perf_counter() - start)

    with quiet():
        summary = run_job(job.model_copy(update={"overwrite": True}), timed=timed)
    return JobTimes(summary["seconds"], summary["steps"], passes)


def parts_of_a_job(times: JobTimes, *, epochs: int, batches: int) -> dict[str, float]:
    """Scale to `epochs` epochs of `batches` batches: seconds of the steps and of each pass, from a shorter job's times.

    A job that is short enough to be timed often measures more often than a real one: it is nearly all beginning.
    """
    step = (times.seconds - sum(map(sum, times.passes.values()))) / times.steps
    counts = {
        "training_error": epochs + 1,
        "layer_moments": sum(is_recorded(epoch, None) for epoch in range(epochs)) + 1,
        "evaluation_error": sum(is_validated(epoch, None) for epoch in range(epochs)) + 2,
    }
    return {name: counts[name] * median(times.passes[name]) for name in PASSES} | {"steps": epochs * batches * step}


def shares_of_a_job(seconds: dict[str, float], bare: float) -> dict[str, float]:
    """Fractions of a job's time from its parts' seconds; bare: seconds that its steps take in a bare loop."""
    whole, error = sum(seconds.values()), seconds["training_error"]
    return (
        {"Lightning, W&B, bar, checkpoints": max(0.0, seconds["steps"] - bare) / whole}
        | {label: seconds[name] / whole for name, label in PASSES.items()}
        | {"training error, of an epoch": error / (seconds["steps"] + error)}
    )


def _machine(device: torch.device) -> dict[str, Any]:
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "device": gpu or f"{platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
