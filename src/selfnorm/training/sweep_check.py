"""A sweep with a mistake in it is refused before its first cell: a Hydra callback (see conf/config.yaml).

Imports no torch. Cells that a sweeper chooses as it goes (Optuna's) are checked one by one, as they come.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from selfnorm.config import ConfigError, Job
from selfnorm.parsing import in_words, parse_job

# conf/hydra/launcher/joblib.yaml and the like stand for the plugins' own of the same names, on purpose; here, because
# a launcher's workers import this module before they compose
warnings.filterwarnings("ignore", r"\s*'hydra/(launcher|sweeper)/\w+' is validated against", UserWarning)

# Plugin -> the optional extra that brings it (pyproject.toml)
EXTRAS = {
    "hydra-joblib-launcher": "joblib",
    "hydra-submitit-launcher": "slurm",
    "hydra-ray-launcher": "ray",
    "hydra-optuna-sweeper": "tune",
}

# What the plugins themselves answer with a traceback, or after they have written something: key -> least value
COUNTS = {
    "hydra.sweeper.n_trials": 1,
    "hydra.sweeper.n_jobs": 1,
    "hydra.launcher.n_jobs": -1,
    "hydra.launcher.ray.init.num_cpus": 1,
}
DIRECTIONS = ("minimize", "maximize")


class SweepCheck(Callback):
    """Composes every job before Hydra makes a folder."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        with _refusing():
            job_of(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        with _refusing():
            _refuse_missing_extra(config)
            _check_plugins(config)
            for job in planned_cells(config):
                refuse_processes(job)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (HydraException, OmegaConfBaseException, ConfigError) as error:
        print(f"train.py: {in_words(error)}", file=sys.stderr)
        raise SystemExit(2) from None  # Hydra would make a warning of any other exception, and go on


def planned_cells(config: DictConfig) -> list[Job]:
    """Every cell of a sweep, in Hydra's order; none where the sweeper chooses as it goes.

    Raises ConfigError, HydraException or OmegaConfBaseException for the first that has a mistake in it.
    """
    sweeper = config.hydra.sweeper
    if not str(sweeper._target_).endswith(f".{BasicSweeper.__name__}"):
        return []
    loader = GlobalHydra.instance().config_loader()
    lines = [f"{key}={value}" for key, value in (sweeper.params or {}).items()] + list(config.hydra.overrides.task)
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(lines)
    (cells,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    jobs = []
    for number, cell in enumerate(cells, 1):
        try:
            jobs.append(job_of(loader.load_configuration(config.hydra.job.config_name, cell, run_mode=RunMode.RUN)))
        except ConfigError as error:
            raise ConfigError(f"{error} (cell {number} of {len(cells)}; none was trained)") from None
    return jobs


def job_of(config: DictConfig) -> Job:
    """The job that a composed configuration describes; raises ConfigError."""
    plain = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return parse_job(cast(dict[str, Any], OmegaConf.to_container(plain, resolve=True)))


def refuse_processes(job: Job) -> None:
    """Raises ConfigError for a job of a sweep that would train in several processes."""
    if job.trainer.strategy == "ddp":
        raise ConfigError(
            f"trainer={job.trainer.name} in a sweep: each process would start the sweep anew; use cpu or gpu"
        )


def _refuse_missing_extra(config: DictConfig) -> None:
    """Raises ConfigError for a launcher or a sweeper whose package is not installed."""
    for part in ("launcher", "sweeper"):
        plugin = str(config.hydra[part]._target_).removeprefix("hydra_plugins.").split(".")[0].replace("_", "-")
        if extra := EXTRAS.get(plugin):
            try:
                version(plugin)
            except PackageNotFoundError:
                choice = config.hydra.runtime.choices[f"hydra/{part}"]
                raise ConfigError(
                    f"hydra/{part}={choice} needs an extra: pip install --editable '.[{extra}]'"
                ) from None


def _check_plugins(config: DictConfig) -> None:
    """Raises ConfigError for a value of a sweeper or a launcher that its plugin would stumble over."""
    for key, least in COUNTS.items():
        value = OmegaConf.select(config, key)
        if value is not None and (type(value) is not int or value < least or value == 0):
            every = ", or -1 for one on each core" if least < 0 else ""
            raise ConfigError(f"{key}={value}: a whole number from 1{every}")
    direction = OmegaConf.select(config, "hydra.sweeper.direction")
    if direction is not None and direction not in DIRECTIONS:
        raise ConfigError(f"hydra.sweeper.direction={direction}; legal here: {', '.join(DIRECTIONS)}")
    if isinstance(storage := OmegaConf.select(config, "hydra.sweeper.storage"), str):
        from sqlalchemy.engine import make_url  # Optuna's: there, or the extra would have been missed already
        from sqlalchemy.exc import ArgumentError

        try:
            make_url(storage).get_dialect()
        except ArgumentError:
            kind = storage.partition(":")[0]  # a password may follow
            raise ConfigError(
                f"hydra.sweeper.storage={kind}:…: not the address of a database; for a file: sqlite:///tune.db"
            ) from None
