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

DEFAULTS = (
    Path("runs"),
    Path("docs/results/preview"),
)  # what was trained here; in a fresh clone, what the README shows


def publish(
    source: Path | None, tags: Sequence[str], entity: str | None, project: str, dry_run: Path | None
) -> list[str]:
    """source: a root of runs or committed tables; None: the first of DEFAULTS that has any."""
    tables, numbers = (_tables(source, tuple(tags)), f"verdicts from {source}") if source else _default(tuple(tags))
    if dry_run is not None:
        name: str = entity or "entity"
        write_specs(make_workspace(name, project, tags), make_report(name, project, tables, tags), dry_run)
        return [f"wrote {dry_run}; nothing was sent", numbers]
    if problem := unreachable():
        raise ValueError(f"{problem}; --dry-run FILE needs no server")
    import wandb

    try:
        name = entity or wandb.Api().default_entity or ""
        saved = save(make_workspace(name, project, tags), make_report(name, project, tables, tags))
    except Exception as error:  # W&B's own errors have no common class
        raise ValueError(f"W&B refused: {first_line(error)}; --dry-run FILE needs no server") from error
    return [f"workspace: {saved.workspace}", f"report: {saved.report}", numbers]


def _default(tags: tuple[str, ...]) -> tuple[Tables | None, str]:
    """Tables and where they are from, or why there are none: runs of another machine still have their charts."""
    reasons = []
    for source in DEFAULTS:
        try:
            return _tables(source, tags), f"verdicts from {source}"
        except ValueError as error:
            reasons.append(str(error))
    return None, f"charts without verdicts: {reasons[0]}"


def _tables(source: Path, tags: tuple[str, ...]) -> Tables:
    if not is_results(source):
        return load_runs(source, tags)
    if tags:
        raise ValueError("--tag selects runs, not committed tables: leave it out or give the root of the runs")
    return read_results(source)
