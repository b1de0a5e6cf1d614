"""Progress over a whole sweep: which cell, what became of it, and the time left, weighted by each cell's work.

A Hydra callback (hydra.callbacks in conf/config.yaml) for its basic sweeper; imports no torch.
"""

from __future__ import annotations

import itertools
import sys
import time
from typing import Any, cast

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from selfnorm.config import NUM_TRAIN, ConfigError, Job
from selfnorm.parsing import parse_job

NUM_INPUTS = {"mnist": 784, "fashion_mnist": 784, "cifar10": 3072, "digits": 64}


def work(job: Job) -> float:
    """What a cell costs, relatively: weights times samples, epochs and seeds."""
    num_inputs = NUM_INPUTS[job.dataset.name]
    width = job.model.width or num_inputs
    weights = num_inputs * width + (job.model.depth - 1) * width**2
    samples = job.dataset.train_limit or NUM_TRAIN[job.dataset.name]
    return float(weights * samples * job.training.epochs * len(job.seeds))


class SweepProgress(Callback):
    """One line when a cell starts and, after the last, which cells failed."""

    def __init__(self) -> None:
        self.cells: list[Job | None] = []
        self.started = 0.0
        self.seconds_of: list[float] = []
        self.failed: list[str] = []

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self.started = time.monotonic()
        self.cells = [_compose(config, overrides) for overrides in _cells(config)]

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        if self.cells:
            at = len(self.seconds_of)
            job = self.cells[at]
            name = f"{job.dataset.name} {job.network} d{job.model.depth}" if job else "a cell with a mistake in it"
            print(f"[{at + 1}/{len(self.cells)}] {name}{self._time_left()}", file=sys.stderr)

    def on_job_end(self, config: DictConfig, job_return: Any, **kwargs: Any) -> None:
        if self.cells:
            at = len(self.seconds_of)
            self.seconds_of.append(time.monotonic() - self.started - sum(self.seconds_of))
            if job_return.return_value:
                job = self.cells[at]
                self.failed.append(str(job.folder) if job else " ".join(job_return.overrides))

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        if self.cells:
            done, minutes = len(self.seconds_of) - len(self.failed), (time.monotonic() - self.started) / 60
            print(f"{done} of {len(self.cells)} cells are there, {minutes:.1f} min", file=sys.stderr)
            for name in self.failed:
                print(f"failed: {name}", file=sys.stderr)

    def _time_left(self) -> str:
        """From the cells trained in this sweep; skipped ones, which take no time, say nothing about speed."""
        timed = [(job, s) for job, s in zip(self.cells, self.seconds_of, strict=False) if job and s > 1]
        if not timed:
            return ""
        speed = sum(work(job) for job, _ in timed) / sum(seconds for _, seconds in timed)
        left = sum(work(job) for job in self.cells[len(self.seconds_of) :] if job and not job.is_finished)
        return f", about {left / speed / 60:.1f} min left for all"


def _cells(config: DictConfig) -> list[list[str]]:
    """The overrides of every cell, in the order in which Hydra's basic sweeper takes them."""
    params = cast(dict[str, Any], OmegaConf.to_container(config.hydra.sweeper.get("params") or OmegaConf.create({})))
    lines = [f"{key}={value}" for key, value in params.items()] + list(config.hydra.overrides.task)
    choices: dict[str, list[str]] = {}
    for override in OverridesParser.create().parse_overrides(lines):
        key = override.get_key_element()
        swept = (
            override.sweep_string_iterator() if override.is_sweep_override() else [override.get_value_element_as_str()]
        )
        choices[key] = [f"{key}={value}" for value in swept]  # the command line wins over the sweep's own choice
    return [list(cell) for cell in itertools.product(*choices.values())]


def _compose(config: DictConfig, overrides: list[str]) -> Job | None:
    loader = GlobalHydra.instance().config_loader()
    composed = loader.load_configuration(config.hydra.job.config_name, overrides, run_mode=RunMode.RUN)
    OmegaConf.set_struct(composed, False)
    composed.pop("hydra")
    try:
        return parse_job(OmegaConf.to_container(composed, resolve=True))  # type: ignore[arg-type]
    except ConfigError:
        return None
