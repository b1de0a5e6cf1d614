"""Any groups of runs side by side: what they reach, how fast, on which data.

In: Groups, of runs or of any tracker's table. Out: ratios of every two groups on every data set, a paired test and
ranks over the data sets, and a sentence for whatever the groups do not share.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.bounds import Estimate, ratio
from selfnorm.analysis.comparison import corrected, usable_cells
from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.curves import SeedCurves, curves_of, seed_curves
from selfnorm.analysis.inference import ALPHA, mean_interval
from selfnorm.analysis.ranks import Ranks, average_ranks, paired_p
from selfnorm.analysis.results import Tables
from selfnorm.analysis.speed import at_reported_level, compare_speed
from selfnorm.analysis.words import bullets, markdown_table, p_value
from selfnorm.studies.figures.groups import ranks_figure, ratios_figure
from selfnorm.studies.section import Section, Table

FINAL, SPEED, TEST = "final value", "updates to a level", "test error rate"
ORDER = (FINAL, SPEED, TEST)
ALL = "all data sets"
COLUMNS = ("run", "seed", "step", "value")  # of a tracker's table; `network` may stand for run, and `dataset` be there
NUM_LEVELS = 12


@dataclass(frozen=True)
class Group:
    """name: what the reader calls it. curves: data set (and depth) -> its curves, values positive, lower is better.

    notes: sentences about records that do not count.
    """

    name: str
    curves: Mapping[str, SeedCurves]
    notes: tuple[str, ...] = ()


def group_of_runs(name: str, tables: Tables, network: str | None = None) -> Group:
    """The finished runs of `tables`, of one network if it is named. Raises ValueError where a data set has several."""
    cells = usable_cells(tables)[0]
    present = ", ".join(sorted(cells["network"].unique())) or "no run that ended"
    if network:
        cells = cells[cells["network"] == network]
    if cells.empty:
        raise ValueError(f"{name}: no finished run{f' of {network}' if network else ''}; there: {present}")
    curves: dict[str, SeedCurves] = {}
    for row in cells.to_dict("records"):
        block = f"{dataset_title(str(row['dataset']))}, depth {row['depth']}"
        if block in curves:
            one = "TAG:NETWORK" if cells["network"].nunique() > 1 else "the folder of a run"
            raise ValueError(f"{name} has several runs on {block} ({present}): name one of them as {one}")
        curves[block] = seed_curves(tables, str(row["cell"]))
    return Group(name, curves)


def groups_of_table(table: pd.DataFrame, *, higher: bool = False) -> list[Group]:
    """The runs of a tracker's table with the columns COLUMNS, and `dataset` if there are several.

    higher: a higher value is better; it is then inverted, so that lower is better everywhere. Raises ValueError.
    """
    table = table.rename(columns={"network": "run"} if "run" not in table else {})
    if missing := [column for column in COLUMNS if column not in table]:
        raise ValueError(f"no column {missing[0]}; needed are {', '.join(COLUMNS)}, and dataset if there are several")
    for column in ("seed", "step"):
        numbers = pd.to_numeric(table[column], errors="coerce")
        if not (numbers == numbers.round()).all():
            raise ValueError(f"{column} {table[column][numbers != numbers.round()].iloc[0]}: must be a whole number")
    values = pd.to_numeric(table["value"], errors="coerce")
    if (values <= 0).any():
        raise ValueError(f"a value of {values.min():g}: ratios need values above 0")
    table = table.assign(loss=1 / values if higher else values, dataset=table.get("dataset", "the data"))
    keys = ["run", "dataset", "seed", "step"]
    if len(twice := table[table.duplicated(keys)]):
        raise ValueError(f"two values for {', '.join(f'{key} {twice.iloc[0][key]}' for key in keys)}")
    groups = []
    for name, own in table.assign(run=table["run"].astype(str)).groupby("run", sort=False):
        curves, notes = {}, []
        for block, rows in own.groupby("dataset", sort=False):
            curves[str(block)] = curves_of(rows, {}, str(name), str(name))
            recorded, counts = rows["step"].nunique(), len(curves[str(block)].steps_T)
            if counts < recorded:
                notes.append(f"{block}: {name} has {recorded - counts} of {recorded} steps that not every seed has")
            if not counts:
                raise ValueError(f"{block}: the seeds of {name} have no step in common")
        groups.append(Group(str(name), curves, tuple(notes)))
    return groups


def compare_groups(groups: Sequence[Group], *, higher: bool = False) -> tuple[pd.DataFrame, list[str]]:
    """The ratio of every two groups on each data set that both have, and over all; what they do not share.

    Columns: dataset (or ALL), a, b, statistic, those of Estimate, p_holm, num_cells (Holm within a statistic),
    verdict. The row of ALL has the geometric mean of the ratios and the p of a paired test over the data sets.
    Raises ValueError if no two groups share a data set.
    """
    rows: list[dict[str, Any]] = []
    notes = [note for group in groups for note in group.notes]
    for a, b in combinations(groups, 2):
        blocks = [block for block in a.curves if block in b.curves]
        notes += [
            f"{block}: {has.name} alone; {lacks.name} has no run there"
            for has, lacks in ((a, b), (b, a)) for block in has.curves if block not in lacks.curves
        ]  # fmt: skip
        for block in blocks:
            found, said = _compare(a.curves[block], b.curves[block], a.name, b.name, higher=higher)
            notes += [f"{block}: {sentence}" for sentence in said]
            rows += [{"dataset": block, "a": a.name, "b": b.name, **row} for row in found]
    if not rows:
        raise ValueError(f"nothing can be compared: {'; '.join(dict.fromkeys(notes))}")
    table = corrected(pd.DataFrame(rows), within=["statistic"])
    whole, withheld = _over_data_sets(table)
    notes += withheld
    table = pd.concat([whole, table], ignore_index=True) if len(whole) else table
    table = table.sort_values("statistic", kind="stable", key=lambda names: names.map(ORDER.index), ignore_index=True)
    verdicts = [_verdict(row, higher=higher and row["statistic"] == FINAL) for row in table.to_dict("records")]
    return table.assign(verdict=verdicts), list(dict.fromkeys(notes))


def _compare(
    a: SeedCurves, b: SeedCurves, name_a: str, name_b: str, *, higher: bool
) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of one data set and a sentence for each thing that the two do not share."""
    notes = [
        f"seed {seed} of {name} has no finite value at step {step} and is left out"
        for name, curves in ((name_a, a), (name_b, b)) for seed, step in sorted(curves.diverged.items())
    ]  # fmt: skip
    for name, curves in ((name_a, a), (name_b, b)):
        if not curves.seeds:
            return [], [f"no seed of {name} has finite values throughout"]
    if set(a.seeds) != set(b.seeds):
        notes.append(f"seeds {_listed(a.seeds)} of {name_a} beside {_listed(b.seeds)} of {name_b}; all count, unpaired")
    if a.steps_T[-1] != b.steps_T[-1]:
        notes.append(f"{name_a} ends at step {a.steps_T[-1]}, {name_b} at {b.steps_T[-1]}; later records do not count")
    shared = np.intersect1d(a.steps_T, b.steps_T)
    rows: list[dict[str, Any]] = []
    last = [c.errors_RT[:, c.steps_T == shared[-1]][:, 0] for c in (a, b)] if len(shared) else []
    if last:
        sign = -1 if higher else 1  # the ratio is of the values as they were given
        rows += _row(FINAL, lambda: ratio(*(sign * np.log(values) for values in last)), notes)
    else:
        notes.append("the two have no step in common, so that their last values are not compared")
    start, lowest = (min(errors.min() for errors in sides) for sides in (
        [c.errors_RT[:, 0] for c in (a, b)], [c.errors_RT for c in (a, b)]
    ))  # fmt: skip
    levels = tuple(np.geomspace(start, lowest, NUM_LEVELS + 1)[1:])
    rows += _row(SPEED, lambda: _speed(a, b, levels), notes)
    if np.isfinite(a.test_errors_R).all() and np.isfinite(b.test_errors_R).all():
        if min(a.test_errors_R.min(), b.test_errors_R.min()) > 0:
            rows += _row(TEST, lambda: ratio(np.log(a.test_errors_R), np.log(b.test_errors_R)), notes)
        else:
            notes.append("a seed answers every test sample right, so that test errors have no ratio")
    return rows, notes


