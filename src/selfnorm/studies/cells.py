"""Every cell of a study in its own numbers: fluctuation, errors, and the spread between seeds."""

from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.comparison import describe_cells
from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.results import Tables
from selfnorm.analysis.words import MISSING, interval, markdown_table, number
from selfnorm.studies.section import Section, Table

_SHOWN = {
    "fluctuation": "fluctuation (log error)",
    "final_error": "final error",
    "test_error": "test error rate",
}


def cells_view(described: pd.DataFrame) -> pd.DataFrame:
    """One readable row per row of `describe_cells`: n, diverged seeds, fluctuation, errors, spread."""
    rows = []
    for row in described.to_dict("records"):
        view: dict[str, Any] = {"data set": dataset_title(row["dataset"]), "depth": row["depth"]}
        view |= {"network": row["network"], "n": row["n"], "diverged": row["diverged"] or MISSING}
        for key, label in _SHOWN.items():
            view[label] = interval(*(float(row.get(f"{key}{end}", np.nan)) for end in ("", "_low", "_high")))
        if not np.isnan(lowest := float(row.get("lowest_validation", np.nan))):
            view["lowest validation error (epoch)"] = f"{number(lowest)} ({row['lowest_validation_epoch']:.0f})"
        rows.append(
            view
            | {
                "spread": interval(float(row.get("spread", np.nan))),
                "note": row.get("note", np.nan),
                "cell": row["cell"],
            }
        )
    return pd.DataFrame(rows)


def section(tables: Tables, networks: tuple[str, str]) -> Section:
    """The table of cells; the updates to each error level are a file of their own."""
    described = describe_cells(tables)
    view = cells_view(described)
    text = "Geometric mean over seeds (95 % interval); of the test error rate the mean on the logit scale.\n\n"
    text += markdown_table(view)
    return Section("Every cell", text, {"networks": Table(described, view)})
