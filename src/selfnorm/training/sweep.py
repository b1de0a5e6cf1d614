"""Progress over a whole sweep: which cell, what became of it, and the time left, weighted by each cell's work.

A Hydra callback (hydra.callbacks in conf/config.yaml), the same under every launcher: cells may train in other
processes and on other machines, so what became of one is read from its run folder. Imports no torch.
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

from selfnorm.config import NUM_TRAIN, ConfigError, Job
from selfnorm.training.claim import is_claimed
from selfnorm.training.objective import state
from selfnorm.training.orphans import end_with
from selfnorm.training.sweep_check import job_of, planned_cells

NUM_INPUTS = {"mnist": 784, "fashion_mnist": 784, "cifar10": 3072, "digits": 64}
EXIT_CODES = {"finished": 0, "diverged": 3}  # of a cell's state; 1 for any other


def work(job: Job) -> float:
    """What a cell costs, relatively: weights times samples, epochs and seeds."""
    num_inputs = NUM_INPUTS[job.dataset.name]
    width = job.model.width or num_inputs
    weights = num_inputs * width + (job.model.depth - 1) * width**2
    samples = job.dataset.train_limit or NUM_TRAIN[job.dataset.name]
    return float(weights * samples * job.training.epochs * len(job.seeds))


class SweepProgress(Callback):
    """One line when a cell starts and, after the last, which cells failed, or which choice was the best."""

    def __init__(self) -> None:
        self.started = 0.0
        self.cells: list[Job] = []  # none where the sweeper chooses as it goes
        self.at_first: list[Path] = []  # folders that were finished before

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
        self.started = time.time()  # a worker's copy of this callback compares it with its own clock
        self.cells = planned_cells(config)
        self.at_first = [job.folder for job in self.cells if job.is_finished]

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        if (starter := multiprocessing.parent_process()) is not None and starter.pid:  # in a worker of joblib's
            end_with(parent=starter.pid)
        if self.started:
            total = len(self.cells) or config.hydra.sweeper.n_trials
            print(f"[{config.hydra.job.num + 1}/{total}] {self._name(config)}{self._time_left()}", file=sys.stderr)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        minutes = (time.time() - self.started) / 60
        best = Path(config.hydra.sweep.dir, "optimization_results.yaml")
        if not self.cells and best.is_file():
            found = OmegaConf.load(best)
            choice = " ".join(f"{key}={value:.4g}" for key, value in found.best_params.items())
            print(f"best: {choice}, objective {found.best_value:.4g}, {minutes:.1f} min: {best}", file=sys.stderr)
        states = {str(job.folder): state(job.folder) for job in self.cells}
        elsewhere = [name for name, found in states.items() if found == "running" and is_claimed(Path(name))]
        failed = [name for name, found in states.items() if found != "finished" and name not in elsewhere]
        if self.cells:
            done = len(states) - len(failed) - len(elsewhere)
            print(f"{done} of {len(self.cells)} cells are there, {minutes:.1f} min", file=sys.stderr)
        for words, names in (("failed", failed), ("still trained by another process", elsewhere)):
            for name in names:
                print(f"{words}: {name}", file=sys.stderr)
        if failed:  # Hydra hands no exit code of a cell to the command that started the sweep
            raise SystemExit(max(EXIT_CODES.get(states[name], 1) for name in failed))

    def _name(self, config: DictConfig) -> str:
        try:
            job = job_of(config)
        except ConfigError:
            return "a cell with a mistake in it"
        swept = () if self.cells else tuple(f"{key}=" for key in config.hydra.sweeper.params)
        chosen = "".join(f" {override}" for override in config.hydra.overrides.task if override.startswith(swept))
        return f"{job.dataset.name} {job.network} d{job.model.depth}{chosen}"

    def _time_left(self) -> str:
        """From the work that all workers finished in this sweep so far."""
        finished = [job for job in self.cells if job.is_finished]
        done = sum(work(job) for job in finished if job.folder not in self.at_first)
        if not done:
            return ""
        left = sum(work(job) for job in self.cells) - sum(work(job) for job in finished)
        return f", about {left / done * (time.time() - self.started) / 60:.1f} min left for all"
