"""The values that a run logs: rows of the tidy files as one dictionary, and the job as flat settings.

Keys are such as `train/loss_mean`, `train/loss_seed_3`, `moments_activation_variance/layer_07` and `gradient_gain`.
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
    """Every moment of every layer, as the mean over the finite seeds, and the gradient's gain."""
    finite: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        for quantity in row.keys() - set(COORDINATES):
            if math.isfinite(row[quantity]):
                finite[quantity, row["layer"]].append(row[quantity])
    means = {place: fmean(values) for place, values in sorted(finite.items())}
    logged = {f"moments_{quantity}/layer_{layer:02d}": mean for (quantity, layer), mean in means.items()}
    # Mean-square gradient at the first layer over that at the last: 1 where gradients neither vanish nor explode
    gradients = [mean for (quantity, _), mean in means.items() if quantity == "gradient_second_moment"]
    return logged | ({"gradient_gain": gradients[0] / gradients[-1]} if len(gradients) > 1 and gradients[-1] else {})
