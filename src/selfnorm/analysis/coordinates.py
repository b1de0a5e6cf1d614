"""The names of a run: its coordinates, the network's short name, and the axes along which runs differ.

In: the resolved configuration of a run, or the table of cells. Out: one row of coordinates; reference cells. The
coordinates are every key of `config.identity` but seeds and tag, so that no difference goes unseen.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pandas as pd

from selfnorm.config import MAX_DEPTH, identity
from selfnorm.config.activation import SELU_ALPHA, SELU_LAMBDA, SHORT, activation_label
from selfnorm.config.own_data import dataset_label
from selfnorm.data.datasets import DATASETS

PAPER_RATE = 1e-5  # the paper's learning rate, common to all networks
# Keys of a configuration with a column of a shorter name; every other key is the name of its column.
COLUMNS = {
    "dataset.name": "dataset",
    "dataset.train_limit": "train_limit",
    "model.depth": "depth",
    "model.width": "width",
    "model.block": "block",
    "model.gain": "gain",
    "activation.name": "activation",
    "activation.fixed_point": "fixed_point",
    "normalization.name": "normalization",
    "normalization.position": "position",
    "dropout.name": "dropout",
    "dropout.rate": "dropout_rate",
    "dropout.input_rate": "input_rate",
    "optimizer.name": "optimizer",
    "optimizer.lr": "lr",
    "training.batch_size": "batch_size",
    "training.loss": "loss",
    "training.error_mode": "error_mode",
    "training.error_batch_size": "error_batch_size",
    "training.epochs": "epochs",
}
# An axis is what one intervention changes together: keys, or whole groups of keys; the first that fits counts.
# A key that is on none of these is an axis of its own.
AXES = {
    "activation": ("activation",),
    "normalization": ("normalization",),
    "initialization": ("model.gain", "model.initialization"),
    "dropout": ("dropout",),
    "batch size": ("training.batch_size",),
    "evaluation": ("training.error_mode", "training.error_batch_size"),
    "learning rate": ("optimizer.lr",),
    "optimizer": ("optimizer",),
    "loss": ("training.loss",),
    "block": ("model.block",),
    "width": ("model.width",),
    "epochs": ("training.epochs",),
    "training samples": ("dataset.train_limit",),
    "precision": ("trainer.precision",),
    "data set": ("dataset",),
    "depth": ("model.depth",),
}
NETWORK_AXES = {"activation", "normalization", "initialization", "block"}  # what a network's name may stand for
TITLES = {name: dataset.title for name, dataset in DATASETS.items()}
PAPERS = "(0, 1)"  # SELU's fixed point in the paper
_SELU_KEYS = {"activation.alpha", "activation.lambda", "activation.learn"}  # told by the name of the fixed point
_KEYS = {column: key for key, column in COLUMNS.items()}
_NORMALIZATIONS = {"batch": "BN", "layer": "LN", "weight": "WN", "centred": "centred weights"}
_NORMALIZATIONS |= {"rms": "RMS", "dyt": "DyT", "derf": "Derf"}
_BLOCKS = {"residual": "ResNet", "highway": "Highway", "rezero": "ReZero"}
_INITIALIZATIONS = {"orthogonal": ", orthogonal", "lsuv": ", LSUV"}


def coordinates(config: Mapping[str, Any]) -> dict[str, Any]:
    """The coordinates of a run from its resolved configuration, one flat row.

    Raises ValueError naming the key if one is missing that a run cannot do without.
    """
    settings = _settings(config)
    normalization, dropout = (str(settings.get(f"{group}.name", "none")) for group in ("normalization", "dropout"))
    batch_size = int(_key(settings, "training.batch_size"))
    # As a number even where it is training's own: a batch-size control that keeps it differs in one axis only
    asked = settings.get("training.error_batch_size") or batch_size
    gain = settings.get("model.gain")
    row = {
        "dataset": dataset_label({"name": _key(settings, "dataset.name")} | dict(config["dataset"])),
        "depth": _depth(settings),
        "width": _whole(settings, "model.width"),
        "block": str(settings.get("model.block", "plain")),
        "gain": float("nan") if gain is None else float(gain),
        "activation": activation_label({"name": _key(settings, "activation.name")} | dict(config["activation"])),
        "fixed_point": fixed_point_name(settings),
        "normalization": normalization,
        "position": str(settings.get("normalization.position", "none")) if normalization == "batch" else "none",
        "dropout": dropout,
        "dropout_rate": float(settings.get("dropout.rate", 0.0)),
        "input_rate": float(settings.get("dropout.input_rate", 0.0)),
        "optimizer": str(settings.get("optimizer.name", "sgd")),
        "lr": float(_key(settings, "optimizer.lr")),
        "batch_size": batch_size,
        "loss": str(settings.get("training.loss", "sum")),
        "error_mode": str(settings.get("training.error_mode", "train")),
        "error_batch_size": pd.NA if asked == "all" else int(asked),
        "epochs": int(_key(settings, "training.epochs")),
        "train_limit": _whole(settings, "dataset.train_limit"),
        "scale": str(config.get("scale", "unknown")),
        "tag": str(config.get("tag", "untagged")),
    }
    told = _SELU_KEYS if row["activation"] == "selu" else set()
    others = {key: value for key, value in settings.items() if key not in COLUMNS and key not in told}
    row |= {key: None if value is None else str(value) for key, value in others.items()}
    return row | {"network": network_name(row)}


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted key -> value of all that decides the numbers but seeds and tag."""
    groups = {group: part for group, part in identity(config).items() if isinstance(part, Mapping)}
    return {f"{group}.{key}": value for group, part in groups.items() for key, value in part.items()}


