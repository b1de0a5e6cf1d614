"""How much does each source of perturbation move each network? Forks of many networks beside those of the SNN.

In: Tables of runs that were forked (+sweep=causes). Out: a row per network and source, the section of the report.
"""

from dataclasses import asdict
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.bounds import Estimate, compare, three_digits
from selfnorm.analysis.comparison import NETWORKS, corrected, usable_cells
from selfnorm.analysis.coordinates import NETWORK_AXES, axis_of, changed_axes, dataset_title, reference_cells, same
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.inference import ALPHA, mean_interval
from selfnorm.analysis.perturbation import at_end, at_levels, spreads
from selfnorm.analysis.results import Tables
from selfnorm.analysis.words import markdown_table, p_value
from selfnorm.studies.figures.causes import causes_figure
from selfnorm.studies.questions import PRIMARY
from selfnorm.studies.section import Section, Table


def causes(tables: Tables, networks: tuple[str, str] = NETWORKS) -> pd.DataFrame:
    """The spread of forks by network and source, at the last fork point and relative to the second of the networks.

    Columns: dataset, depth, network (in words), cell, source, epoch (of the fork); percent, percent_low, percent_high
    (geometric mean over seeds of the spread, per cent of the error, 95 % t interval), bound (is it an upper bound?);
    those of Estimate for network / second network; equal (`error` or `updates`: where the two are compared), p_holm,
    num_cells. Empty if nothing was forked.
    """
    cells = usable_cells(tables)[0]
    ends = {cell: table for cell in cells["cell"] if len(table := _ends(tables, str(cell)))}
    cells = cells[cells["cell"].isin(ends)]
    bases = reference_cells(cells, networks[1]).set_index(["dataset", "depth"])["cell"]
    rows: list[dict[str, Any]] = []
    for key, group in cells.groupby(["dataset", "depth"]):
        base = bases.get(key)
        for _, cell in group.sort_values("cell").iterrows():
            names = {
                "dataset": cell["dataset"],
                "depth": int(cell["depth"]),
                "network": in_words(cell, group),
                "cell": cell["cell"],
            }
            for source, here in ends[cell["cell"]].groupby("source"):
                other = Estimate.unknown(0, 0), ""
                if base is not None and base != cell["cell"]:
                    beside = ends[base][ends[base]["source"] == source]
                    other = _ratio(here, beside) if len(beside) else other
                rows.append(names | {"source": source} | _size(here) | asdict(other[0]) | {"equal": other[1]})
    return corrected(pd.DataFrame(rows), within=["source"]) if rows else pd.DataFrame()


def _ends(tables: Tables, cell: str) -> pd.DataFrame:
    forks = tables.forks[(tables.forks["cell"] == cell) & tables.forks["seed"].isin(seed_curves(tables, cell).seeds)]
    return at_end(spreads(forks)).dropna(subset="log_sd") if len(forks) else forks


def _size(here: pd.DataFrame) -> dict[str, Any]:
    """The spread at the last fork point."""
    last = here[here["epoch"] == here["epoch"].max()]
    values = [100 * value for value in mean_interval(last["log_sd"].to_numpy())]
    names = ("percent", "percent_low", "percent_high")
    return dict(zip(names, values, strict=True)) | {"epoch": here["epoch"].max(), "bound": bool(last["bound"].any())}


def _ratio(here: pd.DataFrame, base: pd.DataFrame) -> tuple[Estimate, str]:
    """The ratio over all points that both visit: at equal error if there are any, else at equal updates."""
    for equal, at, sides in (("error", "level", map(at_levels, (here, base))), ("updates", "step", (here, base))):
        table = compare(*sides, by="source", at=at)
        if len(pooled := table[table[at].isna()]):
            return Estimate.of(pooled.iloc[0]), equal
    return Estimate.unknown(here["seed"].nunique(), base["seed"].nunique()), ""


def in_words(cell: pd.Series, cells: pd.DataFrame) -> str:
    """A network and in what it differs from the usual one of its name, such as `BN, batch size 32`."""
    usual = reference_cells(cells, str(cell["network"])).iloc[0]
    changed = [axis for axis in changed_axes(usual, cell) if axis not in NETWORK_AXES]
    return ", ".join([str(cell["network"]), *(_change(usual, cell, axis) for axis in changed)])


