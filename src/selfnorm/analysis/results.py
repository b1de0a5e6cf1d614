"""The tidy tables of a study, in memory and on disk, so that pictures and report can be rebuilt without the
runs.

On disk: cells.csv, seeds.csv, curves.csv.gz, moments.csv.gz, provenance.json, and forks.csv.gz where runs were forked;
the same tables give the same bytes.
"""

import gzip
import json
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from selfnorm.runs.files import write_atomically
from selfnorm.runs.layout import FORK_COLUMNS, FORK_KEY
from selfnorm.runs.tables import kept_steps

_TEXT = [
    "cell", "dataset", "network", "block", "activation", "fixed_point", "normalization", "position", "dropout",
    "optimizer", "loss", "error_mode", "scale", "tag", "state",
]  # fmt: skip
_WHOLE = ["depth", "width", "batch_size", "error_batch_size", "epochs", "train_limit", "num_seeds"]
_REAL = ["gain", "dropout_rate", "input_rate", "lr", "seconds"]
CELL_COLUMNS = [
    "cell", "dataset", "network", "depth", "width", "block", "gain", "activation", "fixed_point", "normalization",
    "position", "dropout", "dropout_rate", "input_rate", "optimizer", "lr", "batch_size", "loss",
    "error_mode", "error_batch_size", "epochs", "train_limit", "scale", "tag", "state", "num_seeds",
    "seconds",
]  # fmt: skip
SEED_COLUMNS = ["cell", "seed", "diverged_step", "test_accuracy"]
JOINED = ["dataset", "network", "depth"]


@dataclass(frozen=True)
class Tables:
    """The tidy tables of a study.

    cells: a row per run, key `cell` (its folder relative to the root), coordinates, state, seconds.
    seeds: a row per cell and seed: diverged_step (missing if it did not), test_accuracy in [0, 1].
    curves: cell, its data set, network and depth, then step, epoch, seed, split, loss (mean cross-entropy,
    nats), accuracy. moments: the same keys, then layer and the columns of the recorder. forks: the same keys, then
    FORK_COLUMNS; no row if no run was forked. skipped: path and reason of each folder that was not read.
    provenance: command, environments, seconds. predicted: what the theory said before the runs (studies/rivals.py); it
    is read from the folder and never written.
    """

    cells: pd.DataFrame
    seeds: pd.DataFrame
    curves: pd.DataFrame
    moments: pd.DataFrame
    forks: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["cell", *JOINED, *FORK_COLUMNS]))
    skipped: list[dict[str, str]] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)
    predicted: pd.DataFrame = field(default_factory=pd.DataFrame)

    @cached_property
    def seeds_by_cell(self) -> dict[str, dict[int, tuple[float, float]]]:
        """Cell -> seed -> diverged_step and test_accuracy."""
        found: dict[str, dict[int, tuple[float, float]]] = {}
        for cell, seed, *values in self.seeds[SEED_COLUMNS].itertuples(index=False):
            found.setdefault(str(cell), {})[int(seed)] = tuple(values)
        return found

    @cached_property
    def kept(self) -> dict[tuple[str, str], Any]:
        """The arrays that curves.seed_curves made of these tables, by cell and split."""
        return {}

    @cached_property
    def curves_by_cell(self) -> dict[tuple[str, str], pd.DataFrame]:
        """The rows of curves by cell and split: looked up hundreds of times in a report."""
        return {(str(cell), str(split)): rows for (cell, split), rows in self.curves.groupby(["cell", "split"])}


def typed_cells(cells: pd.DataFrame) -> pd.DataFrame:
    """The table of cells with the same columns, order and types, whether it comes from runs or from a file."""
    # Every other key of a configuration has its own name, as text. A table without them was written when runs were
    # compared by CELL_COLUMNS alone; what it does not say is taken as equal in all of its runs.
    others = sorted(column for column in map(str, cells) if "." in column)
    types = dict.fromkeys([*_TEXT, *others], "str") | dict.fromkeys(_WHOLE, "Int64")
    typed = cells[[*CELL_COLUMNS, *others]].astype(types | dict.fromkeys(_REAL, "float64"))
    return typed.sort_values("cell", ignore_index=True)


