"""The files of a prediction study: the table by layers, the errors, the picture, the report.

In: the table of `prediction.layer_table` and where it comes from. Out: prediction.csv.gz and about.json, from which the
rest is rebuilt with the same bytes: errors.csv, prediction.png, .pdf, .svg, report.md.
"""

import gzip
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pandas as pd

from selfnorm.analysis.figures.prediction import prediction_figure
from selfnorm.analysis.figures.style import house_style, save
from selfnorm.analysis.markup import markdown_table
from selfnorm.analysis.prediction import KEYS, MAPS, summary, with_errors
from selfnorm.analysis.prediction_text import CAPTION, CLOSEST, METHOD, TITLES, closest_view, error_view, network_order
from selfnorm.analysis.report_text import provenance_lines

TABLE = "prediction.csv.gz"
ABOUT = "about.json"


def is_committed(folder: Path) -> bool:
    """Whether the folder holds what `write_table` wrote."""
    return (folder / TABLE).is_file() and (folder / ABOUT).is_file()


def write_table(table: pd.DataFrame, about: dict[str, Any], folder: Path) -> None:
    """Equal tables give equal bytes. Errors are rounded with the rest: 5 digits, and found anew on reading."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = [*KEYS, "measured", *MAPS, *(f"{name}_error" for name in MAPS)]
    text = table[columns].sort_values(KEYS).to_csv(index=False, float_format="%.5g", lineterminator="\n")
    (folder / TABLE).write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    (folder / ABOUT).write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")


def read_table(folder: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table and its provenance. Raises ValueError naming what is missing or unreadable."""
    if not is_committed(folder):
        raise ValueError(f"{folder} has no {TABLE} and {ABOUT}: give a folder that prediction.py wrote")
    try:
        table = pd.read_csv(StringIO(gzip.decompress((folder / TABLE).read_bytes()).decode()))
        if missing := [name for name in (*KEYS, "measured", *MAPS) if name not in table]:
            raise ValueError(f"{TABLE} lacks the column {missing[0]}")
        table = table.astype(dict.fromkeys(("measured", *MAPS), float))
        about = json.loads((folder / ABOUT).read_text())
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
    errors.to_csv(folder / "errors.csv", index=False, float_format="%.4g", lineterminator="\n")
    with house_style():
        save(prediction_figure(table), folder, "prediction")
    parts = ["# Predicted against measured moments", provenance_lines(about, table["run"].nunique())]
    parts += ["![Measured moments and gradient gain by layer, and what three maps say](prediction.png)", CAPTION]
    parts += ["## Which map predicts what", CLOSEST, markdown_table(closest_view(errors)), METHOD]
    for quantity, title in TITLES.items():
        parts.append(f"## Error of the {title}\n\n{markdown_table(error_view(errors, quantity))}")
    if about.get("left_out"):
        parts.append("## Left out, and why\n\n" + "".join(f"- {line}\n" for line in about["left_out"]))
    (folder / "report.md").write_text("\n\n".join(part.strip() for part in parts) + "\n")
