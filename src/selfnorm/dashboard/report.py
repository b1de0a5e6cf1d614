"""The report: verdicts and table of cells in words and numbers, then the charts of each data set and depth.

In: entity, project, tags, and tables of the local runs if there are any. Out: a Report, made without a server.
"""

from collections.abc import Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr
from wandb_workspaces import expr

from selfnorm.analysis.comparison import chosen_of_several, describe_cells, usable_cells
from selfnorm.analysis.coordinates import dataset_title, paper_order
from selfnorm.analysis.results import Tables
from selfnorm.analysis.words import bullets, markdown_table
from selfnorm.dashboard.workspace import (
    all_of,
    error_panels,
    layer_panels,
    run_panels,
    tag_filter,
    variance_panels,
)  # fmt: skip
from selfnorm.studies.cells import cells_view
from selfnorm.studies.claim import answers, view

TITLE = "Self-normalizing networks: does the error of batch normalization vary more?"
FIGURE_1 = [(dataset, depth) for dataset in ("mnist", "cifar10") for depth in (8, 16, 32)]


def make_report(entity: str, project: str, tables: Tables | None = None, tags: Sequence[str] = ()) -> wr.Report:
    """Make the report. tables: the local runs, which give the verdicts; without them it has Figure 1's charts alone."""
    blocks: list[Any] = [wr.TableOfContents(), *(_words(tables) if tables else [])]
    for dataset, depth in _groups(tables) if tables else FIGURE_1:
        filters = [*tag_filter(tags), expr.Config("dataset") == dataset, expr.Config("depth") == depth]
        blocks.append(wr.H2(f"{dataset_title(dataset)}, {depth} layers"))
        blocks.append(_grid([*error_panels(), *variance_panels()], filters))
    blocks += [wr.H2("Layers"), _grid(layer_panels(), tag_filter(tags))]
    blocks += [wr.H2("Runs"), _grid(run_panels(), tag_filter(tags))]
    return wr.Report(project=project, entity=entity, title=TITLE, blocks=blocks, width="fluid")


def _groups(tables: Tables) -> list[tuple[str, int]]:
    """Return the data sets and depths within which networks are compared, in the paper's order."""
    pairs = {(str(dataset), int(depth)) for dataset, depth in tables.cells[["dataset", "depth"]].to_numpy()}
    return sorted(pairs, key=lambda pair: (paper_order(pair[0]), pair[1]))


def _words(tables: Tables) -> list[Any]:
    """Write the verdicts with their evidence and a row for each cell."""
    blocks: list[Any] = [wr.H2("Does the claim hold?")]
    try:
        table, _ = answers(tables)
        sentences = bullets([*table["sentence"], *chosen_of_several(usable_cells(tables)[0])])
        blocks.append(wr.MarkdownBlock(f"{sentences}\n{markdown_table(view(table))}"))
    except ValueError as error:  # one network alone, say
        blocks.append(wr.P(f"No verdict: {error}."))
    cells = describe_cells(tables)
    if not cells.empty:
        blocks += [wr.H2("Every cell"), wr.MarkdownBlock(markdown_table(cells_view(cells)))]
    return blocks


def _grid(panels: list[Any], filters: list[expr.FilterExpr]) -> wr.PanelGrid:
    # A set of runs without entity and project is the report's own: naming them would need a server.
    return wr.PanelGrid(runsets=[wr.Runset(filters=all_of(filters))], panels=panels)
