"""Make the workspace and the report and write them to a file, or save them to W&B, where they update the first ones.

In: the arguments of `scripts/dashboard.py`. Out: lines for the terminal. Raises ValueError or OSError in one line.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import wandb
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from selfnorm.analysis.pooling import pool_seeds
from selfnorm.analysis.results import Tables, is_results, read_results
from selfnorm.analysis.runs import load_runs
from selfnorm.commandline import runs_folder
from selfnorm.dashboard.report import make_report
from selfnorm.dashboard.workspace import make_workspace
from selfnorm.runs.files import write_atomically
from selfnorm.tracking.server import first_line, unreachable

PUBLISHED = Path("docs/results/figure1")  # in a fresh clone: what the README shows
VIEW = "nw-selfnorm-v"  # the workspace's own name at W&B: fixed, so that it is found again


def publish(
    source: Path | None, tags: Sequence[str], entity: str | None, project: str, dry_run: Path | None
) -> list[str]:
    """Make both pages from `source`, a root of runs or committed tables, or else from the default root or PUBLISHED."""
    tables, numbers = _tables(source, tags)
    if dry_run is not None:
        name: str = entity or "entity"
        write_specs(make_workspace(name, project, tags), make_report(name, project, tables, tags), dry_run)
        return [f"wrote {dry_run}; nothing was sent", numbers]
    if problem := unreachable():
        raise ValueError(f"{problem}; --dry-run FILE needs no server")
    try:
        name = entity or wandb.Api().default_entity or ""
        workspace, report = make_workspace(name, project, tags), make_report(name, project, tables, tags)
        save(workspace, report)
        return [f"workspace: {workspace.url}", f"report: {report.url}", numbers]
    except Exception as error:  # W&B's own errors have no common class
        raise ValueError(f"W&B refused: {first_line(error)}; --dry-run FILE needs no server") from error


def write_specs(workspace: ws.Workspace, report: wr.Report, path: Path) -> None:
    """Write as JSON what would be sent; no server is asked. The folder of `path` must exist."""
    # wandb_workspaces has no public way to the model, and its public `save` sends exactly this
    pages: dict[str, Any] = {"workspace": workspace, "report": report}
    specs = {
        name: page._to_model().model_dump(mode="json", by_alias=True, exclude_none=True) for name, page in pages.items()
    }
    write_atomically(path, json.dumps(specs, indent=1) + "\n")


def save(workspace: ws.Workspace, report: wr.Report) -> None:
    """Create both at W&B, or update those that an earlier call created. Raises what W&B raises."""
    api = wandb.Api()
    if report.project not in {project.name for project in api.projects(report.entity)}:
        api.create_project(report.project, report.entity)  # W&B refuses to list the views of an unknown project
    workspace._internal_name = VIEW
    with suppress(ValueError):  # there is none yet
        workspace._internal_id = ws.Workspace.from_url(workspace.url)._internal_id
    workspace.save()
    for earlier in api.reports(f"{report.entity}/{report.project}"):
        if earlier.display_name == report.title:
            report.id = earlier.id
            break
    report.save()


def _tables(source: Path | None, tags: Sequence[str]) -> tuple[Tables | None, str]:
    """Return the tables and a line that names their source, or None and the reason: the charts need no tables."""
    if source:
        return _read(source, tags), f"verdicts from {source}"
    reasons = []
    for default in (runs_folder(), PUBLISHED):
        try:
            return _read(default, tags), f"verdicts from {default}"
        except ValueError as error:
            reasons.append(str(error))
    return None, f"charts without verdicts: {reasons[0]}"


def _read(source: Path, tags: Sequence[str]) -> Tables:
    if not is_results(source):
        return pool_seeds(load_runs(source, tuple(tags)))
    if tags:
        raise ValueError("--tag selects runs, not committed tables: leave it out or give the root of the runs")
    return read_results(source)
