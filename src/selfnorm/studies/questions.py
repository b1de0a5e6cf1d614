"""The three questions of docs/protocol.md, each put to one pair of cells: perturbed, fluctuates, faster.

In: Tables and the names of two cells a and b. Out: for each question an Answer: the ratio a / b, what it stands for in
words, and the table behind it. Raises ValueError, in words for people, where the runs cannot answer.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from selfnorm.analysis.bounds import VISIBLE, Estimate, compare
from selfnorm.analysis.curves import SeedCurves, seed_curves
from selfnorm.analysis.levels import FIT, MIN_RECORDS, RECORD, fluctuation, rises
from selfnorm.analysis.perturbation import at_end, at_levels, spreads
from selfnorm.analysis.results import Tables
from selfnorm.analysis.speed import at_reported_level, compare_speed, crossing
from selfnorm.analysis.words import percent, times

PRIMARY = "all"  # the source of perturbation that answers: order, masks and evaluation together


class Answer(NamedTuple):
    """estimate: the ratio a / b of value_a and value_b (per cent of the error, or updates). sentence: what it says.

    beside: what stands beside it. against: what forbids the verdict `holds` although the estimate would give it, empty
    if nothing does. details: every ratio behind it.
    """

    estimate: Estimate
    value_a: float
    value_b: float
    sentence: str
    beside: str
    against: str
    details: pd.DataFrame


def perturbed(tables: Tables, cell_a: str, cell_b: str) -> Answer:
    """The distance between forks of one state after an epoch, at equal error, or else at equal updates."""
    sides, names = [], []
    for cell in (cell_a, cell_b):
        curves = seed_curves(tables, cell)
        names.append(curves.name)
        forks = tables.forks[(tables.forks["cell"] == cell) & tables.forks["seed"].isin(curves.seeds)]
        if PRIMARY not in set(forks["source"]):
            missing = f"no forks of the source `{PRIMARY}`" if len(forks) else "no forks"
            raise ValueError(f"{curves.name} has {missing}: train it with recording.forks.copies=8")
        sides.append(at_end(spreads(forks)))
    a, b = names
    by_level = compare(*map(at_levels, sides), by="source", at="level").assign(equal="error")
    details = pd.concat([by_level, compare(*sides, by="source", at="step").assign(equal="updates")], ignore_index=True)
    pooled = details[details["level"].isna() & details["step"].isna()]
    chosen = pooled[pooled["source"] == PRIMARY]
    if chosen.empty:
        raise ValueError("Fewer than two seeds have two copies each: fork more seeds")
    row = chosen.iloc[0]  # at equal error, if there is one
    estimate = Estimate.of(row)
    sentence = (
        f"After one epoch copies of {a} lie {times(estimate)} as far apart as copies of {b} at equal {row['equal']} "
        f"({_sizes(row)})"
    )
    if row["equal"] == "updates":
        sentence += "; the two visit no common error level between their fork points"
    others = pooled[pooled["source"] != PRIMARY].drop_duplicates("source")  # at equal error, if there is one
    beside = " ".join(
        f"{other['source'].capitalize()} alone, at equal {other['equal']}: {Estimate.of(other)}."
        for _, other in others.iterrows()
    )
    if row["equal"] == "error":
        beside += f" At equal updates: {Estimate.of(chosen.iloc[-1])}."
    return Answer(estimate, row["percent_a"], row["percent_b"], sentence, beside, "", details)


def fluctuates(tables: Tables, cell_a: str, cell_b: str) -> Answer:
    """The roughness of the curve itself, by error level: from record to record, and about a fit over ±50 epochs."""
    a, b = (epoch_ends(tables, cell) for cell in (cell_a, cell_b))
    details = compare(*(fluctuation(c.errors_RT, np.array(c.seeds)) for c in (a, b)), by="statistic", at="level")
    pooled = {row["statistic"]: row for _, row in details[details["level"].isna()].iterrows()}
    if RECORD not in pooled:
        raise ValueError(f"The two have no error level at which every seed has {MIN_RECORDS} records: train longer")
    estimate, fit, against = Estimate.of(pooled[RECORD]), "", ""
    if FIT in pooled:
        wide = Estimate.of(pooled[FIT])
        fit = f", and {times(wide)} as much over ±50 epochs ({_sizes(pooled[FIT])})"
        against = "Over ±50 epochs it is the other way round" if wide.high < 1 else ""
    sentence = (
        f"At equal error the curve of {a.name} fluctuates {times(estimate)} as much as that of {b.name} "
        f"from epoch to epoch ({_sizes(pooled[RECORD])}){fit}"
    )
    sides = [rises(c.errors_RT, np.array(c.seeds)).mean() for c in (a, b)]
    share, largest = (" and ".join(percent(value) for value in values) for values in (
        [100 * side["share"] for side in sides], [side["largest"] for side in sides]
    ))  # fmt: skip
    beside = f"The error rises in {share} of the epochs, by at most {largest} above its lowest so far."
    if not details["visible"].any():
        beside = f"Neither moves by {100 * VISIBLE:g} % at any level, so that a figure does not show it. {beside}"
    row = pooled[RECORD]
    return Answer(estimate, row["percent_a"], row["percent_b"], sentence, beside, against, details)


def _sizes(row: pd.Series) -> str:
    return f"{percent(row['percent_a'])} of the error against {percent(row['percent_b'])}"


def epoch_ends(tables: Tables, cell: str) -> SeedCurves:
    """The curves of a cell, if they have one record an epoch over all samples in fp32. Raises ValueError if not."""
    rows, curves = tables.curves_by_cell[cell, "train"], seed_curves(tables, cell)
    settings = tables.cells.set_index("cell").loc[cell]
    precision = settings.get("trainer.precision", "fp32")
    if rows["epoch"].nunique() < rows["step"].nunique():
        raise ValueError(f"{curves.name} has several records an epoch, and the paper's figure has one at its end")
    if pd.notna(settings.get("recording.error_samples")):
        raise ValueError(f"{curves.name} has its error over a subset of the samples, which fluctuates by itself")
    if precision != "fp32":
        raise ValueError(f"{curves.name} is in {precision}, whose rounding fluctuates: train it in fp32")
    if not curves.seeds:
        raise ValueError(f"Every seed of {curves.name} diverged: lower the learning rate")
    return curves


def faster(tables: Tables, cell_a: str, cell_b: str) -> Answer:
    """The updates that the two need to the same error."""
    a, b = (seed_curves(tables, cell) for cell in (cell_a, cell_b))
    details = compare_speed(a.errors_RT, a.steps_T, b.errors_RT, b.steps_T)
    row = at_reported_level(details)
    if row is None:
        raise ValueError("No error level is reached by one of the two: train longer")
    estimate, against = Estimate.of(row), ""
    sentence = f"To the error {row['level']:g} {a.name} needs {times(estimate)} the updates of {b.name}"
    if estimate.kind != "=":
        sides = (f"{row[f'reached_{side}']} of {row[f'n_{side}']} of {c.name}" for side, c in (("a", a), ("b", b)))
        sentence += f"; {' and '.join(sides)} get there within {min(a.steps_T[-1], b.steps_T[-1])} updates"
    if levels := crossing(details):
        b_leads = details.set_index("level")["value"][levels[0]] > 1
        ahead = [b.name, a.name] if b_leads else [a.name, b.name]
        against = f"The curves cross: {ahead[0]} is ahead at the error {levels[0]:g}, {ahead[1]} at {levels[1]:g}"
    return Answer(estimate, row["updates_a"], row["updates_b"], sentence, "", against, details)
