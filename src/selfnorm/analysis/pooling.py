"""Runs of one configuration over different seeds become one cell: a seed is a seed, whichever job trained it.

In: the tables of runs. Out: tables in which the seeds of such runs stand under the first run's name.
"""

from dataclasses import replace

from selfnorm.analysis.results import Tables
from selfnorm.runs.layout import FINISHED

OF_ONE_RUN = ("cell", "num_seeds", "seconds", "scale")  # columns in which runs of one configuration may differ


def pool_seeds(tables: Tables) -> Tables:
    """Pool the finished runs of one tag that differ in their seeds alone; provenance has the names under `pooled`.

    A run stays by itself if it has a seed that is there already.
    """
    names = _first_runs(tables)
    if not names:
        return tables
    cells, seeds, curves, moments, forks = (
        table.assign(cell=table["cell"].replace(names))
        for table in (tables.cells, tables.seeds, tables.curves, tables.moments, tables.forks)
    )
    sums = cells.groupby("cell")[["num_seeds", "seconds"]].sum()
    alone = tables.cells[~tables.cells["cell"].isin(list(names))].set_index("cell")
    together = alone.assign(num_seeds=sums["num_seeds"], seconds=sums["seconds"]).reset_index()[list(cells)]
    pooled: dict[str, list[str]] = {}
    for name, first in names.items():
        pooled.setdefault(first, []).append(name)
    provenance = tables.provenance | {"pooled": pooled}
    return replace(
        tables, cells=together, seeds=seeds, curves=curves, moments=moments, forks=forks, provenance=provenance
    )


def _first_runs(tables: Tables) -> dict[str, str]:
    """Run -> the run whose cell its seeds go to, for each run that goes to another."""
    finished = tables.cells[tables.cells["state"] == FINISHED]
    keys = [column for column in finished if column not in OF_ONE_RUN]
    names: dict[str, str] = {}
    for _, group in finished.groupby(keys, dropna=False, sort=False):
        first, *others = sorted(map(str, group["cell"]))
        there = set(tables.seeds_by_cell.get(first, {}))
        for name in others:
            own = set(tables.seeds_by_cell.get(name, {}))
            if not own & there:
                names[name] = first
                there |= own
    return names
