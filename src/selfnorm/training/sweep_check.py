"""A sweep with a mistake in it is refused before its first cell: a Hydra callback (see conf/config.yaml).

Imports no torch. Cells that a sweeper chooses as it goes (Optuna's) are checked one by one, as they come.
"""

from __future__ import annotations

import sys
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


class SweepCheck(Callback):
    """Composes every cell before Hydra makes a folder."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        try:
            _check(config)
        except (HydraException, OmegaConfBaseException, ConfigError) as error:
            print(f"train.py: {in_words(error)}", file=sys.stderr)
            raise SystemExit(2) from None  # Hydra would make a warning of any other exception, and go on


def _check(config: DictConfig) -> None:
    sweeper = config.hydra.sweeper
    if not str(sweeper._target_).endswith(f".{BasicSweeper.__name__}"):
        return
    loader = GlobalHydra.instance().config_loader()
    lines = [f"{key}={value}" for key, value in (sweeper.params or {}).items()] + list(config.hydra.overrides.task)
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(lines)
    (cells,) = BasicSweeper.split_arguments(overrides, max_batch_size=None)
    for number, cell in enumerate(cells, 1):
        composed = loader.load_configuration(config.hydra.job.config_name, cell, run_mode=RunMode.RUN)
        OmegaConf.set_struct(composed, False)
        composed.pop("hydra")
        try:
            job = parse_job(cast(dict[str, Any], OmegaConf.to_container(composed, resolve=True)))
        except ConfigError as error:
            raise ConfigError(f"{error} (cell {number} of {len(cells)}; none was trained)") from None
        refuse_processes(job)


def refuse_processes(job: Job) -> None:
    """Raises ConfigError for a job of a sweep that would train in several processes."""
    if job.trainer.strategy == "ddp":
        raise ConfigError(
            f"trainer={job.trainer.name} in a sweep: each process would start the sweep anew; use cpu or gpu"
        )
