"""Find run folders and load them into tidy tables.

In: a root with runs/<tag>/<dataset>/<network>/d<depth>-<hash>/ folders. Out: Tables. A folder is a run if it
holds config.yaml and summary.json; what cannot be read is listed with its reason, never left out in silence.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml

from selfnorm.analysis.coordinates import coordinates
from selfnorm.analysis.growing import check_seeds, read_whole_lines
from selfnorm.analysis.results import (
    CURVE_COLUMNS,
    MOMENT_KEYS,
    SEED_COLUMNS,
    Tables,
    join_coordinates,
    num_moment_steps,
    typed_cells,
)
from selfnorm.commandline import one_line
from selfnorm.finished import check_reaches_the_end

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Run(NamedTuple):
    cell: dict[str, Any]
    seeds: pd.DataFrame
    curves: pd.DataFrame
    moments: pd.DataFrame
    environment: dict[str, Any]


def load_runs(root: Path, tags: tuple[str, ...] = (), *, thin: bool = False) -> Tables:
    """All runs below `root` (only those of `tags`, if given) as tidy tables.

    thin: of the moments only the steps that a report commits, for a thousand runs hold millions of rows.
    Raises ValueError when the root does not exist or no run could be read.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: give the root of the runs, such as runs/")
    cells: list[tuple[Path, dict[str, Any]]] = []
    runs: list[_Run] = []
    skipped: list[dict[str, str]] = []
    seen_tags: set[str] = set()
    for folder in _candidates(root):
        name = folder.relative_to(root).as_posix()
        if not name.isprintable():  # line breaks, a terminal's escape sequences, what is not UTF-8
            path = name.encode("unicode_escape").decode()
            skipped.append({"path": path, "reason": "its name is not plain text: rename it"})
            continue
        with _skipping(name, skipped):
            cell = _load_cell(folder, name)
            seen_tags.add(cell["tag"])
            if not tags or cell["tag"] in tags:
                cells.append((folder, cell))
    max_steps = num_moment_steps(pd.DataFrame([cell for _, cell in cells])) if thin and cells else None
    for folder, cell in cells:
        with _skipping(cell["cell"], skipped):
            runs.append(_load_run(folder, cell, max_steps))
    skipped.sort(key=lambda entry: entry["path"])
    if not runs:
        raise ValueError(_nothing_found(root, tags, seen_tags, skipped))
    return _assemble(runs, skipped)


@contextmanager
def _skipping(name: str, skipped: list[dict[str, str]]) -> Iterator[None]:
    """A run that cannot be read is noted with its reason."""
    try:
        yield
    except (ValueError, OSError, yaml.YAMLError, pd.errors.ParserError) as error:
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


def _candidates(root: Path) -> Iterator[Path]:
    """Folders with config.yaml or summary.json; hidden ones (Hydra's .hydra) and W&B's own in a run are not runs."""
    folders = {p.parent for name in ("config.yaml", "summary.json") for p in root.rglob(name)}
    for folder in sorted(folders):
        of_wandb = folder.name == "files" and folder.parent.parent.name == "wandb"  # of a run that was online
        if not of_wandb and not any(part.startswith(".") for part in folder.relative_to(root).parts):
            yield folder


def _load_cell(folder: Path, name: str) -> dict[str, Any]:
    for needed in ("config.yaml", "summary.json"):
        if not (folder / needed).is_file():
            raise ValueError(f"no {needed}: the run did not get that far, run it again")
    config = yaml.load((folder / "config.yaml").read_bytes(), Loader=_Loader)
    summary = json.loads((folder / "summary.json").read_text())
    if not isinstance(config, dict) or not isinstance(summary, dict) or "state" not in summary:
        raise ValueError("config.yaml must be a mapping and summary.json one with a state: run it again")
    seconds = float(summary.get("seconds") or 0.0)
    seeds = summary.get("seeds", config.get("seeds", []))
    own = {"cell": name, "state": str(summary["state"]), "num_seeds": len(seeds or []), "seconds": seconds}
    return coordinates(config) | own


def _load_run(folder: Path, cell: dict[str, Any], max_steps: int | None) -> _Run:
    summary = json.loads((folder / "summary.json").read_text())
    curves = read_whole_lines(folder / "curves.csv", CURVE_COLUMNS, ["step", "seed", "split"])
    check_reaches_the_end(folder / "curves.csv", summary)
    asked = list(map(int, summary.get("seeds", [])))
    check_seeds(curves, "curves.csv", asked)
    moments_path = folder / "moments.csv"
    moments = (
        read_whole_lines(moments_path, MOMENT_KEYS, ["step", "seed", "layer"], max_steps)
        if moments_path.is_file()
        else pd.DataFrame(columns=MOMENT_KEYS, dtype="int64")
    )
    if not moments.empty:
        check_reaches_the_end(moments_path, summary)
        check_seeds(moments, "moments.csv", asked)
    diverged, accuracy = (summary.get(key) or {} for key in ("diverged", "test_accuracy"))
    accuracy = accuracy.get("by_seed", accuracy)
    seeds = sorted(set(asked) | set(curves["seed"].unique().tolist()))
    rows = [(cell["cell"], s, diverged.get(str(s)), accuracy.get(str(s))) for s in seeds]
    table = pd.DataFrame(rows, columns=SEED_COLUMNS).astype({"diverged_step": "float64", "test_accuracy": "float64"})
    path = folder / "environment.json"
    environment = json.loads(path.read_text()) if path.is_file() else {}
    return _Run(cell, table, _keyed(curves, cell), _keyed(moments, cell), environment)


def _keyed(table: pd.DataFrame, cell: dict[str, Any]) -> pd.DataFrame:
    table.insert(0, "cell", cell["cell"])
    return table


def _assemble(runs: list[_Run], skipped: list[dict[str, str]]) -> Tables:
    cells = typed_cells(pd.DataFrame([run.cell for run in runs]))
    return Tables(
        cells=cells,
        seeds=pd.concat([run.seeds for run in runs], ignore_index=True),
        curves=join_coordinates(pd.concat([run.curves for run in runs], ignore_index=True), cells),
        moments=join_coordinates(pd.concat([run.moments for run in runs], ignore_index=True), cells),
        skipped=skipped,
        provenance={
            "seconds": round(float(cells["seconds"].sum()), 1),
            "environment": _distinct([run.environment for run in runs]),
        },
    )


def _distinct(environments: list[dict[str, Any]]) -> dict[str, list[str]]:
    """For each entry of the environments (nested keys joined by dots) the different values over the runs."""
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