def join_coordinates(table: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """A tidy table with the data set, network and depth of its cell beside each row."""
    return table.merge(cells[["cell", *JOINED]].astype({"depth": "int64"}), on="cell", validate="many_to_one")


def thin_moments(moments: pd.DataFrame, max_steps: int) -> pd.DataFrame:
    """The rows of `kept_steps` of each cell."""
    kept = [
        group[group["step"].isin(kept_steps(group["step"].to_numpy(), max_steps))]
        for _, group in moments.groupby("cell", sort=True)
    ]
    return pd.concat(kept, ignore_index=True) if kept else moments


MOMENT_ROWS = 40_000  # about a megabyte, compressed
LARGE = 16_000_000  # characters of a table: twice the largest in docs/


def num_moment_steps(cells: pd.DataFrame, most: int = 8) -> int:
    """The number of steps of the moments are committed: fewer (first and last at least) in a large study."""
    rows_a_step = int((cells["num_seeds"] * cells["depth"]).sum())
    return max(2, min(most, MOMENT_ROWS // max(1, rows_a_step)))


def write_results(tables: Tables, folder: Path) -> None:
    """Write the tables under `folder`; equal tables give equal bytes (no dates, fixed order and digits)."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = typed_cells(tables.cells)
    write_atomically(folder / "cells.csv", cells.to_csv(index=False, lineterminator="\n"))
    seeds = tables.seeds.sort_values(["cell", "seed"])
    write_atomically(folder / "seeds.csv", seeds.to_csv(index=False, lineterminator="\n"))
    # 9 digits hold a float32 exactly; 5 are more than the eye reads off a moment.
    curve_keys = ["cell", "split", "seed", "step"]
    _write_gzip(tables.curves.drop(columns=JOINED), curve_keys, "%.9g", folder / "curves.csv.gz")
    moments = thin_moments(tables.moments, num_moment_steps(cells)).drop(columns=JOINED)
    _write_gzip(moments, ["cell", "step", "seed", "layer"], "%.5g", folder / "moments.csv.gz")
    if len(tables.forks):
        _write_gzip(tables.forks.drop(columns=JOINED), ["cell", *FORK_KEY], "%.9g", folder / "forks.csv.gz")
    record = {"provenance": tables.provenance, "skipped": tables.skipped}
    write_atomically(folder / "provenance.json", json.dumps(record, indent=1, sort_keys=True) + "\n")


def _write_gzip(table: pd.DataFrame, keys: list[str], digits: str, path: Path) -> None:
    text = table.sort_values(keys).to_csv(index=False, float_format=digits, na_rep="nan", lineterminator="\n")
    # The last percent takes most of the time, which a thousand runs (30 MB) would feel
    write_atomically(path, gzip.compress(text.encode(), compresslevel=9 if len(text) < LARGE else 6, mtime=0))


def is_results(folder: Path) -> bool:
    """Tell whether `folder` holds committed tables."""
    return (folder / "cells.csv").is_file() and (folder / "curves.csv.gz").is_file()


def read_results(folder: Path) -> Tables:
    """Read what write_results wrote. Raises ValueError naming what is missing or unreadable."""
    if not is_results(folder):
        raise ValueError(f"{folder} has no cells.csv and curves.csv.gz: give a folder that report.py wrote")
    try:
        cells = typed_cells(_read_cells(folder / "cells.csv"))
        seeds = pd.read_csv(folder / "seeds.csv")
        curves, moments = (_read_gzip(folder / f"{name}.csv.gz") for name in ("curves", "moments"))
        forks = _read_gzip(folder / "forks.csv.gz") if (folder / "forks.csv.gz").is_file() else None
        predicted = pd.read_csv(path) if (path := folder / "predicted.csv").is_file() else pd.DataFrame()
        record = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    except (OSError, KeyError, EOFError, json.JSONDecodeError, pd.errors.ParserError) as error:
        raise ValueError(f"{folder} is not readable ({error}): write it again from the runs") from error
    return Tables(
        cells=cells,
        seeds=seeds,
        curves=join_coordinates(curves, cells),
        moments=join_coordinates(moments, cells),
        **({} if forks is None else {"forks": join_coordinates(forks, cells)}),
        skipped=record["skipped"],
        provenance=record["provenance"],
        predicted=predicted,
    )


def _read_cells(path: Path) -> pd.DataFrame:
    text = {column: str for column in map(str, pd.read_csv(path, nrows=0)) if "." in column}
    return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=text)


def _read_gzip(path: Path) -> pd.DataFrame:
    return pd.read_csv(StringIO(gzip.decompress(path.read_bytes()).decode()))
