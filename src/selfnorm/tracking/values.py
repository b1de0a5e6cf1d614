"""What a run logs: the rows of the tidy files as one dictionary of values, and the job as flat settings.

Keys are such as `train/loss_mean`, `train/loss_seed_3`, `moments_activation_variance/layer_07` and `gradient_gain`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import fmean, stdev
from typing import Any

from selfnorm import config

Rows = Iterable[Mapping[str, Any]]

COORDINATES = ("step", "epoch", "seed", "split", "layer")


def cell_name(job: config.Job) -> str:
    """What names a run for people, and gathers its seeds and repetitions in one line of a chart."""
    return f"{job.dataset.name} {job.network} d{job.model.depth}"


def flat_config(job: config.Job) -> dict[str, Any]:
    """The coordinates as flat keys, for W&B's filters and groups."""
    return {
        "cell": cell_name(job),
        "dataset": job.dataset.name,
        "network": job.network,
        "block": job.model.block,
        "depth": job.model.depth,
        "width": job.model.width,
        "activation": job.activation.name,
        "normalization": job.normalization.name,
        "dropout": job.dropout.name,
        "optimizer": job.optimizer.name,
        "lr": job.optimizer.lr,
        "batch_size": job.training.batch_size,
        "scale": job.scale,
        "tag": job.tag,
        "num_seeds": len(job.seeds),
    }


def curve_values(rows: Rows) -> dict[str, float]:
    """Each seed's loss and accuracy, and mean, standard deviation and number of the finite ones."""
    found: dict[str, float] = {}
    by_name: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for quantity in ("loss", "accuracy"):
            name = f"{row['split']}/{quantity}"
            found[f"{name}_seed_{row['seed']}"] = row[quantity]
            by_name[name].append(row[quantity])
    for name, values in by_name.items():
        finite = [value for value in values if math.isfinite(value)]
        found[f"{name}_n"] = len(finite)
        if finite:
            found[f"{name}_mean"] = fmean(finite)
        if len(finite) > 1:
            found[f"{name}_sd"] = stdev(finite)
    return found


def moment_values(rows: Rows) -> dict[str, float]:
    """Every moment of every layer, as the mean over the finite seeds, and the gradient's gain."""
    by_name: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for quantity in row.keys() - set(COORDINATES):
            if math.isfinite(row[quantity]):
                by_name[f"moments_{quantity}/layer_{row['layer']:02d}"].append(row[quantity])
    means = {name: fmean(values) for name, values in sorted(by_name.items())}
    return means | _gradient_gain(means)


def _gradient_gain(means: Mapping[str, float]) -> dict[str, float]:
    """Mean-square gradient at the first layer over that at the last: 1 where gradients neither vanish nor explode."""
    gradients = [value for name, value in means.items() if name.startswith("moments_gradient_second_moment/")]
    return {"gradient_gain": gradients[0] / gradients[-1]} if len(gradients) > 1 and gradients[-1] else {}
