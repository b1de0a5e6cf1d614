"""Progress over a whole sweep: the cell that starts, the time left, and in the end the state of each cell.

A Hydra callback, named in conf/config.yaml, that is the same under every launcher: cells may train in other processes
and on other machines, so their states are read from their run folders. Imports no torch.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from selfnorm.commandline import never_fail
from selfnorm.config import ConfigError, Job
from selfnorm.runs.layout import FINISHED, RUNNING
from selfnorm.runs.state import known_state
from selfnorm.sweeps.check import job_of, planned_cells

EXIT_CODES = {"finished": 0, "diverged": 3}  # for a cell's state; 1 for any other


def work(job: Job) -> float:
    """Estimate the relative cost of a cell: weights times samples over all updates of all seeds and forks."""
    samples = job.dataset.train_limit or job.dataset.declaration.num_train
    batches = samples // job.training.batch_size
    updates = batches * job.training.epochs
    if job.recording.forks:
        from selfnorm.training.perturbations import num_updates

        updates += num_updates(job, batches, epochs=job.training.epochs)
    return float(job.num_weights * updates * job.training.batch_size * len(job.seeds))


class SweepProgress(Callback):
    """One line when a cell starts and, after the last, which cells failed, or which choice was the best."""

    def __init__(self) -> None:
        self.started = 0.0
        self.cells: list[Job] = []  # empty where the sweeper chooses as it goes
        self.finished_before: list[Path] = []  # folders

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
        self.started = time.time()  # a worker's copy of this callback compares it with its own clock
        self.cells = planned_cells(config)
        if logs := OmegaConf.select(config, "hydra.launcher.submitit_folder"):
            print(f"what the cells print goes to {logs}", file=sys.stderr)
        self.finished_before = [job.folder for job in self.cells if known_state(job.folder) == FINISHED]

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        never_fail("stdout", "stderr")  # in a worker too
        if (starter := multiprocessing.parent_process()) is not None and starter.pid:  # in a worker of joblib's
            from selfnorm.training.parent_watch import stop_with

            stop_with(parent=starter.pid)
        if self.started:
            total = len(self.cells) or config.hydra.sweeper.n_trials
            print(f"[{config.hydra.job.num + 1}/{total}] {self._name(config)}{self._time_left()}", file=sys.stderr)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        minutes = (time.time() - self.started) / 60
        best = Path(config.hydra.sweep.dir, "optimization_results.yaml")
        if not self.cells and best.is_file():
            result = OmegaConf.load(best)
            choice = " ".join(f"{key}={value:.4g}" for key, value in result.best_params.items())
            print(f"best: {choice}, objective {result.best_value:.4g}, {minutes:.1f} min: {best}", file=sys.stderr)
        states = {job.folder: known_state(job.folder) for job in self.cells}
        elsewhere = [folder for folder, state in states.items() if state == RUNNING]
        failed = [folder for folder, state in states.items() if state not in (FINISHED, RUNNING)]
        if self.cells:
            finished = len(states) - len(failed) - len(elsewhere)
            print(f"{finished} of {len(self.cells)} cells are finished, {minutes:.1f} min", file=sys.stderr)
        for words, folders in (("failed", failed), ("still trained by another process", elsewhere)):
            for folder in folders:
                print(f"{words}: {folder}", file=sys.stderr)
        if failed:  # Hydra hands no exit code of a cell to the command that started the sweep
            raise SystemExit(max(EXIT_CODES.get(states[folder], 1) for folder in failed))

    def _name(self, config: DictConfig) -> str:
        try:
            job = job_of(config)
        except ConfigError:
            return "a cell with a mistake in it"
        swept = () if self.cells else tuple(f"{key}=" for key in config.hydra.sweeper.params)
        chosen = "".join(f" {override}" for override in config.hydra.overrides.task if override.startswith(swept))
        return f"{job.dataset.label} {job.network} d{job.model.depth}{chosen}"

    def _time_left(self) -> str:
        """Estimate the time left from the work that all workers have finished in this sweep."""
        finished = [job for job in self.cells if known_state(job.folder) == FINISHED]
        done = sum(work(job) for job in finished if job.folder not in self.finished_before)
        if not done:
            return ""
        left = sum(work(job) for job in self.cells) - sum(work(job) for job in finished)
        return f", about {left / done * (time.time() - self.started) / 60:.1f} min left for all"
