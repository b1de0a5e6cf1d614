"""All contenders in turn, round after round, so that whatever else the machine does hits all of them alike.

In: cells. Out: for each cell the medians, and ratios with the range over rounds.
"""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from selfnorm import config
from selfnorm.benchmark.cells import BF16, FP32, JOB, LIGHTNING, LIMIT, STEPS, Cell, compose_job
from selfnorm.benchmark.contenders import (
    Work,
    lightning_as_usual,
    plain_pytorch,
    products_alone,
    replica_steps,
)
from selfnorm.benchmark.start import start_and_memory
from selfnorm.benchmark.whole_job import parts, shares, time_job
from selfnorm.data.splits import Splits, load_splits
from selfnorm.training.memory import keep_freed_memory


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
    """Everything that the table shows, ready for JSON; start: the overrides of the job whose start is timed."""
    keep_freed_memory()  # for every contender alike
    where = torch.device(device)
    trainer = ("trainer=gpu",) if where.type == "cuda" else ()
    found: dict[str, Any] = {"machine": machine(where), "rounds": rounds, "cells": []}
    with tempfile.TemporaryDirectory() as folder, tqdm(total=len(cells) * rounds, unit="round") as bar:
        for cell in cells:
            bar.set_description(cell.name)
            job = cell.job(Path(folder), *trainer, f"data_dir={data_dir}")
            splits = load_splits(job.dataset.name, data_dir=data_dir, train_limit=job.dataset.train_limit)
            contenders = make_contenders(job, splits, where, Path(folder))
            seconds: dict[str, list[float]] = {name: [] for name in (*contenders, JOB)}
            jobs: list[dict[str, float]] = []
            epochs, batches = preview_epochs(job), len(splits.train.y_N) // job.training.batch_size
            for work in contenders.values():
                work(2)  # first steps allocate
            for _ in range(rounds):
                for name, work in contenders.items():
                    seconds[name].append(work(cell.steps))
                jobs.append(parts(time_job(job, where), epochs=epochs, batches=batches))
                seconds[JOB].append(sum(jobs[-1].values()) / (epochs * batches) / len(job.seeds))
                bar.update()
            found["cells"].append(summarize(cell, job, seconds, jobs, batches))
    found["start"] = start_and_memory(start, device, data_dir=data_dir, times=min(rounds, 3))
    return found


def make_contenders(job: config.Job, splits: Splits, device: torch.device, folder: Path) -> dict[str, Work]:
    return {
        FP32: plain_pytorch(job, splits, device, "fp32"),
        BF16: plain_pytorch(job, splits, device, "bf16"),
        LIGHTNING: lightning_as_usual(job, splits, device, folder),
        STEPS: replica_steps(job, splits, device),
        LIMIT: products_alone(job, splits, device),
    }


def summarize(
    cell: Cell, job: config.Job, seconds: dict[str, list[float]], jobs: list[dict[str, float]], batches: int
) -> dict[str, Any]:
    """Milliseconds per seed and step; how many times faster the job and its steps are; where the job's time goes."""
    num_steps = preview_epochs(job) * batches
    fractions = [
        shares(job_parts, bare * len(job.seeds) * num_steps)
        for job_parts, bare in zip(jobs, seconds[STEPS], strict=True)
    ]
    return {
        "cell": cell.name,
        "precision": job.trainer.precision,
        "seeds": len(job.seeds),
        "milliseconds": {name: spread([1e3 * s for s in values]) for name, values in seconds.items()},
        "job_faster_than": {name: ratio(seconds, name, JOB) for name in (FP32, BF16, LIGHTNING)},
        "steps_faster_than": {name: ratio(seconds, name, STEPS) for name in (FP32, BF16, LIGHTNING)},
        "of_limit": {name: ratio(seconds, LIMIT, name) for name in (JOB, STEPS)},
        "shares": {name: spread([part[name] for part in fractions]) for name in fractions[0]},
        "shares_of": f"{preview_epochs(job)} epochs of {batches} batches",
    }


def preview_epochs(job: config.Job) -> int:
    """Epochs of a job of this data set at the default scale, which is what `make figure1` runs."""
    return compose_job(f"dataset={job.dataset.name}").training.epochs


def ratio(seconds: dict[str, list[float]], slower: str, faster: str) -> Spread:
    """How many times as long `slower` takes, round by round."""
    return spread([a / b for a, b in zip(seconds[slower], seconds[faster], strict=True)])


def machine(device: torch.device) -> dict[str, Any]:
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "device": gpu or f"{platform.machine()}, {torch.get_num_threads()} threads",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
