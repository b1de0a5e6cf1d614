"""What names a run: its coordinates, the network's short name, and which runs differ in one axis only.

In: the resolved configuration of a run, or the table of cells. Out: one row of coordinates; reference cells
and their controls.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from selfnorm.config import MAX_DEPTH
from selfnorm.selu_constants import SELU_ALPHA, SELU_LAMBDA

# An axis is a group of columns which one intervention changes together.
AXES: dict[str, tuple[str, ...]] = {
    "activation": ("activation", "fixed_point"),
    "normalization": ("normalization", "position"),
    "initialization": ("gain",),
    "dropout": ("dropout", "dropout_rate", "input_rate"),
    "batch size": ("batch_size",),
    "evaluation": ("error_mode", "error_batch_size"),
    "learning rate": ("lr",),
    "optimizer": ("optimizer",),
    "loss": ("loss",),
    "block": ("block",),
    "width": ("width",),
    "epochs": ("epochs",),
    "training samples": ("train_limit",),
}
TITLES = {"mnist": "MNIST", "cifar10": "CIFAR-10", "fashion_mnist": "Fashion-MNIST"}
PAPERS = "(0, 1)"  # SELU's fixed point in the paper
_NORMALIZATIONS = {"batch": "BN", "layer": "LN", "weight": "WN"}
_BLOCKS = {"residual": "ResNet", "highway": "Highway"}


def coordinates(config: Mapping[str, Any]) -> dict[str, Any]:
    """The coordinates of a run from its resolved configuration, one flat row.

    Raises ValueError naming the key when one is missing that no default can stand for.
    """
    normalization = str(_key(config, "normalization.name", "none"))
    dropout = str(_key(config, "dropout.name", "none"))
    batch_size = int(_key(config, "training.batch_size"))
    # As a number even where it is training's own: a batch-size control that keeps it differs in one axis only
    asked = _key(config, "training.error_batch_size", None) or batch_size
    error_batch_size = pd.NA if asked == "all" else int(asked)
    gain = _key(config, "model.gain", None)
    row = {
        "dataset": str(_key(config, "dataset.name")),
        "depth": _depth(config),
        "width": _whole(config, "model.width"),
        "block": str(_key(config, "model.block", "plain")),
        "gain": float("nan") if gain is None else float(gain),
        "activation": str(_key(config, "activation.name")),
        "fixed_point": fixed_point_name(config),
        "normalization": normalization,
        # Only batch normalization has a position; elsewhere the key would split equal cells.
        "position": str(_key(config, "normalization.position", "after")) if normalization == "batch" else "none",
        "dropout": dropout,
        "dropout_rate": float(_key(config, "dropout.rate", 0.0)) if dropout != "none" else 0.0,
        "input_rate": float(_key(config, "dropout.input_rate", 0.0)) if dropout != "none" else 0.0,
        "optimizer": str(_key(config, "optimizer.name", "sgd")),
        "lr": float(_key(config, "optimizer.lr")),
        "batch_size": batch_size,
        "loss": str(_key(config, "training.loss", "sum")),
        "error_mode": str(_key(config, "training.error_mode", "train")),
        "error_batch_size": error_batch_size,
        "epochs": int(_key(config, "training.epochs")),
        "train_limit": _whole(config, "dataset.train_limit"),
        "scale": str(_key(config, "scale", "unknown")),
        "tag": str(_key(config, "tag", "untagged")),
    }
    return row | {"network": network_name(row)}


def fixed_point_name(config: Mapping[str, Any]) -> str:
    """A SELU's constants in words: `(0, 1)`, `learned from (0, 1)`, `alpha 1, lambda 2`; `none` for others."""
    if _key(config, "activation.name") != "selu":
        return "none"
    target = _key(config, "activation.fixed_point", None)
    alpha, lambda_ = (_key(config, f"activation.{name}", None) for name in ("alpha", "lambda"))
    if target is not None:
        name = "({:g}, {:g})".format(*target)
    elif (alpha or SELU_ALPHA, lambda_ or SELU_LAMBDA) == (SELU_ALPHA, SELU_LAMBDA):
        name = PAPERS
    else:
        name = f"alpha {alpha:g}, lambda {lambda_:g}"
    return f"learned from {name}" if _key(config, "activation.learn", False) else name


