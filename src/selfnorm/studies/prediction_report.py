"""The files of a prediction study: the table by layers, the errors, the picture, the report.

In: the table of `prediction.layer_table` and where it comes from. Out: prediction.csv.gz and about.json, from which the
rest is rebuilt with the same bytes: errors.csv, prediction.png, .pdf, .svg, report.md.
"""

import gzip
import json
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from selfnorm.analysis.figures.style import house_style, save
from selfnorm.analysis.runs import load_runs
from selfnorm.analysis.words import bullets, markdown_table, provenance_lines
from selfnorm.runs.files import write_atomically
from selfnorm.studies.figures.prediction import prediction_figure
from selfnorm.studies.prediction import KEYS, MAPS, TIMES, layer_table, summary, with_errors
from selfnorm.studies.prediction_words import CAPTION, CLOSEST, METHOD, TITLES, closest_view, error_view, network_order
from selfnorm.theory.prediction import Inputs, predict_network

TABLE = "prediction.csv.gz"
ABOUT = "about.json"


def is_committed(folder: Path) -> bool:
    """Tell whether the folder holds what `write_table` wrote."""
    return (folder / TABLE).is_file() and (folder / ABOUT).is_file()


def write_table(table: pd.DataFrame, about: dict[str, Any], folder: Path) -> None:
    """Equal tables give equal bytes. Errors are rounded with the rest: 5 digits, and found anew on reading."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = [*KEYS, "measured", *MAPS, *(f"{name}_error" for name in MAPS)]
    text = table[columns].sort_values(KEYS).to_csv(index=False, float_format="%.5g", lineterminator="\n")
    write_atomically(folder / TABLE, gzip.compress(text.encode(), compresslevel=9, mtime=0))
    write_atomically(folder / ABOUT, json.dumps(about, indent=1, sort_keys=True) + "\n")


def read_table(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table and its provenance. Raises ValueError naming what is missing or unreadable."""
    if not is_committed(folder):
        raise ValueError(f"{folder} has no {TABLE} and {ABOUT}: give a folder that prediction.py wrote")
    try:
        table = pd.read_csv(StringIO(gzip.decompress((folder / TABLE).read_bytes()).decode()))
        if missing := [name for name in (*KEYS, "measured", *MAPS) if name not in table]:
            raise ValueError(f"{TABLE} lacks the column {missing[0]}")
        table = table.astype(dict.fromkeys(("measured", *MAPS), float))
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if not isinstance(about, dict):
            raise ValueError(f"{ABOUT} must be a mapping")
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(f"{folder} is not readable ({error}): write it again from the runs") from error
    table = table.assign(order=table["network"].map(network_order)).sort_values(["dataset", "order", *KEYS[2:]])
    return with_errors(table.drop(columns="order")), about


def write_report(table: pd.DataFrame, about: dict[str, Any], folder: Path) -> None:
    """errors.csv, the picture and report.md."""
    folder.mkdir(parents=True, exist_ok=True)
    errors = summary(table)
    text = errors.to_csv(index=False, float_format="%.4g", lineterminator="\n")
    write_atomically(folder / "errors.csv", text)
    with house_style():
        save(prediction_figure(table), folder, "prediction")
    parts = ["# Predicted against measured moments", provenance_lines(about, table["run"].nunique())]
    parts += ["![Measured moments and gradient gain by layer, and what three maps say](prediction.png)", CAPTION]
    parts += ["## Which map predicts what", CLOSEST, markdown_table(closest_view(errors)), METHOD]
    for quantity, title in TITLES.items():
        parts.append(f"## Error of the {title}\n\n{markdown_table(error_view(errors, quantity))}")
    if about.get("left_out"):
        parts.append(f"## Left out, and why\n\n{bullets(about['left_out'])}")
    write_atomically(folder / "report.md", "\n\n".join(part.strip() for part in parts) + "\n")


def predict_runs(
    root: Path, tags: Sequence[str], open_run: Callable[[Path], tuple[Any, Inputs]]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table of every run below `root` (only those of `tags`, if given), and its provenance.

    open_run: a run's folder -> its networks.snapshots.RecordedRun and its inputs; loads torch, as this room does not.
    Raises ValueError when there is no run to predict.
    """
    tables = load_runs(root, tuple(tags))
    left_out = [f"{entry['path']}: {entry['reason']}" for entry in tables.skipped]
    parts = []
    for cell in tables.cells["cell"]:
        diverged = set(tables.seeds[(tables.seeds["cell"] == cell) & tables.seeds["diverged_step"].notna()]["seed"])
        left_out += [f"{cell}: seed {seed} diverged" for seed in sorted(diverged)]
        moments = tables.moments[tables.moments["cell"] == cell]
        try:
            parts += _one_run(*open_run(root / cell), root.resolve().name if cell == "." else cell, moments, diverged)
        except ValueError as error:
            left_out.append(f"{cell}: {error}")
    if not parts:
        raise ValueError(f"no run to predict below {root}; first of {len(left_out)}: {left_out[0]}")
    return pd.concat(parts), tables.provenance | {"left_out": left_out}


def _one_run(run: Any, inputs: Inputs, name: str, moments: pd.DataFrame, diverged: set[int]) -> list[pd.DataFrame]:
    """A table for every seed that stayed finite, at the first and at the last record."""
    job = run.job
    labels: dict[str, Any] = {
        "run": name,
        "dataset": job.dataset.label,
        "network": job.network,
        "depth": job.model.depth,
        "width": job.model.width or len(inputs.mean),
    }
    parts = []
    for snapshot in run.snapshots():
        if snapshot.seed in diverged:
            continue
        step = moments["step"].max() if snapshot.trained else moments["step"].min()
        recorded = moments[(moments["seed"] == snapshot.seed) & (moments["step"] == step)]
        when = {"when": TIMES[snapshot.trained], "step": step, "seed": snapshot.seed}
        parts.append(layer_table(predict_network(snapshot.network, inputs), recorded, **labels, **when))
    return parts
