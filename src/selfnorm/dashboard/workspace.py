"""The workspace: every run of the project under four headings. In: entity, project, tags. Out: a Workspace."""

from collections.abc import Sequence

import wandb_workspaces.workspaces as ws
from wandb_workspaces import expr

from selfnorm.dashboard.panels import COLUMNS, error_panels, layer_panels, run_panels, variance_panels

NAME = "selfnorm"


def make_workspace(entity: str, project: str, tags: Sequence[str] = ()) -> ws.Workspace:
    """tags: only runs of these (none: all)."""
    wide = ws.SectionLayoutSettings(columns=2, rows=2)
    parts = {
        "Training error": error_panels(),
        "How much it varies": variance_panels(),
        "Layers": layer_panels(),
        "Runs": run_panels(),
    }
    return ws.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        auto_generate_panels=False,
        sections=[ws.Section(title, panels, is_open=True, layout_settings=wide) for title, panels in parts.items()],
        settings=ws.WorkspaceSettings(x_axis="step", max_runs=24),
        runset_settings=ws.RunsetSettings(filters=all_of(tag_filter(tags)), pinned_columns=list(COLUMNS)),
    )


def tag_filter(tags: Sequence[str]) -> list[expr.FilterExpr]:
    return [expr.Config("tag").isin(list(tags))] if tags else []


def all_of(filters: Sequence[expr.FilterExpr]) -> expr.And | str:
    return expr.And(*filters) if filters else ""
