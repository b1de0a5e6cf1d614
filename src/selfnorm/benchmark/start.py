"""Seconds from the command to the first optimizer step, and the most memory a job takes, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from selfnorm import config
from selfnorm.benchmark.cells import compose_job
from selfnorm.data.catalogue import NUM_CLASSES
from selfnorm.training.sweep import NUM_INPUTS

ROOT = Path(__file__).parents[3]
IMPORTS = (
    "import torch, pytorch_lightning, torchmetrics, wandb, pandas, selfnorm.training.job, "
    "matplotlib.pyplot, selfnorm.analysis.figures.one_run, selfnorm.review.expected"
)


def start_and_memory(overrides: tuple[str, ...], device: str, *, data_dir: Path, times: int = 3) -> dict[str, Any]:
    """Of `python train.py <overrides>` with its data cached.

    The first row of curves.csv is written just before the first step. Memory: the process's peak without what importing
    the libraries takes, and the floor: parameters and their gradients, standardized data, activations of one batch.
    """
    trainer = ("trainer=gpu",) if device == "cuda" else ()
    seconds, peaks = [], []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            arguments = [*overrides, *trainer, f"data_dir={data_dir.resolve()}", f"runs_dir={folder}"]
            first, peak = _watch([sys.executable, "train.py", *arguments], Path(folder))
            seconds.append(first)
            peaks.append(peak)
    _, imports = _watch([sys.executable, "-c", IMPORTS], None)
    job = compose_job(*overrides)
    return {
        "command": f"python train.py {' '.join(overrides)}",
        "times": times,
        "seconds_to_first_step": median(seconds),
        "peak_mib": median(peaks) - imports,
        "imports_mib": imports,
        "floor_mib": floor_bytes(job) / 2**20,
    }


def floor_bytes(job: config.Job) -> float:
    """Bytes of parameters, gradients, the three splits and one batch's activations (z and a), in single precision."""
    num_inputs = NUM_INPUTS[job.dataset.name]
    width = job.model.width or num_inputs
    parameters = num_inputs * width + (job.model.depth - 1) * width**2 + width * NUM_CLASSES
    held_out = {"digits": 517}.get(job.dataset.name, 20_000)
    samples = (job.dataset.train_limit or config.NUM_TRAIN[job.dataset.name]) + held_out
    activations = job.training.batch_size * (num_inputs + 2 * job.model.depth * width)
    return 4.0 * (len(job.seeds) * (2 * parameters + activations) + samples * num_inputs)


def _watch(command: list[str], folder: Path | None) -> tuple[float, float]:
    """Seconds until a curve below `folder` has a row, and peak memory in MiB. RuntimeError if the process fails."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first, peak = None, 0.0
    while process.poll() is None:
        peak = max(peak, _peak_mib(process.pid))
        if folder is not None and first is None and any(_has_row(path) for path in folder.rglob("curves.csv")):
            first = time.perf_counter() - start
        time.sleep(0.01)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed; run it to see why")
    return first or 0.0, peak


def _has_row(curves: Path) -> bool:
    return curves.read_bytes().count(b"\n") > 1


def _peak_mib(pid: int) -> float:
    """The kernel's own mark; that of `wait4` begins at what this process holds, from which the other was forked."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
