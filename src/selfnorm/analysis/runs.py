"""Runs become the tables of a study.

In: a root of run folders, or runs that were read. Out: Tables; what cannot be read is listed with its reason, never
left out in silence.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from selfnorm.analysis.coordinates import coordinates
from selfnorm.analysis.curves import SeedCurves, curves_of
from selfnorm.analysis.results import SEED_COLUMNS, Tables, join_coordinates, num_moment_steps, typed_cells
from selfnorm.commandline import one_line
from selfnorm.runs.finding import find_folders
from selfnorm.runs.layout import CONFIG, CURVES, MOMENT_COORDINATES
from selfnorm.runs.reading import Run, read_run


def load_runs(root: Path, tags: tuple[str, ...] = (), *, thin: bool = False) -> Tables:
    """All runs below `root` (only those of `tags`, if given) as tidy tables.

    thin: of the moments only the steps that a report commits, for a thousand runs hold millions of rows.
    Raises ValueError when the root does not exist or no run could be read.
    """
    found: list[tuple[Run, dict[str, Any]]] = []
    skipped: list[dict[str, str]] = []
    seen_tags: set[str] = set()
    for folder in find_folders(root):
        if not folder.files:
            continue
        with _skipping(folder.name, skipped):
            run = read_run(folder)
            cell = cell_of(run)
            seen_tags.add(cell["tag"])
            if not tags or cell["tag"] in tags:
                found.append((run, cell))
    max_steps = num_moment_steps(pd.DataFrame([cell for _, cell in found])) if thin and found else None
    whole: list[Run] = []
    moments: dict[str, pd.DataFrame] = {}
    for run, _ in found:
        with _skipping(run.name, skipped):
            if run.curves is None:
                raise ValueError(f"{CURVES} has no row yet: wait for the run or run it again")
            _ = run.forks  # read here, so that a damaged table counts as a run that cannot be read
            table = run.moments(max_steps)
            if table is not None:
                moments[run.name] = table
            whole.append(run)
    skipped.sort(key=lambda entry: entry["path"])
    if not whole:
        raise ValueError(_nothing_found(root, tags, seen_tags, skipped))
    return as_tables(whole, moments, skipped)


def as_tables(
    runs: Sequence[Run], moments: dict[str, pd.DataFrame] | None = None, skipped: Sequence[dict[str, str]] = ()
) -> Tables:
    """Runs that have curves as the tables of a study; moments: by the run's name, none if not given."""
    cells = typed_cells(pd.DataFrame([cell_of(run) for run in runs]))
    outcomes = [(run.name, seed, *values) for run in runs for seed, values in sorted(run.outcomes.items())]
    nothing = pd.DataFrame(columns=list(MOMENT_COORDINATES), dtype="int64")
    forks = {run.name: run.forks for run in runs if run.forks is not None}
    return Tables(
        cells=cells,
        seeds=pd.DataFrame(outcomes, columns=SEED_COLUMNS),
        curves=join_coordinates(_together({run.name: run.curves for run in runs if run.curves is not None}), cells),
        moments=join_coordinates(_together(moments or {runs[0].name: nothing}), cells),
        **({"forks": join_coordinates(_together(forks), cells)} if forks else {}),
        skipped=list(skipped),
        provenance={
            "seconds": round(float(cells["seconds"].sum()), 1),
            "environment": _distinct(run.environment for run in runs),
        },
    )


def cell_of(run: Run) -> dict[str, Any]:
    """A run as a row of Tables.cells. Raises ValueError for a configuration that names no coordinates."""
    own = {"cell": run.name, "state": run.state, "num_seeds": len(run.outcomes), "seconds": run.seconds}
    try:
        return coordinates(run.config) | own
    except (TypeError, AttributeError, LookupError, ArithmeticError) as error:  # edited by hand
        raise ValueError(f"{CONFIG} is not as a run writes it ({error}): run it again") from error


def seed_curves_of(run: Run) -> SeedCurves:
    """The training error of one run by seed. Raises ValueError when there is none, or one without a logarithm."""
    train = run.train
    if train.empty:
        raise ValueError(f"{run.name} has no train curve: run it again")
    return curves_of(train, run.outcomes, run.name, cell_of(run)["network"])


@contextmanager
def _skipping(name: str, skipped: list[dict[str, str]]) -> Iterator[None]:
    """A run that cannot be read is noted with its reason."""
    try:
        yield
    except (ValueError, OSError) as error:
        skipped.append({"path": name, "reason": one_line(error)})
    except (TypeError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:  # edited by hand
        reason = f"its files are not as a run writes them ({one_line(error)}): run it again"
        skipped.append({"path": name, "reason": reason})


def _nothing_found(root: Path, tags: tuple[str, ...], seen: set[str], skipped: list[dict[str, str]]) -> str:
    if tags and seen:
        return f"no run below {root} has tag {', '.join(tags)}; tags there: {', '.join(sorted(seen))}"
    if skipped:
        first = f"{skipped[0]['path']}: {skipped[0]['reason']}"
        return f"no readable run below {root}; first of {len(skipped)} folders: {first}"
    return f"no run below {root}: train first, for example python train.py +sweep=figure1"


def _together(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables one below the other, with the run's name as the first column, `cell`."""
    return pd.concat(tables, names=["cell", None]).reset_index("cell").reset_index(drop=True)


def _distinct(environments: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """The different values over the runs of each entry of the environments (nested keys joined by dots)."""
    values: dict[str, set[str]] = {}
    for environment in environments:
        for key, value in _flat(environment):
            values.setdefault(key, set()).add(str(value))
    return {key: sorted(found) for key, found in sorted(values.items())}


def _flat(environment: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in environment.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