def fixed_point_name(settings: Mapping[str, Any]) -> str:
    """A SELU's constants in words: `(0, 1)`, `learned from (0, 1)`, `alpha 1, lambda 2`; `none` for others.

    settings: dotted key -> value.
    """
    if settings.get("activation.name") != "selu":
        return "none"
    fixed_point, alpha, lambda_ = (settings.get(f"activation.{key}") for key in ("fixed_point", "alpha", "lambda"))
    if fixed_point is not None:
        name = "({:g}, {:g})".format(*fixed_point)
    elif (alpha or SELU_ALPHA, lambda_ or SELU_LAMBDA) == (SELU_ALPHA, SELU_LAMBDA):
        name = PAPERS
    else:
        name = f"alpha {alpha:g}, lambda {lambda_:g}"
    return f"learned from {name}" if settings.get("activation.learn") else name


def _key(settings: Mapping[str, Any], key: str) -> Any:
    if key not in settings:
        raise ValueError(f"config.yaml has no {key}: write the resolved configuration of the run there")
    return settings[key]


def _whole(settings: Mapping[str, Any], key: str) -> Any:
    value = settings.get(key)
    return pd.NA if value is None else int(value)


def _depth(settings: Mapping[str, Any]) -> int:
    """Within what a job may ask for: the theory's curves and a report's tables have as many entries."""
    depth = int(_key(settings, "model.depth"))
    if not 1 <= depth <= MAX_DEPTH:
        raise ValueError(
            f"config.yaml has model.depth={depth}, and legal are 1 to {MAX_DEPTH}: put back what was there"
        )
    return depth


def network_name(row: Mapping[str, Any]) -> str:
    """The paper's short name: SNN, BN, LN, WN, MSRA (ReLU alone), Highway, ResNet; else the pieces by name."""
    if row["block"] != "plain":
        return _BLOCKS.get(row["block"], row["block"])
    if drawn := _INITIALIZATIONS.get(str(row.get("model.initialization"))):
        named = network_name({**row, "model.initialization": "normal"})
        return ("ReLU" if named == "MSRA" else named) + drawn  # MSRA is an initialization itself
    activation, normalization, fixed_point = row["activation"], row["normalization"], row["fixed_point"]
    if activation == "selu" and fixed_point != PAPERS:
        return " + ".join([f"SNN {fixed_point}", *([] if normalization == "none" else [normalization])])
    if normalization == "none":
        tailored = activation.startswith(tuple(f"{short}_" for short in SHORT.values()))
        return {"selu": "SNN", "relu": "MSRA"}.get(
            activation, activation.upper().replace("_", " " if tailored else "_")
        )
    short = _NORMALIZATIONS.get(normalization, normalization)
    if row["position"] == "before":
        short += " before"
    return short if activation == "relu" else f"{activation.upper()} + {short}"


