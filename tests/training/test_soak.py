"""Killed at random, again and again: `make soak`. The seed of each batch fixes which kills are drawn."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.fork_server import ForkServer
from training.crashing import MODULES, Files, check_finishes, check_what_is_readable, files, train

pytestmark = [pytest.mark.slow, pytest.mark.soak, pytest.mark.timeout(1200)]

NUM_BATCHES, KILLS = 10, 20  # 200 kills
LARGEST = 60_000  # bytes: a little more than the largest file of the run, its checkpoint
KILLED = (-signal.SIGKILL, -signal.SIGXFSZ)  # at a random moment; after a random byte of a file


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer(*MODULES) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[Files, float]:
    """The files of a run that nothing disturbed, and the seconds that it took (the second time: caches are warm)."""
    for name in ("first", "second"):
        cwd = tmp_path_factory.mktemp(name)
        started = time.monotonic()
        ended = train(server, cwd)
        assert ended.code == 0, ended
    return files(cwd), time.monotonic() - started


@pytest.mark.parametrize("batch", range(NUM_BATCHES))
def test_runs_killed_at_random_lose_nothing(
    batch: int, server: ForkServer, undisturbed: tuple[Files, float], tmp_path: Path
) -> None:
    expected, seconds = undisturbed
    draw = random.Random(batch)
    kills = runs = 0
    while kills < KILLS:
        cwd = tmp_path / str(runs)
        cwd.mkdir()
        for _ in range(draw.randint(1, 6)):  # one run, killed several times in a row
            if draw.random() < 0.8:
                ended = train(server, cwd, kill=(draw.uniform(0.1, seconds), signal.SIGKILL))
            else:
                ended = train(server, cwd, fate=("die_in_the_middle_of_a_write", draw.randint(1, LARGEST)))
            assert ended.code in (0, *KILLED), ended
            check_what_is_readable(cwd, expected)
            if ended.code == 0:
                break
            kills += 1
        check_finishes(server, cwd, expected)
        runs += 1