def _speed(a: SeedCurves, b: SeedCurves, levels: tuple[float, ...]) -> Estimate:
    row = at_reported_level(compare_speed(a.errors_RT, a.steps_T, b.errors_RT, b.steps_T, levels))
    if row is None:
        raise ValueError("no level below the first values is reached by one of the two")
    return Estimate.of(row)


def _row(statistic: str, make: Callable[[], Estimate], notes: list[str]) -> list[dict[str, Any]]:
    try:
        return [{"statistic": statistic, **asdict(make())}]
    except ValueError as error:
        notes.append(f"{statistic}: {error}")
        return []


def _over_data_sets(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A row per pair and statistic over two data sets or more: geometric mean of the ratios, and a paired p.

    Withheld with a sentence where a ratio is a bound: without that data set the mean would favour one of the two.
    """
    rows, withheld = [], []
    for (a, b, statistic), group in table.groupby(["a", "b", "statistic"], sort=False):
        logs = np.log(group["value"].to_numpy())
        if len(logs) < 2:
            continue
        if bounded := list(group["dataset"][group["kind"] != "="]):
            withheld.append(f"{a} / {b}: {statistic} is a bound on {', '.join(bounded)}, so there is none over {ALL}")
            continue
        value, low, high = mean_interval(logs)
        names = {"dataset": ALL, "a": a, "b": b, "statistic": statistic}
        estimate = Estimate(value, low, high, "=", len(logs), len(logs), paired_p(logs))
        rows.append(names | asdict(estimate))
    return corrected(pd.DataFrame(rows), within=["statistic"]) if rows else pd.DataFrame(), withheld


def _verdict(row: dict[Any, Any], *, higher: bool) -> str:
    """The better group where the interval leaves 1 out and the corrected p is below 0.05."""
    if not (row["p_holm"] < ALPHA and (row["low"] > 1 or row["high"] < 1)):
        return "undecided"
    return f"{row['a'] if (row['low'] > 1) == higher else row['b']} is better"


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def view(table: pd.DataFrame) -> pd.DataFrame:
    """One readable row per data set, pair and statistic."""
    return pd.DataFrame(
        {
            "data set": row["dataset"],
            "pair": f"{row['a']} / {row['b']}",
            "statistic": row["statistic"],
            "n": f"{row['n_a']} / {row['n_b']}" if row["dataset"] != ALL else f"{row['n_a']} data sets",
            "ratio (95 % interval)": str(Estimate.of(pd.Series(row))),
            "p": p_value(row["p_holm"]),
            "verdict": row["verdict"],
        }
        for row in table.to_dict("records")
    )


def ranks_of(groups: Sequence[Group]) -> Ranks:
    """Average ranks of the groups by the geometric mean over seeds of their values at the last step that all have.

    Raises as `average_ranks`.
    """
    names, values = [group.name for group in groups], {}
    for block in groups[0].curves:
        here = [group.curves[block] for group in groups if block in group.curves]
        steps = reduce(np.intersect1d, [curves.steps_T for curves in here])
        if len(here) == len(groups) and len(steps) and all(curves.seeds for curves in here):
            values[block] = [curves.logs_RT[:, curves.steps_T == steps[-1]].mean() for curves in here]
    return average_ranks(pd.DataFrame.from_dict(values, orient="index", columns=names))


def section(groups: Sequence[Group], *, higher: bool = False) -> Section:
    """The table, its picture, the ranks where there are three groups on three data sets, and what was not shared."""
    table, notes = compare_groups(groups, higher=higher)
    shown = view(table)
    better = "higher" if higher else "lower"
    text = f"""![Ratios with 95 % intervals](ratios.png)

Ratios are of geometric means over seeds; a {better} value is better. p: exact permutation of the seeds, over all data \
sets Wilcoxon's signed ranks, each corrected by Holm over its rows of one statistic.

{markdown_table(shown)}"""
    pictures = {"ratios": ratios_figure(table)}
    try:
        ranks = ranks_of(groups)
    except ValueError as error:
        if len(groups) > 2:
            notes.append(f"{error}")
    else:
        pictures["ranks"] = ranks_figure(ranks)
        text += f"""
![Average ranks and their critical difference](ranks.png)

Average ranks of the value at the last common step over {ranks.num_blocks} data sets (1 is best): \
{_ranks_in_words(ranks)}. Friedman's p: {ranks.p:.2g}. Two that lie more than {ranks.critical:.2f} apart differ \
at 5 % (Nemenyi); bars join those that do not.
"""
    if notes:
        text += f"\n## What is not shared\n\n{bullets(notes)}"
    return Section(", ".join(group.name for group in groups), text, {"ratios": Table(table, shown)}, pictures)


def _ranks_in_words(ranks: Ranks) -> str:
    return ", ".join(f"{name} {rank:.2f}" for name, rank in ranks.average.items())
