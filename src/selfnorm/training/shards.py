"""trainer.shard=seeds: each device trains some of the seeds, in a separate process, without communication.

In: a job. Out: the files that one process would have written, to rounding: another number of threads, or a single seed
in a shard, sums in another order. A shard is a whole run in a hidden folder, which readers pass over; it resumes by
itself, so that the same command goes on with what is missing.
"""

from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException
from safetensors.torch import load_file, save
from torch import Tensor

from selfnorm import config
from selfnorm.runs import layout
from selfnorm.runs.files import Table, write_atomically
from selfnorm.runs.state import read_summary
from selfnorm.training.checkpoints import SIGNALS
from selfnorm.training.recording import AllSeedsDiverged, over_seeds

if TYPE_CHECKING:
    from selfnorm.tracking.mirror import Mirror

COMMAND = "selfnorm.training.command"  # by name: it imports this module
MERGEABLE = (0, 3)  # exit codes of a shard that finished, and of one in which every seed diverged

Row = dict[str, str]


def train_shards(job: config.Job, mirror: Mirror | None) -> dict[str, Any]:
    """Train the shards side by side and merge their files into the run's; returns the summary.

    Raises AllSeedsDiverged, and ChildProcessError when a process did not end well.
    """
    folder = job.folder
    available = torch.cuda.device_count() if job.trainer.accelerator == "cuda" else os.cpu_count() or 1
    devices = available if job.trainer.devices == "auto" else job.trainer.devices
    size = math.ceil(len(job.seeds) / min(devices, len(job.seeds)))
    shards = [_shard(job, folder, start, size) for start in range(0, len(job.seeds), size)]
    codes = _run(shards, job.trainer.accelerator)
    failed = [shard.seeds for shard, code in zip(shards, codes, strict=True) if code not in MERGEABLE]
    if failed:
        raise ChildProcessError(
            f"the process of seeds {failed[0]} failed; the same command goes on with what is missing"
        )
    seeds = [shard.seeds for shard in shards]
    for name in (*layout.TABLES, *([layout.FORKS] if job.recording.forks else [])):
        _merge([shard.folder / name for shard in shards], seeds, folder / name)
    if mirror:
        mirror.catch_up()
    summaries = [read_summary(shard.folder) for shard in shards]
    if 0 not in codes:
        reason = f"every seed diverged; try a smaller optimizer.lr than {job.optimizer.lr:g}"
        raise AllSeedsDiverged(reason, _known(summaries))
    ended_well = [summary["state"] == layout.FINISHED for summary in summaries]
    write_atomically(folder / layout.NETWORK, save(_network([shard.folder for shard in shards], seeds, ended_well)))
    return _summary(job, summaries)


def _shard(job: config.Job, folder: Path, start: int, size: int) -> config.Job:
    return job.model_copy(
        update={
            "seeds": job.seeds[start : start + size],
            "runs_dir": str(folder / layout.SHARDS),
            "overwrite": False,  # the run folder was emptied already
            "logger": job.logger.model_copy(update={"mode": "disabled"}),
            "trainer": job.trainer.model_copy(update={"shard": "batch", "devices": 1}),
            "progress": job.progress and start == 0,
        }
    )


def _run(shards: Sequence[config.Job], accelerator: str) -> list[int]:
    """Train the shards and return their exit codes; a signal or an interrupt ends them with their checkpoints."""
    running: list[subprocess.Popen[str]] = []
    try:
        with _signals_raise():
            for index, shard in enumerate(shards):
                running.append(_start(shard, index, len(shards), accelerator))
            return [process.wait() for process in running]
    except BaseException:
        for process in running:
            process.send_signal(signal.SIGTERM)  # this does nothing if the process has ended
        for process in running:
            process.wait()
        raise


def _start(shard: config.Job, index: int, of: int, accelerator: str) -> subprocess.Popen[str]:
    share = {"OMP_NUM_THREADS": str(max(1, torch.get_num_threads() // of))}
    if accelerator == "cuda":
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(torch.cuda.device_count()))))
        share["CUDA_VISIBLE_DEVICES"] = visible.split(",")[index]
    process = subprocess.Popen(
        [sys.executable, "-m", COMMAND, str(os.getpid())], stdin=subprocess.PIPE, encoding="utf-8",
        env=os.environ | share,
        start_new_session=True,  # so that a shard gets Ctrl-C once, from this process
    )  # fmt: skip
    assert process.stdin is not None
    with process.stdin as pipe:
        pipe.write(shard.model_dump_json(by_alias=True))
    return process


@contextmanager
def _signals_raise() -> Iterator[None]:
    def end(number: int, frame: Any) -> None:
        raise SIGTERMException

    before = {number: signal.getsignal(number) for number in SIGNALS if number != signal.SIGINT}
    for number, handler in before.items():
        if number != signal.SIGHUP or handler != signal.SIG_IGN:  # nohup
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _merge(paths: Sequence[Path], seeds: Sequence[list[int]], target: Path) -> None:
    """Write the rows of all shards, record by record, seeds in order; NaN after all seeds of a shard have diverged."""
    key = set(layout.COORDINATES) - {"seed", "layer", "fork"}  # rows of one record share these
    tables = []
    for path in paths:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            groups = groupby(reader, key=lambda row: tuple(row[name] for name in row if name in key))
            tables.append({record: list(rows) for record, rows in groups})
    merged: list[Row] = []
    for record, rows in max(tables, key=len).items():
        of_one_seed = [row for row in rows if row["seed"] == rows[0]["seed"]]
        for table, seeds_of_shard in zip(tables, seeds, strict=True):
            merged += table.get(record) or [_diverged(row, seed) for seed in seeds_of_shard for row in of_one_seed]
    written = Table(target, reader.fieldnames or ())
    written.cut_back(0)
    written.append(merged)


def _diverged(row: Row, seed: int) -> Row:
    return {name: text if name in layout.COORDINATES else "nan" for name, text in row.items()} | {"seed": str(seed)}


def _network(folders: Sequence[Path], seeds: Sequence[list[int]], ended_well: Sequence[bool]) -> dict[str, Tensor]:
    """Every tensor has its replicas first; NaN for the seeds of a shard in which all diverged."""
    loaded = [
        load_file(folder / layout.NETWORK) if whole else None for folder, whole in zip(folders, ended_well, strict=True)
    ]
    example = next(tensors for tensors in loaded if tensors)
    merged = {name: example[name] for name in layout.STANDARDIZATION}
    for name in example.keys() - merged.keys():
        pieces = [
            tensors[name] if tensors else torch.full((len(seeds_of_shard), *example[name].shape[1:]), math.nan)
            for tensors, seeds_of_shard in zip(loaded, seeds, strict=True)
        ]
        merged[name] = torch.cat(pieces)
    return merged


def _known(summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The values of `Recorder.known`, from the shards' summaries."""
    known: dict[str, Any] = {name: max(summary[name] for summary in summaries) for name in ("steps", "seconds")}
    return known | {"diverged": {seed: step for summary in summaries for seed, step in summary["diverged"].items()}}


def _summary(job: config.Job, summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The values of `Recorder.summary`, from the shards' summaries, of which one at least is of a finished run."""
    finished = next(summary for summary in summaries if summary["state"] == layout.FINISHED)
    merged = finished | {"seeds": job.seeds} | _known(summaries)
    for name, value in finished.items():
        if isinstance(value, dict) and "by_seed" in value:
            by_seed: dict[str, float | None] = {str(seed): None for seed in job.seeds}
            for summary in summaries:
                by_seed |= summary.get(name, {}).get("by_seed", {})
            merged[name] = over_seeds(by_seed)
    return merged
