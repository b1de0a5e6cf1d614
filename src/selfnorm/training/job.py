"""One job, from a checked configuration to a finished run folder.

The folder's files and states are described in `runs.layout`.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
import yaml
from pytorch_lightning.utilities.exceptions import SIGTERMException
from safetensors.torch import save
from torch import distributed

from selfnorm import config
from selfnorm.data.splits import load_splits
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.runs import layout
from selfnorm.runs.files import write_atomically, write_json
from selfnorm.runs.state import claim, digests, is_finished, read_summary
from selfnorm.training.checkpoints import (
    AtomicCheckpointIO,
    Checkpointer,
    Preemption,
    ending_on_signals,
    verify_checkpoint,
)
from selfnorm.training.machine import check_machine, describe_environment, keep_freed_memory, process_rank, slurm
from selfnorm.training.module import ReplicaClassifier, ReplicaDataModule
from selfnorm.training.recording import AllSeedsDiverged, Recorder, Timed

if TYPE_CHECKING:
    from selfnorm.tracking.mirror import LastValues, Mirror

log = logging.getLogger(__name__)

# Lightning 2.6 beside torch 2.13: a deprecation inside Lightning that no user can act on
warnings.filterwarnings("ignore", message=r".*treespec, LeafSpec.*")
# A process that has no chunk of a small split adds nothing to its sums; torchmetrics warns of it under srun alone
warnings.filterwarnings("ignore", message=r"The ``compute`` method of metric ReplicaError was called before")


def run_job(
    job: config.Job, *, wait: bool = False, last_values: LastValues | None = None, timed: Timed = nullcontext
) -> dict[str, Any]:
    """Train, resume, or skip what is finished; returns the summary.

    wait: if another process trains this run, wait until it ends. last_values: turns a finished run's folder into what
    W&B shows beside its rows. timed: see Recorder.

    Raises ConfigError, RunFolderBusy, DataUnavailable, CheckpointRefused, Unreadable, ChildProcessError (see `shards`),
    and AllSeedsDiverged when no network survived.
    """
    check_machine(job)
    table = None
    if isinstance(job.activation, config.Custom):
        from selfnorm.networks.probing import check_same_function, probe

        table = probe(job.activation)
    keep_freed_memory()
    folder = job.folder
    if job.trainer.strategy == "ddp" and process_rank() != 0:  # trains along with rank 0 and writes nothing
        return read_summary(folder) if not job.overwrite and is_finished(folder) else _train(job, None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        reason = str(error.strerror).lower()
        raise config.ConfigError(f"runs_dir={job.runs_dir}: {reason}; give another folder") from None
    with claim(folder, wait=wait):
        if table and not job.overwrite:
            check_same_function(folder, table)
        if job.overwrite:
            from selfnorm.runs.clearing import clear

            clear(folder)
        elif is_finished(folder):
            (folder / layout.CHECKPOINT).unlink(missing_ok=True)  # left by a run that was killed before it removed it
            print(f"finished already, not trained again (overwrite=true does): {folder}", file=sys.stderr)
            return read_summary(folder)
        elif read_summary(folder).get("state") == layout.FINISHED:
            (folder / layout.CHECKPOINT).unlink(missing_ok=True)  # older than what is missing; the tables start again
            print(f"says finished but is not whole, trained again: {folder}", file=sys.stderr)
        with ending_on_signals():
            return _train_and_record(job, last_values, timed, table)


def _train_and_record(
    job: config.Job, last_values: LastValues | None, timed: Timed, table: dict[str, Any] | None
) -> dict[str, Any]:
    """Write the run's description, train, write the outcome."""
    folder = job.folder
    cautions = list(job.warnings)
    if table:
        from selfnorm.networks.probing import warnings_of

        cautions += warnings_of(job, table)
        write_atomically(folder / layout.ACTIVATION, json.dumps(table))
    for caution in cautions:
        log.warning("self-normalization: %s", caution)
    environment = describe_environment()
    write_atomically(folder / layout.CONFIG, yaml.safe_dump(job.model_dump(by_alias=True), sort_keys=False))
    write_json(folder / layout.ENVIRONMENT, environment)
    mirror = None
    summary: dict[str, Any] = {"state": layout.FAILED, "seeds": job.seeds}
    try:
        write_json(folder / layout.SUMMARY, summary | {"state": layout.RUNNING})
        if job.logger.mode != "disabled" and os.environ.get("WANDB_DISABLED", "").lower() not in ("true", "1"):
            from selfnorm.tracking.mirror import Mirror

            mirror = Mirror(job, folder, environment, last_values)
        if job.trainer.shard == "seeds":
            from selfnorm.training.shards import train_shards

            summary = train_shards(job, mirror)
        else:
            summary = _train(job, mirror, timed)
        tables = (*layout.TABLES, *([layout.FORKS] if job.recording.forks else []))
        summary["digests"] = digests(folder, (*tables, layout.NETWORK))
    except AllSeedsDiverged as error:
        summary |= {"state": layout.DIVERGED, "reason": str(error), **error.known}
        raise
    except (KeyboardInterrupt, SystemExit) as error:
        summary["state"] = layout.INTERRUPTED
        raise SystemExit(_say_interrupted(job, error)) from None
    except BaseException as error:
        summary["reason"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        write_json(folder / layout.SUMMARY, summary)
        if mirror:
            mirror.finish(summary, exit_code=0 if summary["state"] == layout.FINISHED else 1)
    (folder / layout.CHECKPOINT).unlink(missing_ok=True)  # not before the summary: a run killed in between resumes here
    for name in (layout.SHARDS, layout.REPLACED):
        shutil.rmtree(folder / name, ignore_errors=True)
    from selfnorm.training.progress import in_one_sentence

    print(f"{in_one_sentence(job, summary)}\n{shown(folder)}", file=sys.stderr)
    return summary


def shown(folder: Path) -> Path:
    """The run folder as people know it: that of a part (`trainer.shard=seeds`) is gone in the end."""
    return next((path.parent for path in folder.parents if path.name == layout.SHARDS), folder)


def _say_interrupted(job: config.Job, error: BaseException) -> int:
    """Say how to go on; returns the exit code, so that a scheduler sees what Lightning would hide (0 or 1)."""
    again = "the same command without overwrite=true" if job.overwrite else "the same command"
    print(f"interrupted; {again} goes on from the last checkpoint: {shown(job.folder)}", file=sys.stderr)
    terminated = isinstance(error, SIGTERMException) and error.code != 128 + SIGINT  # see Preemption
    return 128 + (SIGTERM if terminated else SIGINT)


def _train(job: config.Job, mirror: Mirror | None, timed: Timed = nullcontext) -> dict[str, Any]:
    """Build the objects, fit, and sum up; rank 0 alone writes."""
    splits = load_splits(
        job.dataset.declaration,
        data_dir=Path(job.data_dir),
        train_limit=job.dataset.train_limit,
        standardize=job.dataset.standardize,
    )
    network = ReplicaMLP(job, splits.num_features, splits.num_classes)
    if job.model.initialization == "lsuv":
        batch_BF = splits.train.x_NF[: job.training.batch_size]
        network.scale_to_unit_variance(batch_BF.expand(len(job.seeds), -1, -1))
    module = ReplicaClassifier(job, network)
    checkpoint = job.folder / layout.CHECKPOINT
    preemption, forking = Preemption(checkpoint), None
    if job.recording.forks:
        from selfnorm.training.forking import Forking

        forking = Forking(job, job.recording.forks, preemption)
    recorder = Recorder(job, mirror, forking, timed)
    checkpointer = Checkpointer(checkpoint, job, recorder.tables, forking.is_due if forking else None)
    callbacks: list[pl.Callback] = [recorder, checkpointer, preemption]
    if job.progress:
        from selfnorm.training.progress import Progress

        callbacks.append(Progress(recorder, f"{job.dataset.label} {job.network} d{job.model.depth}"))
    trainer = make_trainer(job, callbacks)
    datamodule = ReplicaDataModule(splits, seeds=job.seeds, batch_size=job.training.batch_size)
    resumes = checkpoint.exists() and not job.overwrite  # rank 0 may still be clearing the folder
    if resumes:
        verify_checkpoint(checkpoint, job, module)
    try:  # nothing in a checkpoint may execute
        trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint if resumes else None, weights_only=True)
    finally:
        if distributed.is_initialized():  # its threads would abort a process that ends while they run
            distributed.destroy_process_group()
    if trainer.is_global_zero:
        weights = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
        weights |= dict(zip(layout.STANDARDIZATION, (splits.mean_F, splits.std_F), strict=True))
        write_atomically(job.folder / layout.NETWORK, save(weights))
    return recorder.summary(trainer.global_step)


def make_trainer(job: config.Job, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's trainer, with everything that the callbacks do themselves switched off."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # no banners between the lines that matter
    return pl.Trainer(
        accelerator=job.trainer.accelerator,
        devices=job.trainer.devices,
        num_nodes=job.trainer.num_nodes,
        strategy=job.trainer.strategy,
        precision="bf16-mixed" if job.trainer.precision == "bf16" else "32-true",
        max_epochs=job.training.epochs,
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO(), *slurm()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,  # ReplicaBatches hands each process its share
    )
