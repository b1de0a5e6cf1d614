"""Jobs composed from conf/, as a user's command line composes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selfnorm import config
from selfnorm.parsing import parse_job

ROOT = Path(__file__).parents[1]


def compose_job(*overrides: str) -> config.Job:
    """The job that `python train.py <overrides>` would run."""
    return parse_job(composed(*overrides))


def composed(*overrides: str) -> dict[str, Any]:
    """What Hydra hands to the schema: what nobody asked for is null."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        found: Any = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    return found
