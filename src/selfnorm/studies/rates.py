"""Fair rates: two networks, each at its own best learning rate, beside the one rate that the paper gives both.

In: Tables of +sweep=rates. Out: the score of every rate; the ratios of the two networks; the section of the report.
"""

from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.bounds import Estimate
from selfnorm.analysis.comparison import NETWORKS, compare_pair, corrected, lowest_validation, pairs, usable_cells
from selfnorm.analysis.coordinates import changed_axes, dataset_title
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.results import Tables
from selfnorm.analysis.statistics import SPEED, TEST
from selfnorm.analysis.words import markdown_table
from selfnorm.studies.figures.rates import rates_figure
from selfnorm.studies.section import Section, Table

OWN, COMMON = "own", "common"  # rates: each network's best, the one of the reference cells


def scores(tables: Tables, networks: tuple[str, str] = NETWORKS) -> pd.DataFrame:
    """The validation error of both networks at every learning rate.

    Columns: dataset, depth, network, lr, cell, score (the lowest validation error over the records, mean over seeds;
    infinite where a seed diverged), best, edge (best at the smallest or the largest rate of its grid), common (the
    rate at which both stand in a comparison at equal rates). Raises ValueError if no network has two rates.
    """
    cells = usable_cells(tables)[0].set_index("cell", drop=False)
    rows: list[dict[str, Any]] = []
    for pair in pairs(tables, networks).to_dict("records"):
        for network, reference in zip(networks, (cells.loc[pair["cell_a"]], cells.loc[pair["cell_b"]]), strict=True):
            alike = [cell for _, cell in cells.iterrows() if changed_axes(reference, cell) in ([], ["learning rate"])]
            grid = sorted(alike, key=lambda cell: float(cell["lr"]))
            score = [rate_score(tables, str(cell["cell"])) for cell in grid]
            best = int(np.argmin(score))
            rows += [
                {"dataset": pair["dataset"], "depth": int(pair["depth"]), "network": network, "lr": float(cell["lr"]),
                 "cell": cell["cell"], "score": score[i], "best": i == best,
                 "edge": i == best and i in (0, len(grid) - 1), "common": cell["cell"] == reference["cell"]}
                for i, cell in enumerate(grid)
            ]  # fmt: skip
    table = pd.DataFrame(rows)
    if table.groupby(["dataset", "depth", "network"]).size().max() < 2:
        raise ValueError("no network has runs at two learning rates: run +sweep=rates")
    return table


def rate_score(tables: Tables, cell: str) -> float:
    """The lowest validation error over the records of a cell, mean over seeds; infinite where a seed diverged."""
    diverged = seed_curves(tables, cell).diverged
    return np.inf if diverged else lowest_validation(tables, cell).get("lowest_validation", np.inf)


def rates(tables: Tables, scored: pd.DataFrame, networks: tuple[str, str] = NETWORKS) -> pd.DataFrame:
    """The ratios of the two networks in updates to a level and in test error, at their own rates and at the common one.

    Columns: dataset, depth, rate (`own`, `common`), lr_a, lr_b, edge (is one of the two at the edge of its grid?),
    those of `compare_pair`, p_holm and num_cells over the rows of one statistic and rate.
    """
    rows: list[dict[str, Any]] = []
    for (dataset, depth), group in scored.groupby(["dataset", "depth"], sort=False):
        for rate, column in ((OWN, "best"), (COMMON, "common")):
            a, b = (group[(group["network"] == network) & group[column]].iloc[0] for network in networks)
            names = {"dataset": dataset, "depth": depth, "rate": rate, "lr_a": a["lr"], "lr_b": b["lr"]}
            names |= {"edge": bool(rate == OWN and (a["edge"] or b["edge"]))}
            pair = (seed_curves(tables, a["cell"]), seed_curves(tables, b["cell"]))
            rows += [names | row for row in compare_pair(*pair, (SPEED, TEST))]
    return corrected(pd.DataFrame(rows), within=["statistic", "rate"])


def view(table: pd.DataFrame, networks: tuple[str, str]) -> pd.DataFrame:
    """One readable row per data set and depth."""
    rows = []
    for (dataset, depth), group in table.groupby(["dataset", "depth"], sort=False):
        own = group[group["rate"] == OWN].iloc[0]
        row: dict[str, Any] = {"data set": dataset_title(str(dataset)), "depth": depth}
        row |= {"n": f"{own['n_a']} / {own['n_b']}"}
        row |= {f"best rate, {name}": f"{own[lr]:g}" for name, lr in zip(networks, ("lr_a", "lr_b"), strict=True)}
        for statistic in (SPEED, TEST):
            for rate, words in ((OWN, "own rates"), (COMMON, f"both at {group['lr_a'].iloc[-1]:g}")):
                one = group[(group["rate"] == rate) & (group["statistic"] == statistic)].iloc[0]
                row[f"{statistic}, {words}"] = str(Estimate.of(one))
        rows.append(row | {"note": "a best rate is at the edge of the grid" if own["edge"] else ""})
    return pd.DataFrame(rows)


def section(tables: Tables, networks: tuple[str, str]) -> Section:
    """Raises ValueError when no network was trained at two learning rates."""
    scored = scores(tables, networks)
    table = rates(tables, scored, networks)
    shown = view(table, networks)
    a, b = networks
    text = f"""![Lowest validation error by learning rate](rates.png)

A network's own rate is that of the lowest validation error over the run, mean over seeds, among the rates at which \
no seed diverged. Ratios {a} / {b} (95 % interval):

{markdown_table(shown)}"""
    files = {"rates": Table(table, shown), "rate_scores": Table(scored)}
    return Section("Each network at its own learning rate", text, files, {"rates": rates_figure(scored, networks)})
