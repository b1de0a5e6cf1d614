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
from selfnorm.runs.layout import CURVES
from selfnorm.sweeps.compose import compose_job

ROOT = Path(__file__).parents[3]
IMPORTS = (
    "import torch, pytorch_lightning, torchmetrics, wandb, pandas, selfnorm.training.command, "
    "matplotlib.pyplot, selfnorm.analysis.figures.one_run, selfnorm.theory.expected"
)


def start_and_memory(overrides: tuple[str, ...], device: str, *, data_dir: Path, times: int = 3) -> dict[str, Any]:
    """Start `python train.py <overrides>` several times with its data cached.

    The first row of curves.csv is written just before the first step. Memory is the process's peak beyond what the
    imported libraries take.
    """
    trainer = ("trainer=gpu",) if device == "cuda" else ()
    seconds, peaks = [], []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            arguments = [*overrides, *trainer, f"data_dir={data_dir.resolve()}", f"runs_dir={folder}"]
            first, peak = _watch(["train.py", *arguments], Path(folder))
            seconds.append(first)
            peaks.append(peak)
        _, imports = _watch(["-c", IMPORTS], Path(folder))
    return {
        "command": f"python train.py {' '.join(overrides)}",
        "times": times,
        "seconds_to_first_step": median(seconds),
        "peak_mib": median(peaks) - imports,
        "imports_mib": imports,
        "floor_mib": floor_bytes(compose_job(*overrides)) / 2**20,
    }


def floor_bytes(job: config.Job) -> float:
    """Count the bytes of parameters, gradients, all samples and a batch's activations (z and a) in single precision."""
    dataset = job.dataset.declaration
    samples = (job.dataset.train_limit or dataset.num_train) + dataset.num_validation + dataset.num_test
    num_inputs, *widths, _ = job.sizes
    activations = job.training.batch_size * (num_inputs + 2 * sum(widths))
    return 4.0 * (len(job.seeds) * (2 * job.num_weights + activations) + samples * num_inputs)


def _watch(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Run Python; returns the seconds until a curve below `folder` has a row, and the peak memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    first = peak = 0.0
    while process.poll() is None:
        peak = max(peak, _peak_mib(process.pid))
        if not first and any(curves.read_bytes().count(b"\n") > 1 for curves in folder.rglob(CURVES)):
            first = time.perf_counter() - start
        time.sleep(0.01)
    if process.returncode:
        raise RuntimeError(f"python {' '.join(arguments)} failed; run it to see why")
    return first, peak


def _peak_mib(pid: int) -> float:
    """Read the kernel's mark: that of `wait4` would begin at the memory of this process, from which it was forked."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