_REQUIRED = object()


def _key(config: Mapping[str, Any], dotted: str, default: Any = _REQUIRED) -> Any:
    value: Any = config
    for part in dotted.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif default is _REQUIRED:
            raise ValueError(f"config.yaml has no {dotted}: write the resolved configuration of the run there")
        else:
            return default
    return value


def _whole(config: Mapping[str, Any], dotted: str) -> Any:
    value = _key(config, dotted, None)
    return pd.NA if value is None else int(value)


def _depth(config: Mapping[str, Any]) -> int:
    """Within what a job may ask for: the theory's curves and a report's tables have as many entries."""
    depth = int(_key(config, "model.depth"))
    if not 1 <= depth <= MAX_DEPTH:
        raise ValueError(
            f"config.yaml has model.depth={depth}, and legal are 1 to {MAX_DEPTH}: put back what was there"
        )
    return depth


def network_name(row: Mapping[str, Any]) -> str:
    """The paper's short name: SNN, BN, LN, WN, MSRA (ReLU alone), Highway, ResNet; else the parts by name."""
    if row["block"] != "plain":
        return _BLOCKS.get(row["block"], row["block"])
    activation, normalization = row["activation"], row["normalization"]
    target = row.get("fixed_point", "none")
    if activation == "selu" and target != PAPERS:
        return " + ".join([f"SNN {target}", *([] if normalization == "none" else [normalization])])
    if normalization == "none":
        return {"selu": "SNN", "relu": "MSRA"}.get(activation, activation.upper())
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


def reference_cells(cells: pd.DataFrame, network: str) -> pd.DataFrame:
    """Per data set and depth, the cell of `network` that stands at the centre of the sweep: one row each.

    The centre of a star of one-axis controls has the most common value on every axis, so the cell with the
    most such values is taken; of equals the first by name.
    """
    chosen = []
    groups = {(str(d), int(str(k))): group for (d, k), group in cells.groupby(["dataset", "depth"])}
    shared = [c for axis in AXES.values() for c in axis]
    for key in sorted(groups, key=lambda key: (paper_order(key[0]), key[1])):
        candidates = groups[key][groups[key]["network"] == network]
        if len(candidates):
            common = groups[key][shared].apply(lambda column: column.mode(dropna=False).iloc[0])
            score = [sum(map(same, row, common)) for row in candidates[shared].itertuples(index=False)]
            order = candidates.assign(score=score).sort_values(["score", "cell"], ascending=[False, True])
            chosen.append(order.iloc[0].drop("score"))
    return pd.DataFrame(chosen, columns=cells.columns)


def controls(cells: pd.DataFrame, reference: pd.Series) -> Iterator[tuple[str, pd.Series]]:
    """The cells of the same data set and depth that differ in exactly one axis, each with that axis.

    SELUs of other fixed points are no perturbations; `targets` compares them.
    """
    here = cells[(cells["dataset"] == reference["dataset"]) & (cells["depth"] == reference["depth"])]
    for _, cell in here.iterrows():
        changed = changed_axes(reference, cell)
        if len(changed) == 1 and (changed != ["activation"] or not same(reference["activation"], cell["activation"])):
            yield changed[0], cell


def changed_axes(reference: pd.Series, cell: pd.Series) -> list[str]:
    """Names of the axes in which two cells differ."""
    return [a for a, columns in AXES.items() if not all(same(reference[c], cell[c]) for c in columns)]


def same(a: Any, b: Any) -> bool:
    """Equality in which two missing values are equal."""
    if pd.isna(a) or pd.isna(b):
        return bool(pd.isna(a) and pd.isna(b))
    return bool(a == b)
