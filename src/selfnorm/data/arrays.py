"""A user's arrays: an .npz file goes in; features (N, F) and labels (N,) of each split that it holds come out.

Missing values, NaN, get an indicator feature each. Images and other shapes are flattened, one row for a sample.
"""

from __future__ import annotations

import math
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnorm.data.datasets import SPLITS, OwnFile
from selfnorm.data.faults import BadFile, check_memory, check_values, listed

NAMES = tuple(f"{kind}_{split}" for split in SPLITS for kind in "xy")


def read_arrays(file: OwnFile) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Read x_train and y_train and, where the file has them, the arrays of validation and test; raises BadFile."""
    where = f"dataset.path={file.path}"
    if not zipfile.is_zipfile(file.path):
        raise BadFile(f"{where}: is not an .npz file; write one with numpy.savez_compressed")
    try:
        with zipfile.ZipFile(file.path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            check_memory(where, size, copies=3)  # read, cut into splits, standardized
        with np.load(file.path, allow_pickle=False) as opened:
            arrays = {name: opened[name] for name in opened.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:  # an array of objects would have to be unpickled
        raise BadFile(f"{where}: cannot be read ({str(error).split('.')[0]})") from None
    if unknown := sorted(arrays.keys() - set(NAMES)):
        raise BadFile(f"{where}: has the arrays {listed(unknown)}; legal are {', '.join(NAMES)}")
    if missing := [name for name in NAMES[:2] if name not in arrays]:
        raise BadFile(f"{where}: has no {' and no '.join(missing)}; it has {listed(arrays) or 'nothing'}")
    splits = {}
    for split in SPLITS:
        x, y = arrays.get(f"x_{split}"), arrays.get(f"y_{split}")
        if x is not None and y is not None:
            splits[split] = _labelled(split, x, y)
        elif x is not None or y is not None:
            raise BadFile(f"{where}: of x_{split} and y_{split} it has one; a split needs both")
    for split, (x_NF, _) in splits.items():
        if x_NF.shape[1] != (expected := splits["train"][0].shape[1]):
            raise BadFile(f"{where}: x_{split} has {x_NF.shape[1]} features and x_train {expected}")
    return with_indicators(splits)


def _labelled(split: str, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if x.dtype.kind not in "biuf":
        raise BadFile(f"x_{split} has the type {x.dtype}; features are integers or floats")
    if x.ndim < 2 or 0 in x.shape[1:]:
        raise BadFile(f"x_{split} has the shape {x.shape}; it must be (samples, features), or more dimensions")
    if y.ndim != 1 or len(y) != len(x):
        raise BadFile(
            f"y_{split} has the shape {y.shape}; it must be ({len(x)},), a label for each sample of x_{split}"
        )
    if y.dtype.kind not in "biufU":
        raise BadFile(f"y_{split} has the type {y.dtype}; labels are integers or text")
    if y.dtype.kind == "f" and not (y == np.round(y)).all():
        raise BadFile(f"y_{split} has values that are not whole, such as {y[y != np.round(y)][0]:g}; this pipeline "
                      "classifies, and does not predict numbers")  # fmt: skip
    check_values(f"x_{split}", x)
    return x.reshape(len(x), math.prod(x.shape[1:])), y


def with_indicators(
    splits: dict[str, tuple[NDArray[Any], NDArray[Any]]],
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Append, for every feature that is missing in some training sample, a feature that is 1 where it is missing."""
    x_NF = splits["train"][0]
    missing_F = np.isnan(x_NF).any(axis=0) if x_NF.dtype.kind == "f" else np.zeros(x_NF.shape[1], dtype=bool)
    if not missing_F.any():
        return splits
    return {split: (np.hstack([x_NF, np.isnan(x_NF[:, missing_F])]), y_N) for split, (x_NF, y_N) in splits.items()}