def _change(usual: pd.Series, cell: pd.Series, axis: str) -> str:
    if axis == "dropout":
        return "no dropout" if cell["dropout"] == "none" else f"{cell['dropout']} dropout {cell['dropout_rate']:g}"
    columns = [str(c) for c in cell.index if axis_of(str(c)) == axis and not same(usual[c], cell[c])]
    if axis == "evaluation" and "error_mode" in columns:
        return "running statistics" if cell["error_mode"] == "eval" else "statistics of each batch"
    # of an axis that is a group of settings, such as `optimizer`, each setting by its last word
    named = (f"{c.rpartition('.')[2]} " if c.startswith(f"{axis}.") else "" for c in columns)
    values = ("default" if pd.isna(cell[c]) else str(cell[c]) for c in columns)
    return f"{axis} {', '.join(map(''.join, zip(named, values, strict=True)))}"


def view(table: pd.DataFrame, base: str) -> pd.DataFrame:
    """One readable row per network and depth: the spread under each source, and the ratio of the primary one."""
    rows = []
    for (dataset, depth, network), group in table.groupby(["dataset", "depth", "network"], sort=False):
        row: dict[str, Any] = {"data set": dataset_title(str(dataset)), "depth": depth, "network": network}
        by_source = {one["source"]: one for _, one in group.iterrows()}
        for source in ("order", "masks", "statistics", "evaluation", PRIMARY):
            row[source] = _percent(by_source[source]) if source in by_source else ""
        main = by_source[PRIMARY]
        equal = f", at equal {main['equal']}" if main["equal"] == "updates" else ""
        row[f"{PRIMARY}, / {base}"] = f"{Estimate.of(main)}{equal}" if main["n_b"] else ""
        rows.append(row | {"p": p_value(main["p_holm"]) if main["n_b"] else ""})
    return pd.DataFrame(rows)


def _percent(row: pd.Series) -> str:
    value, low, high = (three_digits(row[name]) for name in ("percent", "percent_low", "percent_high"))
    return f"≤ {value}" if row["bound"] else value if np.isnan(row["percent_low"]) else f"{value} ({low} to {high})"


def _smallest_p(table: pd.DataFrame) -> str:
    """The smallest p that the seeds can reach in the family of the primary source, where this is no evidence."""
    tested = table[(table["source"] == PRIMARY) & table["p"].notna()]
    if tested.empty:
        return ""
    n_a, n_b = tested[["n_a", "n_b"]].min().astype(int)
    least, seeds = 2 / comb(n_a + n_b, n_a) * len(tested), f"{n_a} against {n_b} seeds"
    return f" ({seeds} cannot get below {least:.2g} in a family of {len(tested)})" if least > ALPHA else ""


def section(tables: Tables, networks: tuple[str, str]) -> Section:
    """Raises ValueError when no network besides the two of the claim was forked."""
    table = causes(tables, networks)
    if table.empty or PRIMARY not in set(table["source"]) or table["network"].nunique() < 3:
        raise ValueError("no network besides the two was forked: run +sweep=causes")
    shown = view(table[table.groupby("cell")["source"].transform(lambda s: (s == PRIMARY).any())], networks[1])
    text = f"""![Spread of forks by network and source](causes.png)

Spread of the log training error over copies of one trained network after one epoch, in per cent of the error: \
geometric mean over seeds at the last fork point (95 % interval; ≤ where it is below float32's resolution). \
order: other batches. masks: other dropout masks. statistics: each batch normalized by another's. \
evaluation: no training, other batches in the evaluation. {PRIMARY}: order, masks and evaluation together, \
and its ratio to the {networks[1]} at equal error; p after Holm over all networks and depths{_smallest_p(table)}.

{markdown_table(shown)}"""
    return Section("Causes: which perturbation moves which network", text, {"causes": Table(table, shown)},
                   {"causes": causes_figure(table, networks)})  # fmt: skip
