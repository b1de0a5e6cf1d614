"""The workspace, every run of the project under four headings, and the panels that the report has too.

In: entity, project, tags. Out: a Workspace; panels over the keys that runs log (selfnorm.tracking). A run holds all
its seeds: the panels of seeds gather `train/loss_seed_*` of a cell and draw their mean and band.
"""

from collections.abc import Sequence
from typing import Any

import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws
from wandb_workspaces import expr

COLUMNS = (
    "run:state",
    *(f"config:{key}.value" for key in ("dataset", "network", "depth", "num_seeds")),
    *(f"summary:{key}" for key in ("train/loss_mean", "train/loss_sd", "fluctuation", "test/accuracy_mean")),
    "config:tag.value",
)  # of the table of runs


def error_panels() -> list[Any]:
    """Draw training error on a log axis: the seeds of a cell as mean and band, and the picture of each run."""
    title = "Training error: mean over seeds, band of one standard deviation"
    seeds: dict[str, Any] = {
        "metric_regex": r"^train/loss_seed_\d+$", "aggregate": True, "groupby": wr.Config("cell"),
        "groupby_aggfunc": "mean", "groupby_rangefunc": "stddev", "title_y": "training error (mean cross-entropy)",
    }  # fmt: skip
    return [
        _lines(title, log_y=True, height=9, **seeds),
        _pictures("Geometric mean, band and first seed", "error", width=12, height=9),
    ]


def variance_panels() -> list[Any]:
    """Draw the variation of the training error from seed to seed at equal steps and from record to record."""
    fluctuation = "Fluctuation of the log error from record to record"
    return [
        _lines("Standard deviation of the error over seeds", y=["train/loss_sd"], log_y=True),
        wr.BarPlot(title=fluctuation, metrics=["fluctuation"], groupby=wr.Config("cell"), layout=wr.Layout(w=12, h=8)),
    ]


def layer_panels() -> list[Any]:
    """Draw every layer's moments: maps of layer by step and theory as pictures, then a line for each layer."""
    return [
        _pictures("Moments and gradient, layer by step", "layers", width=24, height=12),
        _pictures("Theory against measurement", "theory", width=24, height=10),
        _layers("Mean of the activations", "activation_mean"),
        _layers("Variance of the activations", "activation_variance", log_y=True),
        _layers("Scatter of the units' means", "activation_unit_mean_sd"),
        _layers("Scatter of the units' variances", "activation_unit_variance_sd"),
        _layers("Mean-square gradient", "gradient_second_moment", log_y=True),
        _lines("Gradient gain: mean square at the first layer over the last", y=["gradient_gain"], log_y=True),
    ]


def run_panels() -> list[Any]:
    """Show the settings in which runs differ, and how well they generalize."""
    return [
        wr.RunComparer(diff_only=True, layout=wr.Layout(w=24, h=12)),
        _lines("Validation error", y=["validation/loss_mean"], log_y=True),
        wr.BarPlot(title="Test accuracy", metrics=["test/accuracy_mean"], layout=wr.Layout(w=12, h=8)),
    ]


def _lines(title: str, *, height: int = 8, **what: Any) -> Any:
    return wr.LinePlot(title=title, layout=wr.Layout(w=12, h=height), x="step", title_x="update steps", **what)


def _layers(title: str, moment: str, **what: Any) -> Any:
    return _lines(title, metric_regex=rf"^moments_{moment}/layer_\d+$", **what)


def _pictures(title: str, name: str, *, width: int, height: int) -> Any:
    return wr.MediaBrowser(title=title, media_keys=[f"pictures/{name}"], layout=wr.Layout(w=width, h=height))


SECTIONS = {
    "Training error": error_panels,
    "How much it varies": variance_panels,
    "Layers": layer_panels,
    "Runs": run_panels,
}


def make_workspace(entity: str, project: str, tags: Sequence[str] = ()) -> ws.Workspace:
    """tags: only runs of these (none: all)."""
    wide = ws.SectionLayoutSettings(columns=2, rows=2)
    return ws.Workspace(
        entity=entity,
        project=project,
        name="selfnorm",
        auto_generate_panels=False,
        sections=[ws.Section(title, make(), is_open=True, layout_settings=wide) for title, make in SECTIONS.items()],
        settings=ws.WorkspaceSettings(x_axis="step", max_runs=24),
        runset_settings=ws.RunsetSettings(filters=all_of(tag_filter(tags)), pinned_columns=list(COLUMNS)),
    )


def tag_filter(tags: Sequence[str]) -> list[expr.FilterExpr]:
    return [expr.Config("tag").isin(list(tags))] if tags else []


def all_of(filters: Sequence[expr.FilterExpr]) -> expr.And | str:
    return expr.And(*filters) if filters else ""
