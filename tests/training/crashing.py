"""A small job that is killed and started again, and what must hold whenever it was killed.

The job: digits, two seeds, dropout, momentum and a checkpoint after every epoch, so that all of a run's state counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from tools.fork_server import Ended, ForkServer

from selfnorm.runs.layout import CURVE_COLUMNS, CURVE_KEY, MOMENT_COORDINATES
from selfnorm.runs.tables import read_whole_lines

ARGUMENTS = (
    "dataset=digits", "scale=smoke", "model.depth=2", "dropout=alpha", "optimizer.momentum=0.9", "training.epochs=16",
    "training.checkpoint_seconds=0", "logger.mode=disabled", "progress=false",
)  # fmt: skip
MODULES = (
    "hydra.main", "hydra._internal.callbacks", "selfnorm.sweeps.progress", "selfnorm.sweeps.check",
    "selfnorm.training.command", "sklearn.datasets",
)  # fmt: skip
TABLES = {"curves.csv": (CURVE_COLUMNS, CURVE_KEY), "moments.csv": (MOMENT_COORDINATES, MOMENT_COORDINATES)}
FINISHED_ALIKE = "the same command finished it; curves, moments and weights byte for byte those of an undisturbed run"
Files = dict[str, bytes]  # the files of one or several runs whose bytes do not depend on the clock


def train(server: ForkServer, cwd: Path, *overrides: str, **fate: Any) -> Ended:
    replaced = {override.split("=")[0] for override in overrides}
    rest = [argument for argument in ARGUMENTS if argument.split("=")[0] not in replaced]
    return server.run("train.py", [*overrides, *rest], cwd, **fate)


def files(cwd: Path) -> Files:
    """Every file below runs/; of those that name times or folders, only that they are there."""
    found = {str(path.relative_to(cwd)): path for path in sorted(cwd.glob("runs/**/*")) if path.is_file()}
    timed = ("summary.json", "environment.json", "multirun.yaml")
    return {name: b"" if name.endswith(timed) else path.read_bytes() for name, path in found.items()}


def check_what_is_readable(cwd: Path, undisturbed: Files) -> None:
    """Check that a reader takes from the tables of a killed run rows of the undisturbed run, in their order."""
    for name, whole in undisturbed.items():
        path = cwd / name
        if path.name in TABLES and path.is_file():
            rows = whole.decode().splitlines(keepends=True)
            kept = path.read_text().splitlines(keepends=True)
            kept = kept if kept and kept[-1].endswith("\n") else kept[:-1]
            assert kept == rows[: len(kept)], name
            if len(kept) > 1:
                read = read_whole_lines(path, *TABLES[path.name])
                pd.testing.assert_frame_equal(read, pd.read_csv(path, nrows=len(kept) - 1))


def check_finishes(server: ForkServer, cwd: Path, undisturbed: Files, *overrides: str) -> None:
    """The same command ends well, and nothing differs from the undisturbed run: no file more, none less."""
    check_what_is_readable(cwd, undisturbed)
    ended = train(server, cwd, *overrides)
    assert ended.code == 0, ended
    now = files(cwd)
    assert sorted(now) == sorted(undisturbed)
    assert [name for name in now if now[name] != undisturbed[name]] == []


def half_files(cwd: Path, num_bytes: int) -> Sequence[str]:
    """The files that a write was cut off in, at this size."""
    return [path.name for path in cwd.glob("runs/**/*") if path.is_file() and path.stat().st_size == num_bytes]
