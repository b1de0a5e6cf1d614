"""What a job needs of the machine, known before a file is written: devices, processes, memory, folders.

In: a job. Out: nothing, or an error that says what is missing.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from lightning_fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from selfnorm import config
from selfnorm.data.catalogue import NUM_CLASSES
from selfnorm.training.sweep import NUM_INPUTS

GIB = 2**30


class DeviceUnavailable(RuntimeError):
    """The machine has not what the job asks for."""


def check_machine(job: config.Job) -> None:
    """Raises DeviceUnavailable or ConfigError if this machine, as its processes were started, cannot run the job."""
    _check_data_folder(job)
    if job.trainer.accelerator == "cuda":
        _check_gpus(job.trainer)
    _check_processes(job.trainer)
    _check_memory(job)


def process_rank() -> int:
    """This process's rank before a trainer exists, from the launcher's environment variables; 0 alone writes files."""
    return getattr(rank_zero_only, "rank", None) or 0


def _check_data_folder(job: config.Job) -> None:
    path = Path(job.data_dir)
    there = next(part for part in (path, *path.absolute().parents) if part.exists())
    if not there.is_dir():
        raise config.ConfigError(f"data_dir={path}: {there} is not a folder; give another")


def _check_gpus(part: config.Trainer) -> None:
    there = torch.cuda.device_count()
    wanted = 1 if part.devices == "auto" else part.devices
    if there < wanted:
        raise DeviceUnavailable(
            f"trainer={part.name} needs {wanted} CUDA device{'s' if wanted > 1 else ''} and torch sees {there}; "
            "use trainer=cpu, or a torch build for this machine's GPU"
        )


def _check_processes(part: config.Trainer) -> None:
    """Whoever started several processes, and the trainer, must mean the same number of them."""
    torchrun = TorchElasticEnvironment.detect()
    slurm = not torchrun and SLURMEnvironment.detect()
    if part.num_nodes > 1 and part.strategy == "ddp" and not (torchrun or slurm or "MASTER_ADDR" in os.environ):
        raise DeviceUnavailable(
            f"trainer.num_nodes={part.num_nodes} needs a launcher on every node: torchrun, srun, or MASTER_ADDR and "
            "NODE_RANK in the environment"
        )
    started = int(os.environ["WORLD_SIZE" if torchrun else "SLURM_NTASKS"]) if torchrun or slurm else 1
    wanted = 1 if part.strategy == "auto" else None if part.devices == "auto" else part.devices * part.num_nodes
    if started > 1 and wanted not in (None, started):
        launcher = "torchrun" if torchrun else "srun"
        raise DeviceUnavailable(
            f"{launcher} started {started} processes and trainer={part.name} trains in {wanted}; start {wanted}, or "
            f"use trainer=ddp (ddp_cpu without GPUs) with trainer.devices * trainer.num_nodes = {started}"
        )
    if slurm and started > 1:
        _check_srun(part, started)


def _check_srun(part: config.Trainer, started: int) -> None:
    """What Lightning would object to once there is a run folder."""
    if "SLURM_NTASKS_PER_NODE" not in os.environ:
        raise DeviceUnavailable(
            f"srun was not told how many of its {started} processes a node has; start it with "
            f"--nodes={part.num_nodes} --ntasks-per-node={started // part.num_nodes}"
        )
    there = int(os.environ["SLURM_NTASKS_PER_NODE"])
    nodes = int(os.environ.get("SLURM_NNODES", part.num_nodes))
    if nodes != part.num_nodes or part.devices not in ("auto", there):
        raise DeviceUnavailable(
            f"srun started {there} processes on each of {nodes} nodes; say trainer.devices={there} "
            f"trainer.num_nodes={nodes}"
        )


def _check_memory(job: config.Job) -> None:
    """A network whose weights and gradients alone exceed the memory is refused; what fits may still be too much."""
    num_inputs, layers = NUM_INPUTS[job.dataset.name], job.model.depth - 1
    width = job.model.width or num_inputs
    weights = num_inputs * width + layers * width**2 + width * NUM_CLASSES
    needed = 2 * 4 * weights * len(job.seeds)
    if job.trainer.accelerator == "cuda":
        if job.trainer.shard == "seeds":
            return  # each device's part is a job of its own and is checked there
        there = torch.cuda.get_device_properties(0).total_memory
    else:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if needed > there:
        raise DeviceUnavailable(
            f"model.width={width}, model.depth={job.model.depth} and {len(job.seeds)} seeds need at least "
            f"{needed / GIB:,.0f} GiB of memory, of {there / GIB:,.0f} here; ask for less"
        )
