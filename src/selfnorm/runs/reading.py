"""The one reader of a run folder.

In: a `Folder`. Out: a `Run`, whose tables are read on first use. Raises ValueError, in words for people, for a run that
did not get far or is corrupt, and OSError for a file that cannot be opened.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from selfnorm.runs import layout
from selfnorm.runs.files import read_file
from selfnorm.runs.finding import Folder
from selfnorm.runs.state import check_whole, written_digests

if TYPE_CHECKING:
    import pandas as pd

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SURELY_SHALLOW, DEEPEST = 4096, 50  # bytes that cannot be as deep as the stack; a run's configuration has three levels


@dataclass(frozen=True)
class Run:
    """A run as its folder describes it.

    outcomes: seed -> the step at which it diverged and its test accuracy, NaN where there is none.
    """

    folder: Folder
    config: dict[str, Any]
    summary: dict[str, Any]
    environment: dict[str, Any]
    seconds: float
    outcomes: dict[int, tuple[float, float]]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def state(self) -> str:
        """The state as the run wrote it."""
        return str(self.summary["state"])

    @property
    def diverged(self) -> set[int]:
        return {seed for seed, (step, _) in self.outcomes.items() if not math.isnan(step)}

    @cached_property
    def curves(self) -> pd.DataFrame | None:
        """The rows of curves.csv, of seeds that the run names; None if nothing is recorded so far."""
        from selfnorm.runs.tables import check_seeds, read_whole_lines

        path = self.folder.path / layout.CURVES
        is_there = layout.CURVES in self.folder.files
        if self.state != layout.FINISHED and (not is_there or read_file(path)[:4096].count(b"\n") <= 1):
            return None
        _need(self.folder, layout.CURVES)
        table = read_whole_lines(path, layout.CURVE_COLUMNS, layout.CURVE_KEY)
        check_seeds(table, layout.CURVES, self.outcomes)
        for name in written_digests(self.summary):  # a list of runs reads no moments, and still says what they lack
            if name != layout.NETWORK:  # which no statistic needs, and which may have gigabytes
                _need(self.folder, name)
                check_whole(self.folder.path / name, self.summary)
        return table

    @property
    def train(self) -> pd.DataFrame:
        """The rows of the training error; none before any is recorded."""
        import pandas as pd

        if self.curves is None:
            return pd.DataFrame(columns=list(layout.CURVE_COLUMNS))
        return self.curves[(self.curves["split"] == "train").to_numpy()]

    @cached_property
    def forks(self) -> pd.DataFrame | None:
        """The rows of forks.csv; None if the run was not forked, or has not come to its first fork point."""
        from selfnorm.runs.tables import check_seeds, read_whole_lines

        path = self.folder.path / layout.FORKS
        if layout.FORKS not in self.folder.files or read_file(path)[:4096].count(b"\n") <= 1:
            return None
        table = read_whole_lines(path, layout.FORK_COLUMNS, layout.FORK_KEY)
        check_seeds(table, layout.FORKS, self.outcomes)
        return table

    def moments(self, max_steps: int | None = None) -> pd.DataFrame | None:
        """The rows of moments.csv, of at most `max_steps` of the steps; None if there is no such file."""
        from selfnorm.runs.tables import check_seeds, read_whole_lines

        if layout.MOMENTS not in self.folder.files:
            return None
        path = self.folder.path / layout.MOMENTS
        table = read_whole_lines(path, layout.MOMENT_COORDINATES, layout.MOMENT_KEY, max_steps)
        check_seeds(table, layout.MOMENTS, self.outcomes)
        return table


def read_run(folder: Folder) -> Run:
    """Read everything but the tables. Raises ValueError naming the file at fault and the next step."""
    if folder.problem:
        raise ValueError(folder.problem)
    _need(folder, layout.CONFIG)
    _need(folder, layout.SUMMARY)
    config, summary = read_config(folder.path), _mapping(folder.path / layout.SUMMARY, json.loads)
    if "state" not in summary:
        raise ValueError(f"{layout.SUMMARY} must hold a state: run it again")
    has_environment = layout.ENVIRONMENT in folder.files
    environment = _mapping(folder.path / layout.ENVIRONMENT, json.loads) if has_environment else {}
    try:
        seconds, outcomes = float(summary.get("seconds") or 0.0), _outcomes(config, summary)
    except (TypeError, AttributeError, ValueError, LookupError, ArithmeticError) as error:  # edited by hand
        names = f"{layout.CONFIG} or {layout.SUMMARY}"
        raise ValueError(f"{names} is not as a run writes it ({error}): run it again") from error
    return Run(folder, config, summary, environment, seconds, outcomes)


def read_config(folder: Path) -> dict[str, Any]:
    """A run's configuration, as it was resolved. Raises ValueError for one that cannot be used."""
    return _mapping(folder / layout.CONFIG, _plain)


