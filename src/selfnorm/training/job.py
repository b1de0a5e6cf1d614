"""One job, from a checked configuration to a finished run folder.

runs/<tag>/<dataset>/<network>/d<depth>-<hash>/ receives config.yaml, environment.json, curves.csv, moments.csv,
summary.json (its state: running, finished, diverged, interrupted, failed), network.safetensors and its row in a list.
"""

from __future__ import annotations

import errno
import json
import logging
import shutil
import sys
import warnings
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any, Literal

import pytorch_lightning as pl
import yaml
from pytorch_lightning.utilities.exceptions import SIGTERMException
from safetensors.torch import save

from selfnorm import config
from selfnorm.data.datamodule import ReplicaDataModule
from selfnorm.data.splits import DataUnavailable, load_splits
from selfnorm.finished import says_finished
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.tracking.mirror import Mirror
from selfnorm.training.callbacks import Progress
from selfnorm.training.checkpoints import CHECKPOINT, BesideTheOld, Checkpointer, CheckpointRefused, checked
from selfnorm.training.claim import LOCK, RunFolderBusy, claim
from selfnorm.training.devices import DeviceUnavailable, check_machine, process_rank
from selfnorm.training.environment import describe_environment
from selfnorm.training.files import write_atomically, write_json
from selfnorm.training.memory import keep_freed_memory
from selfnorm.training.module import ReplicaClassifier
from selfnorm.training.preemption import Preemption, scheduler
from selfnorm.training.recording import AllSeedsDiverged, Recorder
from selfnorm.training.shards import PARTS, PartFailed, train_shards
from selfnorm.training.summary import in_one_sentence, summarize

log = logging.getLogger(__name__)

# Lightning 2.6 beside torch 2.13: a deprecation inside Lightning that no user can act on
warnings.filterwarnings("ignore", message=r".*treespec, LeafSpec.*")
# A process that has no chunk of a small split adds nothing to its sums; torchmetrics warns of it under srun alone
warnings.filterwarnings("ignore", message=r"The ``compute`` method of metric ReplicaError was called before")


def attempt(job: config.Job, *, busy: Literal["refuse", "skip", "wait"] = "refuse") -> int:
    """`run_job` for a command line: a failure becomes a line (or, if it is ours, a traceback) and an exit code.

    busy: what to do about a run that another process is training.
    """
    try:
        run_job(job, wait=busy == "wait")
    except RunFolderBusy as error:
        print(f"train.py: {error}" if busy == "refuse" else f"left to the process that trains it: {job.folder}",
              file=sys.stderr)  # fmt: skip
        return 2 if busy == "refuse" else 0
    except (config.ConfigError, DeviceUnavailable, DataUnavailable, CheckpointRefused) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    except AllSeedsDiverged as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 3
    except OSError as error:  # a folder that cannot be written, a full disk
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "; make room, and the same command goes on from the last checkpoint" if full else ""
        print(f"train.py: {error}{hint}", file=sys.stderr)
        return 2 if error.errno == errno.ENAMETOOLONG else 1
    except PartFailed as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    except (MemoryError, RuntimeError) as error:
        if "allocate" not in str(error) and "out of memory" not in str(error):
            log.exception("the job failed: %s", job.folder)
            return 1
        size = f"model.width={job.model.width}, model.depth={job.model.depth}, {len(job.seeds)} seeds"
        print(f"train.py: not enough memory for {size}; ask for less", file=sys.stderr)
        return 1
    except Exception:
        log.exception("the job failed: %s", job.folder)
        return 1
    return 0


def run_job(job: config.Job, *, wait: bool = False) -> dict[str, Any]:
    """Train, resume, or skip what is finished; returns the summary.

    wait: for another process that trains this run, to its end.

    Raises DeviceUnavailable, RunFolderBusy, DataUnavailable, and AllSeedsDiverged when no network survived.
    """
    check_machine(job)
    keep_freed_memory()
    folder = job.folder
    if job.trainer.strategy == "ddp" and process_rank() != 0:  # trains along with rank 0 and writes nothing
        if job.is_finished and not job.overwrite:
            return json.loads((folder / "summary.json").read_text())
        silent = job.model_copy(update={"logger": config.Logger(mode="disabled"), "progress": False})
        return _train(silent, folder, Mirror(silent, folder, {}))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise config.ConfigError(
            f"runs_dir={job.runs_dir}: {str(error.strerror).lower()}; give another folder"
        ) from None
    with claim(folder, wait=wait):
        if job.is_finished and not job.overwrite:
            (folder / CHECKPOINT).unlink(missing_ok=True)  # of a run that was killed just before it went
            print(f"finished already, not trained again (overwrite=true does): {folder}", file=sys.stderr)
            _keep_row(folder)
            return json.loads((folder / "summary.json").read_text())
        if job.overwrite:
            _clear(folder)
        elif says_finished(folder):
            (folder / CHECKPOINT).unlink(missing_ok=True)  # older than what is missing; the tables are begun anew
            print(f"says finished but is not whole, trained again: {folder}", file=sys.stderr)
        return _train_and_record(job, folder)


