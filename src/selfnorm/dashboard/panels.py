"""The panels of workspace and report, from the keys that runs log (selfnorm.tracking).

A run holds all its seeds: the panels of seeds gather `train/loss_seed_*` of a cell and draw their mean and band.
"""

from typing import Any

import wandb_workspaces.reports.v2 as wr

X: dict[str, Any] = {"x": "step", "title_x": "update steps"}
ERROR = "training error (mean cross-entropy)"
COLUMNS = (
    "run:state",
    "config:dataset.value",
    "config:network.value",
    "config:depth.value",
    "config:num_seeds.value",
    "summary:train/loss_mean",
    "summary:train/loss_sd",
    "summary:fluctuation",
    "summary:test/accuracy_mean",
    "config:tag.value",
)  # a row for each run: the table of cells


def error_panels() -> list[Any]:
    """Training error on a log axis: the seeds of a cell as mean and band, and each run's own picture of them."""
    seeds: dict[str, Any] = {"metric_regex": r"^train/loss_seed_\d+$", "aggregate": True, "groupby": wr.Config("cell")}
    band: dict[str, Any] = {"groupby_aggfunc": "mean", "groupby_rangefunc": "stddev", "title_y": ERROR}
    title = "Training error: mean over seeds, band of one standard deviation"
    return [
        wr.LinePlot(title=title, log_y=True, layout=wr.Layout(w=12, h=9), **X, **seeds, **band),
        wr.MediaBrowser(
            title="Geometric mean, band and first seed", media_keys=["pictures/error"], layout=wr.Layout(w=12, h=9)
        ),
    ]


def variance_panels() -> list[Any]:
    """How much the training error varies: from seed to seed at equal steps, and from record to record."""
    return [
        _lines("Standard deviation of the error over seeds", y=["train/loss_sd"], log_y=True),
        wr.BarPlot(
            title="Fluctuation of the log error from record to record",
            metrics=["fluctuation"],
            groupby=wr.Config("cell"),
            layout=wr.Layout(w=12, h=8),
        ),
    ]


def layer_panels() -> list[Any]:
    """Every layer's moments: maps of layer by step and theory as pictures, then a line for each layer."""
    return [
        wr.MediaBrowser(
            title="Moments and gradient, layer by step", media_keys=["pictures/layers"], layout=wr.Layout(w=24, h=12)
        ),
        wr.MediaBrowser(
            title="Theory against measurement", media_keys=["pictures/theory"], layout=wr.Layout(w=24, h=10)
        ),
        _layers("Mean of the activations", "activation_mean"),
        _layers("Variance of the activations", "activation_variance", log_y=True),
        _layers("Scatter of the units' means", "activation_unit_mean_sd"),
        _layers("Scatter of the units' variances", "activation_unit_variance_sd"),
        _layers("Mean-square gradient", "gradient_second_moment", log_y=True),
        _lines("Gradient gain: mean square at the first layer over the last", y=["gradient_gain"], log_y=True),
    ]


def run_panels() -> list[Any]:
    """What differs between runs, and how well they generalize."""
    return [
        wr.RunComparer(diff_only=True, layout=wr.Layout(w=24, h=12)),
        _lines("Validation error", y=["validation/loss_mean"], log_y=True),
        wr.BarPlot(title="Test accuracy", metrics=["test/accuracy_mean"], layout=wr.Layout(w=12, h=8)),
    ]


def _lines(title: str, **what: Any) -> Any:
    return wr.LinePlot(title=title, layout=wr.Layout(w=12, h=8), **X, **what)


def _layers(title: str, moment: str, **what: Any) -> Any:
    return _lines(title, metric_regex=rf"^moments_{moment}/layer_\d+$", **what)