def read_activation(folder: Path) -> dict[str, Any] | None:
    """The table of a user's own activation that a run has written down; None if there is none."""
    path = folder / layout.ACTIVATION
    return _mapping(path, json.loads) if path.is_file() else None


def readable(folders: list[Folder]) -> list[Run]:
    """The runs that can be read, with their curves; the list of all runs names the others, with their reasons."""
    runs = []
    for folder in folders:
        with suppress(ValueError, OSError):
            run = read_run(folder)
            curves, _ = run.curves, run.forks  # both are read here, so that a damaged one is found
            if curves is not None:
                runs.append(run)
    return runs


class Record(NamedTuple):
    """One recorded step: its step and epoch, and its rows of curves.csv, moments.csv and forks.csv."""

    at: dict[str, int]
    curves: list[dict[str, Any]]
    moments: list[dict[str, Any]]
    forks: list[dict[str, Any]]


def recorded(folder: Path) -> Iterator[Record]:
    """The recorded steps in order, read without pandas, for a run that is resumed."""
    moments, forks = (dict(_by_step(folder / name)) for name in (layout.MOMENTS, layout.FORKS))
    for step, curves in _by_step(folder / layout.CURVES):
        at = {"step": step, "epoch": curves[0]["epoch"]}
        yield Record(at, curves, moments.get(step, []), forks.get(step, []))


def _by_step(path: Path) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    with suppress(FileNotFoundError):
        lines = read_file(path).decode().splitlines()
        for step, rows in groupby(map(_typed, csv.DictReader(lines)), key=lambda row: int(row["step"])):
            yield step, list(rows)


def _typed(row: dict[str, str]) -> dict[str, Any]:
    return {
        name: text if name in layout.TEXT_COLUMNS else int(text) if name in layout.WHOLE_COLUMNS else float(text)
        for name, text in row.items()
    }


def _need(folder: Folder, name: str) -> None:
    if name not in folder.files:  # a link is not listed either
        raise ValueError(f"no {name}: the run did not get that far, run it again")


def _outcomes(config: dict[str, Any], summary: dict[str, Any]) -> dict[int, tuple[float, float]]:
    seeds = [int(seed) for seed in summary.get("seeds") or config.get("seeds") or []]
    diverged = {int(seed): int(step) for seed, step in (summary.get("diverged") or {}).items()}
    accuracy = summary.get("test_accuracy") or {}
    by_seed = {seed: value for seed, value in accuracy.get("by_seed", accuracy).items() if value is not None}
    return {s: (float(diverged.get(s, math.nan)), float(by_seed.get(str(s), math.nan))) for s in seeds}


def _plain(content: bytes) -> Any:
    """Parse YAML; raises ValueError for what a run does not write and a few bytes can do harm with.

    A few aliases may stand for gigabytes, and lists in lists may end the process: the parser in C has no limit.
    """
    depth = 0
    for event in yaml.parse(content, Loader=_Loader) if b"*" in content or len(content) > SURELY_SHALLOW else ():
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > DEEPEST:
            raise ValueError("it has aliases or lists in lists, which a run does not write")
    return yaml.load(content, Loader=_Loader)


def _mapping(path: Path, parse: Callable[[bytes], Any]) -> dict[str, Any]:
    content = read_file(path)
    try:
        value = parse(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} cannot be read ({error}): run it again") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} must hold a mapping, not {type(value).__name__}: run it again")
    return value
