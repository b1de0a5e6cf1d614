"""The report: verdicts and table of cells in words and numbers, then the charts of each data set and depth.

In: entity, project, tags, and tables of the local runs if there are any. Out: a Report that a server is not needed for.
"""

from collections.abc import Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr
from wandb_workspaces import expr

from selfnorm.analysis.comparison import chosen_of_several, compare, describe_cells, usable_cells
from selfnorm.analysis.coordinates import dataset_title, paper_order
from selfnorm.analysis.markup import markdown_table
from selfnorm.analysis.report_text import cells_view, paired_view
from selfnorm.analysis.results import Tables
from selfnorm.analysis.verdict import verdicts
from selfnorm.dashboard.panels import error_panels, layer_panels, run_panels, variance_panels
from selfnorm.dashboard.workspace import all_of, tag_filter

TITLE = "Self-normalizing networks: does the error of batch normalization vary more?"
FIGURE_1 = tuple((dataset, depth) for dataset in ("mnist", "cifar10") for depth in (8, 16, 32))
Group = tuple[str, int]  # data set and depth: the networks that are compared


def make_report(entity: str, project: str, tables: Tables | None = None, tags: Sequence[str] = ()) -> wr.Report:
    """tables: the local runs, whose numbers the verdicts are; without them charts alone, of Figure 1's cells."""
    blocks: list[Any] = [wr.TableOfContents(), *_words(tables)]
    for dataset, depth in groups_of(tables) if tables else FIGURE_1:
        here = [*tag_filter(tags), expr.Config("dataset") == dataset, expr.Config("depth") == depth]
        blocks += [
            wr.H2(f"{dataset_title(dataset)}, {depth} layers"),
            _grid([*error_panels(), *variance_panels()], here),
        ]
    blocks += [wr.H2("Layers"), _grid(layer_panels(), tag_filter(tags))]
    blocks += [wr.H2("Runs"), _grid(run_panels(), tag_filter(tags))]
    return wr.Report(project=project, entity=entity, title=TITLE, blocks=blocks, width="fluid")


def groups_of(tables: Tables) -> list[Group]:
    """Data sets and depths of the tables, in the paper's order."""
    found = {(str(dataset), int(depth)) for dataset, depth in tables.cells[["dataset", "depth"]].to_numpy()}
    return sorted(found, key=lambda group: (paper_order(group[0]), group[1]))


def _words(tables: Tables | None) -> list[Any]:
    """Verdicts with their evidence and a row for each cell."""
    if tables is None:
        return []
    found: list[Any] = [wr.H2("Does the claim hold?")]
    try:
        comparison = compare(tables)
        decided = verdicts(comparison)
        sentences = "".join(f"- {sentence}\n" for sentence in decided["sentence"])
        sentences += "".join(f"- {sentence}\n" for sentence in chosen_of_several(usable_cells(tables)[0]))
        found.append(wr.MarkdownBlock(f"{sentences}\n{markdown_table(paired_view(comparison, decided))}"))
    except ValueError as error:  # one network alone, say
        found.append(wr.P(f"No verdict: {error}."))
    cells = describe_cells(tables)
    if not cells.empty:
        found += [wr.H2("Every cell"), wr.MarkdownBlock(markdown_table(cells_view(cells)))]
    return found


def _grid(panels: list[Any], filters: list[expr.FilterExpr]) -> wr.PanelGrid:
    # A set of runs without entity and project is the report's own: naming them would need a server.
    return wr.PanelGrid(runsets=[wr.Runset(filters=all_of(filters))], panels=panels)