def _train_and_record(job: config.Job, folder: Path) -> dict[str, Any]:
    """Train with the folder's files around it: what it is before, what became of it afterwards."""
    for warning in job.warnings:
        log.warning("self-normalization: %s", warning)
    environment = describe_environment()
    write_atomically(folder / "config.yaml", yaml.safe_dump(job.model_dump(by_alias=True), sort_keys=False))
    write_json(folder / "environment.json", environment)
    write_json(folder / "summary.json", {"state": "running", "seeds": job.seeds})
    mirror = Mirror(job, folder, environment)
    summary: dict[str, Any] = {"state": "failed", "seeds": job.seeds}
    try:
        if job.trainer.shard == "seeds":
            summary = train_shards(job, folder)
            mirror.catch_up()
        else:
            summary = _train(job, folder, mirror)
    except AllSeedsDiverged as error:
        summary = {"state": "diverged", "seeds": job.seeds, "reason": str(error)} | error.known
        raise
    except (KeyboardInterrupt, SystemExit) as error:
        summary["state"] = "interrupted"
        again = "the same command without overwrite=true" if job.overwrite else "the same command"
        print(f"interrupted; {again} goes on from the last checkpoint: {folder}", file=sys.stderr)
        # Lightning ends both as if all were well, or with 1; a scheduler must see what happened
        terminated = isinstance(error, SIGTERMException) and error.code is None  # else see Preemption
        raise SystemExit(128 + (SIGTERM if terminated else SIGINT)) from None
    except BaseException as error:
        summary["reason"] = f"{type(error).__name__}: {error}"
        raise
    finally:
        write_json(folder / "summary.json", summary)
        mirror.finish(summary, exit_code=0 if summary["state"] == "finished" else 1)
    (folder / CHECKPOINT).unlink(missing_ok=True)  # not before the summary: a run killed in between resumes here
    shutil.rmtree(folder / PARTS, ignore_errors=True)
    print(f"{in_one_sentence(job, summary)}\n{folder}", file=sys.stderr)
    _keep_row(folder)
    return summary


def _keep_row(folder: Path) -> None:
    """List the run once, so that its row lies there for a list of many; without it the run is as finished."""
    try:
        from selfnorm.review.catalogue import Catalogue  # imports pandas if there is no row yet

        Catalogue(folder).overview()
    except Exception:
        log.debug("no row of %s", folder, exc_info=True)


def _train(job: config.Job, folder: Path, mirror: Mirror) -> dict[str, Any]:
    """Build the objects, fit, and sum up; rank 0 alone writes."""
    splits = load_splits(job.dataset.name, data_dir=Path(job.data_dir), train_limit=job.dataset.train_limit)
    network = ReplicaMLP(job, splits.num_features, splits.num_classes)
    module = ReplicaClassifier(job, network)
    checkpoint = folder / CHECKPOINT
    recorder = Recorder(job, folder, mirror)
    callbacks: list[pl.Callback] = [recorder, Checkpointer(checkpoint, job), Preemption(checkpoint)]
    if job.progress:
        callbacks.append(Progress(recorder, f"{job.dataset.name} {job.network} d{job.model.depth}"))
    trainer = make_trainer(job, callbacks)
    datamodule = ReplicaDataModule(splits, seeds=job.seeds, batch_size=job.training.batch_size)
    going_on = checkpoint.exists() and not job.overwrite  # rank 0 may still be clearing the folder
    resumed = checked(checkpoint, job, module) if going_on else None
    trainer.fit(module, datamodule=datamodule, ckpt_path=resumed, weights_only=True)  # nothing in it may execute
    if trainer.is_global_zero:
        weights = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
        weights |= {"input_mean_F": splits.mean_F, "input_std_F": splits.std_F}
        write_atomically(folder / "network.safetensors", save(weights))
    return summarize(job, recorder, steps=trainer.global_step)


def make_trainer(job: config.Job, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's trainer, with everything that the callbacks do themselves switched off."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)  # no banners between the lines that matter
    part = job.trainer
    return pl.Trainer(
        accelerator=part.accelerator,
        devices=part.devices,
        num_nodes=part.num_nodes,
        strategy=part.strategy,
        precision="bf16-mixed" if part.precision == "bf16" else "32-true",
        max_epochs=job.training.epochs,
        callbacks=callbacks,
        plugins=[BesideTheOld(), *scheduler()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,  # ReplicaBatches hands each process its share
    )


def _clear(folder: Path) -> None:
    """Empty a run folder that is to be trained again, but for the lock that is held."""
    for lock in folder.glob(f"{PARTS}/**/{LOCK}"):
        with claim(lock.parent, wait=True):  # a part writes a little longer than the process lived that started it
            pass
    # The summary first: whatever is left when this is cut off no longer counts as finished
    for path in sorted(folder.iterdir(), key=lambda path: path.name != "summary.json"):
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)  # a reader may have moved its row
