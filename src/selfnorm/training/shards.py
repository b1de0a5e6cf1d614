"""trainer.shard=seeds: each device trains seeds of its own, in a process of its own, without communication.

In: a job. Out: the files that one process would have written, to rounding: other numbers of threads, and a single seed
in a part, add up in another order. The parts are whole runs below `.parts`, which the
analysis does not look into; each resumes by itself, so that the same command goes on with what is missing.
"""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException
from safetensors.torch import load_file, save
from torch import Tensor

from selfnorm import config
from selfnorm.training.files import Table, write_atomically
from selfnorm.training.orphans import end_with
from selfnorm.training.recording import AllSeedsDiverged
from selfnorm.training.summary import over_seeds

PARTS = ".parts"
STANDARDIZATION = ("input_mean_F", "input_std_F")  # the same for every seed
ENDED = {0: "finished", 3: "every seed diverged"}  # exit codes of a part that can be merged
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

Row = dict[str, str]


class PartFailed(RuntimeError):
    """The process that trained some of the seeds did not end well."""


def train_shards(job: config.Job, folder: Path) -> dict[str, Any]:
    """Train the parts side by side and merge their files into the run's; returns the summary.

    Raises AllSeedsDiverged, and PartFailed when a process did not end well.
    """
    devices = _num_devices(job)
    size = math.ceil(len(job.seeds) / devices)
    parts = [_part(job, folder, start, size) for start in range(0, len(job.seeds), size)]
    codes = _run(parts, job.trainer.accelerator)
    failed = [part.seeds for part, code in zip(parts, codes, strict=True) if code not in ENDED]
    if failed:
        raise PartFailed(f"the process of seeds {failed[0]} failed; the same command goes on with what is missing")
    seeds = [part.seeds for part in parts]
    for name, key in (("curves.csv", ("step", "epoch", "split")), ("moments.csv", ("step", "epoch"))):
        _write(folder / name, list(_merged([part.folder / name for part in parts], seeds, key)))
    found = [json.loads((part.folder / "summary.json").read_text()) for part in parts]
    if 0 not in codes:
        reason = f"every seed diverged; try a smaller optimizer.lr than {job.optimizer.lr:g}"
        raise AllSeedsDiverged(reason, _known(found))
    write_atomically(folder / "network.safetensors", save(_network([part.folder for part in parts], seeds)))
    return _summary(job, found)


def _num_devices(job: config.Job) -> int:
    there = torch.cuda.device_count() if job.trainer.accelerator == "cuda" else os.cpu_count() or 1
    asked = there if job.trainer.devices == "auto" else job.trainer.devices
    return min(asked, len(job.seeds))


def _part(job: config.Job, folder: Path, start: int, size: int) -> config.Job:
    changes = {
        "seeds": job.seeds[start : start + size],
        "runs_dir": str(folder / PARTS),
        "overwrite": False,  # the run folder was emptied already
        "logger": config.Logger(mode="disabled"),
        "trainer": job.trainer.model_copy(update={"shard": "batch", "devices": 1}),
        "progress": job.progress and start == 0,
    }
    return job.model_copy(update=changes)


def _run(parts: Sequence[config.Job], accelerator: str) -> list[int]:
    """Exit codes of the parts; a signal, or an interrupt, ends them with their checkpoints."""
    running: list[subprocess.Popen[str]] = []
    try:
        with _signals_raise():
            for index, part in enumerate(parts):
                running.append(_start(part, index, len(parts), accelerator))
            return [process.wait() for process in running]
    except BaseException:
        for process in running:
            process.send_signal(signal.SIGTERM)  # nothing, if it has ended
        for process in running:
            process.wait()
        raise


def _start(part: config.Job, index: int, of: int, accelerator: str) -> subprocess.Popen[str]:
    share = {"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // of))}
    if accelerator == "cuda":
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(torch.cuda.device_count()))))
        share["CUDA_VISIBLE_DEVICES"] = visible.split(",")[index]
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(os.getpid())], stdin=subprocess.PIPE, text=True, env=os.environ | share,
        start_new_session=True,  # Ctrl-C is this process's to hand on, once
    )  # fmt: skip
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(part.model_dump_json(by_alias=True))
    return process


@contextmanager
def _signals_raise() -> Iterator[None]:
    def end(number: int, frame: Any) -> None:
        raise SIGTERMException

    before = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _merged(paths: Sequence[Path], seeds: Sequence[list[int]], key: tuple[str, ...]) -> Iterator[Row]:
    """The rows of one record after the other, seeds in order; NaN where a part had ended because all its seeds had."""
    tables = []
    for path in paths:
        with path.open(newline="") as file:
            groups = groupby(csv.DictReader(file), key=lambda row: tuple(row[name] for name in key))
            tables.append({record: list(rows) for record, rows in groups})
    whole = max(tables, key=len)
    for record, rows in whole.items():
        lost = [row for row in rows if row["seed"] == rows[0]["seed"]]
        for table, own in zip(tables, seeds, strict=True):
            yield from table.get(record) or [_lost(row, seed, key) for seed in own for row in lost]


def _lost(row: Row, seed: int, key: tuple[str, ...]) -> Row:
    return {name: text if name in (*key, "layer") else "nan" for name, text in row.items()} | {"seed": str(seed)}


def _write(path: Path, rows: list[Row]) -> None:
    table = Table(path, list(rows[0]))
    table.cut_back(0)
    table.append(rows)


def _network(folders: Sequence[Path], seeds: Sequence[list[int]]) -> dict[str, Tensor]:
    """Every tensor has its replicas first; NaN for the seeds of a part that left no network."""
    files = [folder / "network.safetensors" for folder in folders]
    loaded = [load_file(path) if path.exists() else None for path in files]
    some = next(tensors for tensors in loaded if tensors)
    merged = {name: some[name] for name in STANDARDIZATION}
    for name in some.keys() - merged.keys():
        pieces = [
            tensors[name] if tensors else torch.full((len(own), *some[name].shape[1:]), math.nan)
            for tensors, own in zip(loaded, seeds, strict=True)
        ]
        merged[name] = torch.cat(pieces)
    return merged


def _known(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """As `Recorder.known`, from the parts' summaries."""
    known: dict[str, Any] = {name: max(part[name] for part in found) for name in ("steps", "seconds")}
    return known | {"diverged": {seed: step for part in found for seed, step in part["diverged"].items()}}


def _summary(job: config.Job, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    summary: dict[str, Any] = {"state": "finished", "seeds": job.seeds} | _known(found)
    whole = max(found, key=len)
    for name in (name for name, value in whole.items() if isinstance(value, dict) and "by_seed" in value):
        values: dict[str, float | None] = {str(seed): None for seed in job.seeds}
        for part in found:
            values |= part.get(name, {}).get("by_seed", {})
        summary[name] = over_seeds(values)
    return summary


if __name__ == "__main__":
    from selfnorm.training.job import attempt

    end_with(parent=int(sys.argv[1]))
    sys.exit(attempt(config.Job.model_validate_json(sys.stdin.read()), busy="wait"))
