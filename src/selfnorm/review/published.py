"""A published study as run folders, so that the page shows it without a training.

In: a folder that report.py wrote. Out: below a root, a run folder for each cell, from the committed tables: curves,
forks, and the moments at the steps that were committed.
"""

import os
import re
from ast import literal_eval
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from selfnorm.analysis.coordinates import COLUMNS
from selfnorm.analysis.results import JOINED, Tables, read_results
from selfnorm.config.activation import complete_selu
from selfnorm.runs.files import write_atomically, write_json
from selfnorm.runs.layout import CONFIG, CURVES, ENVIRONMENT, FORKS, MOMENTS, SUMMARY

_KEYS = {column: key for key, column in COLUMNS.items()}


def unpack(study: Path, root: Path) -> None:
    """Write the run folders of a study below `root`.

    Raises ValueError as `read_results`, and for a study whose tables name a place elsewhere or no SELU.
    """
    tables = read_results(study)
    environment = {key: ", ".join(values) for key, values in tables.provenance.get("environment", {}).items()}
    for cell in tables.cells.to_dict("records"):
        name = str(cell["cell"])
        folder = root / name
        if ".." in folder.parts or not folder.is_relative_to(root):
            raise ValueError(f"{study}/cells.csv: the cell {name} lies outside of the study; was it edited?")
        folder.mkdir(parents=True)
        write_atomically(folder / CONFIG, yaml.safe_dump(configuration(cell), sort_keys=False))
        write_json(folder / ENVIRONMENT, environment)
        for table, file in ((tables.curves, CURVES), (tables.moments, MOMENTS), (tables.forks, FORKS)):
            rows = table[table["cell"] == name].drop(columns=["cell", *JOINED]).dropna(axis="columns", how="all")
            if len(rows):
                ordered = rows.sort_values("step", kind="stable")  # as a run writes it
                write_atomically(folder / file, ordered.to_csv(index=False, na_rep="nan", lineterminator="\n"))
        write_json(folder / SUMMARY, _summary(cell, tables))
        for path in folder.iterdir():
            os.utime(path, (0, 0))  # so that an exported page has the same bytes each time


def _summary(cell: dict[Any, Any], tables: Tables) -> dict[str, Any]:
    seeds = tables.seeds[tables.seeds["cell"] == cell["cell"]]
    lost, tested = (seeds.dropna(subset=column) for column in ("diverged_step", "test_accuracy"))
    accuracy = {str(seed): value for seed, value in zip(tested["seed"], tested["test_accuracy"], strict=True)}
    return {
        "state": cell["state"],
        "seconds": float(cell["seconds"]),
        "seeds": seeds["seed"].tolist(),
        "diverged": {str(seed): int(step) for seed, step in zip(lost["seed"], lost["diverged_step"], strict=True)},
        "test_accuracy": {"n": len(accuracy), "by_seed": accuracy},
    }


def configuration(cell: dict[Any, Any]) -> dict[str, Any]:
    """The configuration of a run from its row of the table of cells, as far as the row knows it."""
    config: dict[str, Any] = {"tag": cell["tag"], "scale": cell["scale"]}
    for column in cell:
        group, _, setting = _KEYS.get(column, column).partition(".")
        if not setting or (cell.get(group) == "none" and setting != "name"):  # of no normalization, no dropout
            continue
        value: Any = None if pd.isna(cell[column]) else cell[column]
        if isinstance(value, str) and "." in str(column):  # the table has these as Python's own text
            with suppress(ValueError, SyntaxError):
                value = literal_eval(value)
        config.setdefault(group, {})[setting] = value.item() if hasattr(value, "item") else value
    config["activation"] = _activation(config["activation"])
    return config


def _activation(keys: dict[str, Any]) -> dict[str, Any]:
    """The keys of an activation, SELU's constants from the name of its fixed point (coordinates.fixed_point_name)."""
    text = str(keys.pop("fixed_point", "none"))
    if keys["name"] != "selu":
        return keys
    learn, numbers = text.startswith("learned"), [float(n) for n in re.findall(r"-?[\d.]+(?:e-?\d+)?", text)]
    if len(numbers) != 2:
        raise ValueError(f"cells.csv: fixed_point {text} has not two numbers; was it edited?")
    given = {"alpha": numbers[0], "lambda": numbers[1]} if "alpha" in text else {"fixed_point": numbers}
    return complete_selu(keys | given) | {"learn": learn}
