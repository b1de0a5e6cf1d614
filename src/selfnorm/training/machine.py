"""The machine that a job runs on: whether it can, known before a file is written; its memory; its description.

In: a job. Out: nothing, or a ConfigError that says what is missing; plain values for environment.json.
"""

from __future__ import annotations

import ctypes
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from selfnorm import config

GIB = 2**30
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
PACKAGES = ("selfnorm", "torch", "pytorch-lightning", "torchmetrics", "hydra-core", "wandb", "numpy")


def check_machine(job: config.Job) -> None:
    """Raises ConfigError if this machine, as its processes were started, cannot run the job."""
    path = Path(job.data_dir)
    try:
        nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
        if nearest.is_dir():
            os.scandir(nearest).close()
        else:
            raise config.ConfigError(f"data_dir={path}: {nearest} is not a folder; give another")
    except OSError as error:
        reason = str(error.strerror).lower()
        raise config.ConfigError(f"data_dir={path}: {error.filename} cannot be read ({reason}); give another") from None
    if job.trainer.accelerator == "cuda":
        _check_gpus(job.trainer)
    _check_processes(job.trainer)
    _check_memory(job)


def process_rank() -> int:
    """This process's rank before a trainer exists, from the launcher's environment variables; only rank 0 writes."""
    return getattr(rank_zero_only, "rank", None) or 0


def slurm() -> list[ClusterEnvironment]:
    """SLURM's ranks where srun started several processes, else none of SLURM's: a script of sbatch is one process.

    Without Lightning's requeueing: its checkpoints lie in the working folder, which the cells of a sweep share, and
    would be taken for any of them.
    """
    if TorchElasticEnvironment.detect() or "SLURM_NTASKS" not in os.environ:
        return []
    return [SLURMEnvironment(auto_requeue=False) if _started_by_srun() > 1 else LightningEnvironment()]


def _started_by_srun() -> int:
    """The number of processes of this job step; 1 without srun. SLURM_NTASKS is what the allocation has room for."""
    return _number("SLURM_STEP_NUM_TASKS", 1)


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, str(default))
    if not text.isdecimal():
        raise config.ConfigError(f"the environment variable {variable}={text} is not a number: unset it")
    return int(text)


def _check_gpus(trainer: config.Trainer) -> None:
    available = torch.cuda.device_count()
    wanted = 1 if trainer.devices == "auto" else trainer.devices
    if available < wanted:
        raise config.ConfigError(
            f"trainer={trainer.name} needs {wanted} CUDA device{'s' if wanted > 1 else ''} and torch sees {available}; "
            "use trainer=cpu, or a torch build for this machine's GPU"
        )


def _check_processes(trainer: config.Trainer) -> None:
    """Refuse a job that was started in another number of processes than its trainer will train in."""
    torchrun = TorchElasticEnvironment.detect()
    srun = not torchrun and _started_by_srun() > 1
    if trainer.num_nodes > 1 and trainer.strategy == "ddp" and not (torchrun or srun or "MASTER_ADDR" in os.environ):
        raise config.ConfigError(
            f"trainer.num_nodes={trainer.num_nodes} needs a launcher on every node: torchrun, srun, or MASTER_ADDR and "
            "NODE_RANK in the environment"
        )
    started = _number("WORLD_SIZE", 1) if torchrun else _started_by_srun()
    if trainer.strategy == "auto":
        wanted = 1
    else:
        wanted = started if trainer.devices == "auto" else trainer.devices * trainer.num_nodes
    if started > 1 and wanted != started:
        launcher = "torchrun" if torchrun else "srun"
        raise config.ConfigError(
            f"{launcher} started {started} processes and trainer={trainer.name} trains in {wanted}; start {wanted}, or "
            f"use trainer=ddp (ddp_cpu without GPUs) with trainer.devices * trainer.num_nodes = {started}"
        )
    if srun:
        _check_srun(trainer, started)


def _check_srun(trainer: config.Trainer, started: int) -> None:
    """Refuse what Lightning would object to only when there is a run folder."""
    if "SLURM_NTASKS_PER_NODE" not in os.environ:
        raise config.ConfigError(
            f"srun was not told how many of its {started} processes a node has; start it with "
            f"--nodes={trainer.num_nodes} --ntasks-per-node={started // trainer.num_nodes}"
        )
    per_node = _number("SLURM_NTASKS_PER_NODE", 1)
    nodes = _number("SLURM_NNODES", trainer.num_nodes)
    if nodes != trainer.num_nodes or trainer.devices not in ("auto", per_node):
        raise config.ConfigError(
            f"srun started {per_node} processes on each of {nodes} nodes; say trainer.devices={per_node} "
            f"trainer.num_nodes={nodes}"
        )


def _check_memory(job: config.Job) -> None:
    """Refuse a network whose weights and gradients alone exceed the memory; one that passes may still be too large."""
    copies = job.recording.forks.copies if job.recording.forks else 0
    needed = 2 * 4 * job.num_weights * len(job.seeds) * (1 + copies)
    if job.trainer.accelerator == "cuda":
        if job.trainer.shard == "seeds":
            return  # each device's seeds are a job that is checked by itself
        memory = torch.cuda.get_device_properties(0).total_memory
    else:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > memory:
        raise config.ConfigError(
            f"{job.model.depth} layers of {max(job.sizes[1:-1])} units and {len(job.seeds)} seeds need at least "
            f"{needed / GIB:,.0f} GiB of memory, of {memory / GIB:,.0f} here; ask for less"
        )


def keep_freed_memory() -> None:
    """Stop glibc from returning large blocks to the system: each step's gradients would be page faults again.

    At width 784 with four seeds 17 000 faults a step took up to half of its time (docs/speed.md). With another C
    library, do nothing.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, GIB)  # blocks above this still come and go
        libc.mallopt(M_TRIM_THRESHOLD, 2 * GIB - 1)


def describe_environment() -> dict[str, Any]:
    """Describe what a run is computed with: command, versions, machine, devices and commit."""
    return {
        "command": shlex.join(["python", *sys.argv]),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()) if torch.cuda.is_available()],
        **_commit(),
    }


def _commit() -> dict[str, str | bool | None]:
    """The commit of the code and whether it was changed since; None where the code's own files are not tracked.

    An environment inside another project's repository must not give that project's commit.
    """
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return {"git_commit": None, "git_dirty": None}
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {"git_commit": _git("rev-parse", "HEAD"), "git_dirty": None if changes is None else bool(changes)}


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def _git(*arguments: str) -> str | None:
    """Ask git about the checkout that holds the code; None where it has no answer."""
    try:
        command = ["git", "--no-optional-locks", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
