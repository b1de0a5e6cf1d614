"""Refuse a sweep with a mistake in it before its first cell: a Hydra callback, named in conf/config.yaml.

In: a composed configuration. Out: none, or one line and exit code 2. Cells that a sweeper chooses as it goes, as
Optuna does, are checked one by one. Imports no torch.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, cast

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from selfnorm.config import ConfigError, Job, parse_job
from selfnorm.sweeps.hydra_errors import REFUSALS, refuse

# Files such as conf/hydra/launcher/joblib.yaml replace the plugins' own files of the same names, on purpose. The filter
# stands in this module because a launcher's workers import it before they compose.
warnings.filterwarnings("ignore", r"\s*'hydra/(launcher|sweeper)/\w+' is validated against", UserWarning)

# Plugin -> the optional extra that brings it (pyproject.toml)
EXTRAS = {
    "hydra-joblib-launcher": "joblib",
    "hydra-submitit-launcher": "slurm",
    "hydra-ray-launcher": "ray",
    "hydra-optuna-sweeper": "tune",
}

# Values that the plugins reject only with a traceback, or only after they have written files: key -> smallest value
SMALLEST = {
    "hydra.sweeper.n_trials": 1,
    "hydra.sweeper.n_jobs": 1,
    "hydra.launcher.n_jobs": -1,
    "hydra.launcher.ray.init.num_cpus": 1,
}
DIRECTIONS = ("minimize", "maximize")


class SweepCheck(Callback):
    """Compose and check every job before Hydra makes a folder."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        with _refusing():
            job_of(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        with _refusing():
            _refuse_missing_extra(config)
            _check_plugins(config)
            jobs = planned_cells(config)
            if len(jobs) == 1 and _is_bare(config):
                raise ConfigError("-m without choices: give several values, such as model.depth=8,16, or leave -m out")
            for job in jobs:
                refuse_processes(job)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except REFUSALS as error:
        raise SystemExit(refuse(error)) from None  # Hydra would turn any other exception into a warning, and go on


def _is_bare(config: DictConfig) -> bool:
    """Tell whether a sweep has nothing to choose from and no launcher that would send its one job elsewhere."""
    launcher = str(config.hydra.launcher._target_)
    return not config.hydra.sweeper.params and launcher.endswith(f".{BasicLauncher.__name__}")


def planned_cells(config: DictConfig) -> list[Job]:
    """Return every cell of a sweep in Hydra's order, or no cell if the sweeper chooses as it goes.

    Raises ConfigError, HydraException or OmegaConfBaseException for the first mistake.
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
    folders = [job.folder for job in jobs]
    for number, folder in enumerate(folders, 1):
        if (first := folders.index(folder) + 1) < number:
            raise ConfigError(f"cells {first} and {number} of {len(jobs)} are one run, {folder}: ask for it once")
    return jobs


def job_of(config: DictConfig) -> Job:
    """Return the job that a composed configuration describes; raises ConfigError."""
    return parse_job(plain(config))


def plain(config: DictConfig) -> dict[str, Any]:
    """Turn a composed configuration into dictionaries, without Hydra's own settings."""
    ours = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    return cast(dict[str, Any], OmegaConf.to_container(ours, resolve=True))


def kind_of_command() -> Literal["job", "sweep", "search"]:
    """Tell whether this command runs one job, a sweep of given cells, or a search that minimizes an objective."""
    hydra = HydraConfig.get()
    if hydra.mode != RunMode.MULTIRUN:
        return "job"
    return "search" if "direction" in hydra.sweeper else "sweep"


def checked_job(config: DictConfig, kind: Literal["job", "sweep", "search"]) -> Job:
    """Return the job that a composed configuration describes; raises ConfigError, also for a job no sweep can run."""
    job = job_of(config)
    if kind != "job":
        refuse_processes(job)
    return job


def refuse_processes(job: Job) -> None:
    """Raises ConfigError for a job of a sweep that would train in several processes."""
    if job.trainer.strategy == "ddp":
        raise ConfigError(
            f"trainer={job.trainer.name} in a sweep: each process would start the whole sweep; use cpu or gpu"
        )


def _refuse_missing_extra(config: DictConfig) -> None:
    """Raises ConfigError for a launcher or a sweeper whose package is not installed."""
    for group in ("launcher", "sweeper"):
        plugin = str(config.hydra[group]._target_).removeprefix("hydra_plugins.").split(".")[0].replace("_", "-")
        if extra := EXTRAS.get(plugin):
            try:
                version(plugin)
            except PackageNotFoundError:
                choice = f"hydra/{group}={config.hydra.runtime.choices[f'hydra/{group}']}"
                raise ConfigError(f"{choice} needs an extra: pip install --editable '.[{extra}]'") from None


def _check_plugins(config: DictConfig) -> None:
    """Raises ConfigError for a value that a sweeper's or a launcher's plugin would answer with a traceback."""
    for key, smallest in SMALLEST.items():
        value = OmegaConf.select(config, key)
        if value is not None and (type(value) is not int or value < smallest or value == 0):
            every = ", or -1 for one on each core" if smallest < 0 else ""
            raise ConfigError(f"{key}={value}: a whole number from 1{every}")
    direction = OmegaConf.select(config, "hydra.sweeper.direction")
    if direction is not None and direction not in DIRECTIONS:
        raise ConfigError(f"hydra.sweeper.direction={direction}; legal here: {', '.join(DIRECTIONS)}")
    if isinstance(storage := OmegaConf.select(config, "hydra.sweeper.storage"), str):
        from sqlalchemy.engine import make_url  # installed with Optuna, whose absence was refused above
        from sqlalchemy.exc import ArgumentError

        try:
            make_url(storage).get_dialect()
        except ArgumentError:
            kind = storage.partition(":")[0]  # a password may follow
            raise ConfigError(
                f"hydra.sweeper.storage={kind}:…: not the address of a database; for a file: sqlite:///tune.db"
            ) from None
