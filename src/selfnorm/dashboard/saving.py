"""Workspace and report into files without a server, or to W&B, where a second time updates the first.

In: a Workspace and a Report. Out: JSON, or the addresses of the pages.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import wandb
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

VIEW = "nw-selfnorm-v"  # the workspace's own name at W&B: fixed, so that it is found again


class Saved(NamedTuple):
    workspace: str
    report: str


def write_specs(workspace: ws.Workspace, report: wr.Report, path: Path) -> None:
    """What would be sent, as JSON; no server is asked. Folder of `path` must be there."""
    specs = {"workspace": _spec(workspace), "report": _spec(report)}
    path.write_text(json.dumps(specs, indent=1) + "\n", "utf-8")


def save(workspace: ws.Workspace, report: wr.Report) -> Saved:
    """Create both at W&B, or update those that an earlier call created. Raises what W&B raises."""
    api = wandb.Api()
    if report.project not in {project.name for project in api.projects(report.entity)}:
        api.create_project(report.project, report.entity)  # to ask for the views of one that is not there is an error
    workspace._internal_name = VIEW
    with suppress(ValueError):  # there is none yet
        workspace._internal_id = ws.Workspace.from_url(workspace.url)._internal_id
    workspace.save()
    reports = [r for r in api.reports(f"{report.entity}/{report.project}") if r.display_name == report.title]
    if reports:
        report.id = reports[0].id
    report.save()
    return Saved(workspace.url, report.url)


def _spec(page: Any) -> dict[str, Any]:
    # There is no public way to the model, and the public `save` sends exactly this.
    spec: dict[str, Any] = page._to_model().model_dump(mode="json", by_alias=True, exclude_none=True)
    return spec
