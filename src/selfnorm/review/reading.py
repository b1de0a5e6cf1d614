"""One run folder as the tables of selfnorm.analysis; the moments are left where they are, since they are large.

In: a Folder. Out: a `Reading`. Raises ValueError, in words for people, for a run that did not get far or is corrupt,
and OSError for a file that cannot be opened.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from selfnorm.analysis.coordinates import coordinates
from selfnorm.analysis.curves import SeedCurves, curves_of
from selfnorm.analysis.growing import check_seeds, read_whole_lines
from selfnorm.analysis.results import (
    CURVE_COLUMNS,
    MOMENT_KEYS,
    SEED_COLUMNS,
    Tables,
    join_coordinates,
    typed_cells,
)
from selfnorm.finished import TABLES, check_reaches_the_end
from selfnorm.review.folders import Folder

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Reading:
    """A run: its coordinates with state, seconds and seeds (`cell`), its files, and its curves (None before any).

    seeds: seed -> the step at which it diverged and its test accuracy, NaN where there is none.
    """

    cell: dict[str, Any]
    config: dict[str, Any]
    summary: dict[str, Any]
    environment: dict[str, Any]
    seeds: dict[int, tuple[float, float]]
    curves: pd.DataFrame | None

    @property
    def lost(self) -> set[int]:
        """The seeds that diverged, as the run says."""
        return {seed for seed, (step, _) in self.seeds.items() if not math.isnan(step)}

    @property
    def train(self) -> pd.DataFrame:
        """The rows of the training error, none before any is recorded."""
        if self.curves is None:
            return pd.DataFrame(columns=CURVE_COLUMNS)
        return self.curves[(self.curves["split"] == "train").to_numpy()]

    def seed_curves(self) -> SeedCurves:
        """The training error by seed. Raises ValueError when there is none, or one without a logarithm."""
        name = self.cell["cell"]
        train = self.train
        if train.empty:
            raise ValueError(f"{name} has no train curve: run it again")
        return curves_of(train, self.seeds, name, self.cell["network"])


def read_run(folder: Folder) -> Reading:
    """Read everything but the moments. Raises ValueError naming the file at fault and the next step."""
    for needed in ("config.yaml", "summary.json"):
        if needed not in folder.files:
            raise ValueError(f"no {needed}: the run did not get that far, run it again")
    config, summary = _yaml(folder.path / "config.yaml"), _json(folder.path / "summary.json")
    try:
        cell = coordinates(config)
        seeds = [int(seed) for seed in summary.get("seeds") or config.get("seeds") or []]
        seconds = float(summary.get("seconds") or 0.0)
        diverged = {int(seed): int(step) for seed, step in (summary.get("diverged") or {}).items()}
        accuracy = summary.get("test_accuracy") or {}
        accuracy = accuracy.get("by_seed", accuracy)
        of_seeds = {s: (float(diverged.get(s, math.nan)), _real(accuracy.get(str(s)))) for s in seeds}
    except (TypeError, AttributeError, ValueError, LookupError, ArithmeticError) as error:
        raise ValueError(f"config.yaml or summary.json is not as a run writes it ({error}): run it again") from error
    state = str(summary.get("state"))
    own = {"cell": folder.name, "state": state, "num_seeds": len(seeds), "seconds": seconds}
    environment = _json(folder.path / "environment.json") if "environment.json" in folder.files else {}
    curves = _curves(folder, state)
    if curves is not None:
        check_seeds(curves, "curves.csv", seeds)
    for name in (table for table in TABLES if table in folder.files):
        check_reaches_the_end(folder.path / name, summary)
    return Reading(cell | own, config, summary, environment, of_seeds, curves)


def readable(folders: list[Folder]) -> list[Reading]:
    """The runs that can be read; the others are in the overview with their reasons."""
    readings = []
    for folder in folders:
        try:
            readings.append(read_run(folder))
        except (ValueError, OSError):
            continue
    return readings


def as_tables(readings: list[Reading]) -> Tables:
    """The runs that have curves as the tables of an analysis, without moments."""
    drawn = [r for r in readings if r.curves is not None]
    cells = typed_cells(pd.DataFrame([r.cell for r in drawn]))
    curves = pd.concat({r.cell["cell"]: r.curves for r in drawn}, names=["cell", None]).reset_index("cell")
    rows = [(r.cell["cell"], seed, *values) for r in drawn for seed, values in r.seeds.items()]
    seeds = pd.DataFrame(rows, columns=SEED_COLUMNS)
    return Tables(cells, seeds, join_coordinates(curves, cells), pd.DataFrame(columns=["cell", *MOMENT_KEYS]))


def _curves(folder: Folder, state: str) -> pd.DataFrame | None:
    path = folder.path / "curves.csv"
    if "curves.csv" not in folder.files:  # what is there but not listed is a link
        if state != "finished":
            return None  # nothing recorded so far
        raise ValueError("no curves.csv: the run did not get that far, run it again")
    if state != "finished" and path.read_bytes()[:4096].count(b"\n") <= 1:
        return None
    try:
        return read_whole_lines(path, CURVE_COLUMNS, ["step", "seed", "split"])
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"curves.csv is not a table ({error}): run it again") from error


def _real(value: Any) -> float:
    return math.nan if value is None else float(value)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        value = yaml.load(path.read_bytes(), Loader=_Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"config.yaml cannot be read ({error}): run it again") from error
    return _mapping(value, path)


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} cannot be read ({error}): run it again") from error
    return _mapping(value, path)


def _mapping(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} must hold a mapping, not {type(value).__name__}: run it again")
    return value
