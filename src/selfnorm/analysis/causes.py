"""Which perturbation carries how much, and the paper's other networks side by side.

In: Tables with control runs that differ from their reference in one axis. Out: a row per control and
statistic with the ratio control / reference; the same for every other network against the SNN.
"""

from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.comparison import compare_pair, corrected, usable_cells
from selfnorm.analysis.coordinates import AXES, changed_axes, controls, dataset_title, reference_cells, same
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.results import Tables
from selfnorm.analysis.statistics import (
    DEFAULTS,
    FINAL,
    FLUCTUATION,
    MATCHED,
    OF_ERROR,
    SECOND,
    SPEED,
    Settings,
)
from selfnorm.analysis.verdict import evidence

CAUSE_STATISTICS = (FLUCTUATION, MATCHED, OF_ERROR, SECOND, SPEED, FINAL)
NETWORK_ORDER = ("MSRA", "BN", "LN", "WN", "Highway", "ResNet")  # the paper's table, SNN is the reference


def causes(tables: Tables, settings: Settings = DEFAULTS, references: tuple[str, ...] = ("BN", "SNN")) -> pd.DataFrame:
    """The ratio control / reference of each statistic, for the controls of each reference network.

    Columns: dataset, depth, reference, axis, control (what was changed, from -> to), cell, statistic, ratio,
    low, high, interval, p, p_holm, n_a (control), n_b (reference), note. Empty if there are no controls.
    """
    cells, _ = usable_cells(tables)
    rows: list[dict[str, Any]] = []
    for network in references:
        for _, reference in reference_cells(cells, network).iterrows():
            base = seed_curves(tables, reference["cell"])
            for axis, cell in controls(cells, reference):
                own = {
                    "dataset": cell["dataset"],
                    "depth": int(cell["depth"]),
                    "reference": network,
                    "axis": axis,
                }
                own |= {"control": describe_change(reference, cell, axis), "cell": cell["cell"]}
                curves = seed_curves(tables, cell["cell"])
                rows += [own | row for row in compare_pair(curves, base, settings, CAUSE_STATISTICS)]
    return corrected(pd.DataFrame(rows)) if rows else pd.DataFrame()


def describe_change(reference: pd.Series, cell: pd.Series, axis: str) -> str:
    """A control in words, such as `batch size 128 -> 32` or `without normalization`."""
    if axis == "normalization":
        if cell["normalization"] == reference["normalization"]:
            return f"normalization {cell['position']} the activation"
        if cell["normalization"] == "none":
            return "without normalization"
        return f"with {cell['normalization']} normalization"
    if axis == "dropout" and cell["dropout"] != "none":
        return f"with {cell['dropout']} dropout {cell['dropout_rate']:g}"
    columns = [c for c in AXES[axis] if not same(reference[c], cell[c])]
    if "activation" in columns:
        columns = ["activation"]  # only a SELU has a fixed point to name
    return f"{axis} " + ", ".join(f"{_value(reference[c], c)} → {_value(cell[c], c)}" for c in columns)


def _value(value: Any, column: str) -> str:
    if pd.isna(value):
        return {"train_limit": "all", "error_batch_size": "all"}.get(column, "default")
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def cause_sentences(table: pd.DataFrame) -> list[str]:
    """One sentence per control: how much of the fluctuation's variance (the square) the change takes away or adds.

    Sorted by reference, then from the change that takes away most to the one that adds most.
    """
    rows = table[table["statistic"] == FLUCTUATION]
    sentences = []
    for (dataset, depth, reference), group in rows.groupby(["dataset", "depth", "reference"], sort=False):
        for row in group.sort_values("ratio").to_dict("records"):
            start = f"{dataset_title(str(dataset))}, depth {depth}, {reference}, {row['control']}: "
            if np.isnan(row["ratio"]):
                sentences.append(f"{start}no number: {row['note']}.")
            else:
                sentences.append(f"{start}{_effect(row)} ({evidence(row)}).")
    return sentences


def _effect(row: dict[Any, Any]) -> str:
    ratio = f"the fluctuation is {row['ratio']:.2f} times that of the reference"
    if row["high"] < 1:
        return f"{ratio}; the change takes away {1 - row['ratio'] ** 2:.0%} of its variance"
    if row["low"] > 1:
        return f"{ratio}; the change adds {row['ratio'] ** 2 - 1:.0%} to its variance"
    return f"{ratio}; no difference shown"


def unmatched_cells(tables: Tables, references: tuple[str, ...] = ("BN", "SNN")) -> list[str]:
    """A sentence for each cell that is no reference and no control of one either."""
    cells, _ = usable_cells(tables)
    found = pd.concat([reference_cells(cells, network) for network in references])
    sentences = []
    for _, cell in cells[~cells["cell"].isin(found["cell"])].iterrows():
        here = found[(found["dataset"] == cell["dataset"]) & (found["depth"] == cell["depth"])]
        nearest = min((changed_axes(reference, cell) for _, reference in here.iterrows()), key=len, default=None)
        if nearest is None:
            sentences.append(f"{cell['cell']}: no control, there is no reference of its data set and depth")
        elif not nearest:
            sentences.append(f"{cell['cell']}: left out, it has the coordinates of its reference")
        elif (
            "activation" in nearest
            and cell["fixed_point"] != "none"
            and set(nearest) <= {"activation", "learning rate"}
        ):
            continue  # a SELU of another fixed point: `targets` compares it
        elif len(nearest) > 1 and cell["network"] not in NETWORK_ORDER:
            sentences.append(f"{cell['cell']}: no control, it differs from its reference in {', '.join(nearest)}")
    return sentences


def architectures(tables: Tables, settings: Settings = DEFAULTS, reference: str = "SNN") -> pd.DataFrame:
    """The ratio network / SNN of each statistic for the paper's other networks, per data set and depth.

    Columns as in `causes`, with `network` for the numerator. Empty if there are none.
    """
    cells, _ = usable_cells(tables)
    base = reference_cells(cells, reference).set_index(["dataset", "depth"])["cell"]
    rows: list[dict[str, Any]] = []
    for network in NETWORK_ORDER:
        for _, cell in reference_cells(cells, network).iterrows():
            key = (cell["dataset"], cell["depth"])
            if key in base.index:
                pair = (seed_curves(tables, cell["cell"]), seed_curves(tables, str(base.loc[key])))
                own = {"dataset": cell["dataset"], "depth": int(cell["depth"]), "network": network}
                rows += [own | {"cell": cell["cell"]} | row for row in compare_pair(*pair, settings, CAUSE_STATISTICS)]
    return corrected(pd.DataFrame(rows)) if rows else pd.DataFrame()
