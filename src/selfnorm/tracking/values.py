"""The values that a run logs: rows of the tidy files as one dictionary, and the job as flat settings.

Keys are such as `train/loss_mean`, `train/loss_seed_3`, `layers/activation_variance_last`, `gradient_gain` and
`moments_activation_variance/layer_07`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean, stdev
from typing import Any

from selfnorm import config
from selfnorm.config.activation import activation_label
from selfnorm.runs.layout import COORDINATES

ERRORS = [f"{split}/{quantity}" for split in ("train", "validation", "test") for quantity in ("loss", "accuracy")]
# Keys of which W&B draws panels by itself, and those of which it would draw hundreds. No key is in two of them, since
# W&B takes any one that matches
AT_FIRST_SIGHT = (
    *(f"{error}_{what}" for error in ERRORS for what in ("mean", "sd", "n")),
    *("layers/*", "gradient_gain", "forks/*", "fluctuation", "pictures/*"),
)
DETAILS = ("moments_*", *(f"{error}_seed_*" for error in ERRORS))
AT_A_GLANCE = ("activation_mean", "activation_variance", "activation_cosine")
Rows = Iterable[Mapping[str, Any]]


def cell_name(job: config.Job) -> str:
    """The name of a run for people, by which charts gather its seeds and repetitions in one line."""
    return f"{job.dataset.label} {job.network} d{job.model.depth}"


def flat_config(job: config.Job) -> dict[str, Any]:
    """The coordinates of a run as flat keys, for W&B's filters and groups."""
    return {
        "cell": cell_name(job),
        "network": job.network,
        "dataset": job.dataset.label,
        "activation": activation_label(job.activation.model_dump()),
        **{group: getattr(job, group).name for group in ("normalization", "dropout", "optimizer")},
        **job.model.model_dump(include={"block", "depth", "width"}),
        "lr": job.optimizer.lr,
        "batch_size": job.training.batch_size,
        "scale": job.scale,
        "tag": job.tag,
        "num_seeds": len(job.seeds),
    }


def curve_values(rows: Rows) -> dict[str, float]:
    """Each seed's loss and accuracy, and mean, standard deviation and number of the finite ones."""
    logged: dict[str, float] = {}
    by_name: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for quantity in ("loss", "accuracy"):
            name = f"{row['split']}/{quantity}"
            logged[f"{name}_seed_{row['seed']}"] = row[quantity]
            by_name[name].append(row[quantity])
    for name, values in by_name.items():
        finite = [value for value in values if math.isfinite(value)]
        logged[f"{name}_n"] = len(finite)
        if finite:
            logged[f"{name}_mean"] = fmean(finite)
        if len(finite) > 1:
            logged[f"{name}_sd"] = stdev(finite)
    return logged


def fork_values(rows: Rows) -> dict[str, float]:
    """`forks/order_sd` and so on: standard deviation over forks of log training error at the end of their horizon.

    Geometric mean over the seeds whose forks are all finite; 0 for a source without spread in some seed.
    """
    last: dict[str, int] = {}
    by_seed: dict[tuple[str, int, int], list[float]] = defaultdict(list)
    for row in rows:
        last[row["source"]] = max(row["update"], last.get(row["source"], 0))
        by_seed[row["source"], row["seed"], row["update"]].append(row["loss"])
    logs: dict[str, list[float]] = defaultdict(list)
    for (source, _, update), losses in by_seed.items():
        if update == last[source] and all(0 < loss < math.inf for loss in losses):
            sd = stdev(map(math.log, losses))
            logs[source].append(math.log(sd) if sd > 0 else -math.inf)
    return {f"forks/{source}_sd": math.exp(fmean(values)) for source, values in logs.items()}


def moment_values(rows: Rows) -> dict[str, float]:
    """Every moment of every layer as the mean over the finite seeds, the gradient's gain, and a few at a glance.

    Of AT_A_GLANCE these are the first, middle and last layer, and the smallest and largest value of all.
    """
    finite: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        for quantity in row.keys() - set(COORDINATES):
            if math.isfinite(row[quantity]):
                finite[quantity, row["layer"]].append(row[quantity])
    means = {place: fmean(values) for place, values in sorted(finite.items())}
    logged = {f"moments_{quantity}/layer_{layer:02d}": mean for (quantity, layer), mean in means.items()}
    for quantity in AT_A_GLANCE:
        if values := [mean for (name, _), mean in means.items() if name == quantity]:
            chosen = {"first": values[0], "middle": values[len(values) // 2], "last": values[-1]}
            chosen |= {"smallest": min(values), "largest": max(values)}
            logged |= {f"layers/{quantity}_{which}": value for which, value in chosen.items()}
    # Mean-square gradient at the first layer over that at the last: 1 where gradients neither vanish nor explode
    gradients = [mean for (quantity, _), mean in means.items() if quantity == "gradient_second_moment"]
    return logged | ({"gradient_gain": gradients[0] / gradients[-1]} if len(gradients) > 1 and gradients[-1] else {})
