"""What `scripts/dashboard.py` does: tables from local runs, pages made of them, written or saved.

In: the command's arguments. Out: lines for the terminal. Raises ValueError or OSError in one line.
"""

from collections.abc import Sequence
from pathlib import Path

from selfnorm.analysis.results import Tables, is_results, read_results
from selfnorm.analysis.runs import load_runs
from selfnorm.dashboard.report import make_report
from selfnorm.dashboard.saving import save, write_specs
from selfnorm.dashboard.workspace import make_workspace
from selfnorm.tracking.server import first_line, unreachable


def publish(
    source: Path | None, tags: Sequence[str], entity: str | None, project: str, dry_run: Path | None
) -> list[str]:
    tables = _tables(source, tuple(tags))
    if dry_run is not None:
        name: str = entity or "entity"
        write_specs(make_workspace(name, project, tags), make_report(name, project, tables, tags), dry_run)
        return [f"wrote {dry_run}; nothing was sent"]
    if problem := unreachable():
        raise ValueError(f"{problem}; --dry-run FILE needs no server")
    import wandb

    try:
        name = entity or wandb.Api().default_entity or ""
        saved = save(make_workspace(name, project, tags), make_report(name, project, tables, tags))
    except Exception as error:  # W&B's own errors have no common class
        raise ValueError(f"W&B refused: {first_line(error)}; --dry-run FILE needs no server") from error
    return [f"workspace: {saved.workspace}", f"report: {saved.report}"]


def _tables(source: Path | None, tags: tuple[str, ...]) -> Tables | None:
    if source is None:
        return None
    if not is_results(source):
        return load_runs(source, tags)
    if tags:
        raise ValueError("--tag selects runs, not committed tables: leave it out or give the root of the runs")
    return read_results(source)