def dataset_title(name: str) -> str:
    """The name of a data set as papers print it."""
    return TITLES.get(name, name)


def paper_order(dataset: str) -> tuple[bool, str]:
    """Sort key of data sets: MNIST first, as in the paper."""
    return dataset != "mnist", dataset


@cache
def axis_of(column: str) -> str | None:
    """The axis of a column of the table of cells; None for one that is no coordinate (cell, tag, seconds, ...)."""
    key = _KEYS.get(column, column)
    if "." not in key:
        return None
    within = (axis for axis, parts in AXES.items() if any(key == part or key.startswith(f"{part}.") for part in parts))
    return next(within, key)


def settings_of(cell: Mapping[str, Any]) -> dict[str, str]:
    """The coordinates of a cell by short names, such as `lr` or `batch size`, as readers write them.

    Data set, depth and what the network's name tells are left out; a value that is missing is `default`.
    """
    told = {"dataset", "depth", "block", "activation", "normalization", "position", "fixed_point"}
    columns = {column: str(column).rpartition(".")[2].replace("_", " ") for column in cell if axis_of(str(column))}
    return {name: _setting(cell[column]) for column, name in columns.items() if column not in told}


def _setting(value: Any) -> str:
    if pd.isna(value):
        return "default"
    return f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else str(value)


def reference_cells(cells: pd.DataFrame, network: str) -> pd.DataFrame:
    """Per data set and depth, the cell of `network` that stands at the centre of the sweep: one row each.

    The centre of a star of one-axis controls has the most common value on every axis, so the cell with the
    most such values is taken; of equals the first by name. Of equally common learning rates the paper's counts.
    """
    chosen = []
    groups = {(str(d), int(str(k))): group for (d, k), group in cells.groupby(["dataset", "depth"])}
    shared = [column for column in cells if axis_of(column)]
    for key in sorted(groups, key=lambda key: (paper_order(key[0]), key[1])):
        candidates = groups[key][groups[key]["network"] == network]
        if len(candidates):
            common = groups[key][shared].apply(_most_common)
            score = [sum(map(same, row, common)) for row in candidates[shared].itertuples(index=False)]
            order = candidates.assign(score=score).sort_values(["score", "cell"], ascending=[False, True])
            chosen.append(order.iloc[0].drop("score"))
    return pd.DataFrame(chosen, columns=cells.columns)


def _most_common(column: pd.Series) -> Any:
    values = column.mode(dropna=False).tolist()
    return PAPER_RATE if column.name == "lr" and PAPER_RATE in values else values[0]


def are_selus(*cells: pd.Series) -> bool:
    """Tell whether the activation of every cell is a SELU, of whichever fixed point."""
    return all(cell["activation"] == "selu" for cell in cells)


def changed_axes(reference: pd.Series, cell: pd.Series) -> list[str]:
    """Names of the axes in which two cells of one table differ."""
    rows = zip(reference.index, reference, cell[reference.index], strict=True)
    changed = {axis for column, a, b in rows if (axis := axis_of(str(column))) and not same(a, b)}
    return [axis for axis in AXES if axis in changed] + sorted(changed - AXES.keys())


def same(a: Any, b: Any) -> bool:
    """Equality in which two missing values are equal."""
    if pd.isna(a) or pd.isna(b):
        return bool(pd.isna(a) and pd.isna(b))
    return bool(a == b)
