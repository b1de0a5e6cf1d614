"""Jobs composed from conf/ by programs, as `python train.py` composes them.

In: overrides. Out: Hydra's configuration, or the checked `Job`. Imports no torch.
"""

from __future__ import annotations

from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from selfnorm.config import Job
from selfnorm.sweeps.check import job_of, planned_cells

CONF = Path(__file__).parents[3] / "conf"  # of the checkout: it is not part of the installed package


def compose_job(*overrides: str) -> Job:
    """Return the job that `python train.py <overrides>` would run; raises ConfigError and Hydra's own errors."""
    return job_of(composed(*overrides))


def planned(*overrides: str) -> list[Job]:
    """Return every job of the sweep that `python train.py <overrides>` would run; raises like `compose_job`."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra  # compose() takes no several values for a key
        assert hydra is not None
        return planned_cells(hydra.compose_config("config", list(overrides), RunMode.MULTIRUN))


def composed(*overrides: str) -> DictConfig:
    """Return Hydra's configuration for a command line, with Hydra's own settings under `hydra`."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", list(overrides), return_hydra_config=True)
