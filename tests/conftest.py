"""Jobs composed from conf/ as a user's command line composes them, and small data sets."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfnorm import config

ROOT = Path(__file__).parents[1]
os.environ["WANDB_MODE"] = "offline"  # no test may reach a server


def compose_job(*overrides: str) -> config.Job:
    """The job that `python train.py <overrides>` would run."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        composed: Any = OmegaConf.to_container(compose("config", list(overrides)), resolve=True)
    return config.parse_job(composed)


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., config.Job]:
    """`compose_job` on digits at smoke scale, in a runs folder of the test's own, without W&B and progress bar."""

    def make(*overrides: str) -> config.Job:
        quiet = ("logger.mode=disabled", "progress=false", f"runs_dir={tmp_path}/runs")
        return compose_job("dataset=digits", "scale=smoke", *quiet, *overrides)

    return make


@pytest.fixture
def unused_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
