"""Jobs composed from conf/ as a user's command line composes them, and a server that runs command lines quickly."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from composed import compose_job
from tools.fork_server import ForkServer

from selfnorm import config

pytest_plugins = ["analysis.made_fixtures"]

os.environ["WANDB_MODE"] = "offline"  # no test may reach a server
if threading.current_thread() is threading.main_thread():
    # A shell's background job ignores Ctrl-C, and would hand that on to every process that a test starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, one core each


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., config.Job]:
    """`compose_job` on digits at smoke scale, in a runs folder of the test's own, without W&B and progress bar."""

    def make(*overrides: str) -> config.Job:
        quiet = ("logger.mode=disabled", "progress=false", f"runs_dir={tmp_path}/runs")
        return compose_job("dataset=digits", "scale=smoke", *quiet, *overrides)

    return make


@pytest.fixture(scope="session")
def command_server() -> Iterator[ForkServer]:
    """Runs train.py and the scripts, each in a process of its own that need not import what comes before torch."""
    modules = ("hydra.main", "selfnorm.sweeps.progress", "selfnorm.sweeps.check", "hydra._internal.callbacks")
    with ForkServer(*modules, "selfnorm.data.cache", "pandas", "scipy.stats", "matplotlib.figure") as running:
        yield running


@pytest.fixture
def unused_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
