"""In-memory splits: a data set goes in; float32 features, standardized by the training samples, come out.

Legend of shape suffixes: N samples of a split, F features of one sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfnorm.data.cache import READERS, ensure
from selfnorm.data.datasets import DATASETS, Dataset

Values = NDArray[Any]  # features as a reader gives them: bytes or floats
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

CHUNK_ROWS = 256  # a float64 chunk of CIFAR-10 is 6 MB


@dataclass(frozen=True)
class Split:
    x_NF: Tensor  # float32, standardized
    y_N: Tensor  # int64, 0 to num_classes - 1

    def to(self, device: torch.device) -> Split:
        return Split(self.x_NF.to(device), self.y_N.to(device))


@dataclass(frozen=True)
class Splits:
    """The three splits of a data set, and the statistics they are standardized with.

    mean_F and std_F: float64, over the training samples in use, of features divided by the data set's `largest`;
    std_F is 1 where a feature is constant over those samples.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    num_classes: int
    mean_F: Tensor
    std_F: Tensor

    @property
    def num_features(self) -> int:
        return self.train.x_NF.shape[1]

    def to(self, device: torch.device) -> Splits:
        """Move the samples to `device`; the statistics stay where they are."""
        moved = {part: getattr(self, part).to(device) for part in ("train", "validation", "test")}
        return replace(self, **moved)


def load_splits(
    dataset: str | Dataset,
    *,
    data_dir: Path,
    train_limit: int | None = None,
    standardize: Literal["feature", "global"] = "feature",
) -> Splits:
    """Fetch the data set when needed; standardize it by its first `train_limit` training samples (None: all).

    standardize: by the mean and deviation of each feature, or by those of all features together.
    `dataset` is a declaration, or the name of one in DATASETS. Raises ValueError for an unknown name or a `train_limit`
    outside 1 to the size of the training split (a larger one is not cut: a configuration must not promise more samples
    than were used), DataUnavailable if no source supplies the files.
    """
    if isinstance(dataset, str):
        if dataset not in DATASETS:
            raise ValueError(f"data set {dataset!r} is unknown; choose from {', '.join(DATASETS)}")
        dataset = DATASETS[dataset]
    num_train = dataset.num_train
    if train_limit is not None and not 1 <= train_limit <= num_train:  # before anything is fetched
        raise ValueError(
            f"train_limit={train_limit} must be from 1 to {num_train}, the training samples of {dataset.name}"
        )
    read = partial(READERS[dataset.format], dataset, ensure(dataset, Path(data_dir)))
    x_NF, y_N = read("train", range(train_limit or num_train))
    fill_F = _means_of_known(x_NF)
    x_NF = _filled(x_NF, fill_F)
    mean_F, std_F = _mean_and_std(x_NF, dataset.largest)
    if standardize == "global":
        mean_F, std_F = _of_all_features(mean_F, std_F)
    std_F[std_F == 0] = 1.0  # a constant feature is centred and keeps its scale

    def standardized(features_NF: Values, labels_N: Int64) -> Split:
        filled_NF = _filled(features_NF, fill_F)
        return Split(_standardize(filled_NF, dataset.largest, mean_F, std_F), torch.from_numpy(labels_N))

    return Splits(
        name=dataset.name,
        train=standardized(x_NF, y_N),
        validation=standardized(*read("train", range(num_train, num_train + dataset.num_validation))),
        test=standardized(*read("test", range(dataset.num_test))),
        num_classes=dataset.num_classes,
        mean_F=torch.from_numpy(mean_F),
        std_F=torch.from_numpy(std_F),
    )


def _means_of_known(x_NF: Values) -> Float64:
    """Return each feature's mean over the samples in which it is not missing (NaN), 0 if there are none."""
    if x_NF.dtype.kind != "f":
        return np.zeros(x_NF.shape[1])
    known_NF = ~np.isnan(x_NF)
    return np.sum(x_NF, axis=0, where=known_NF, dtype=np.float64) / np.maximum(known_NF.sum(axis=0), 1)


def _filled(x_NF: Values, fill_F: Float64) -> Values:
    """Put each feature's mean in the place of what is missing."""
    if x_NF.dtype.kind != "f" or not (missing_NF := np.isnan(x_NF)).any():
        return x_NF
    return np.where(missing_NF, fill_F, x_NF)


def _mean_and_std(x_NF: Values, largest: float) -> tuple[Float64, Float64]:
    """Return mean and (population) standard deviation of each feature of x / largest."""
    moments = _moments_of_bytes if x_NF.dtype == np.uint8 else _moments_of_floats
    return moments(x_NF, largest)


def _of_all_features(mean_F: Float64, std_F: Float64) -> tuple[Float64, Float64]:
    """Return the moments of all values together, once for each feature, from those of each feature."""
    variance = (std_F**2).mean() + mean_F.var()
    return np.full_like(mean_F, mean_F.mean()), np.full_like(std_F, np.sqrt(variance))


def _moments_of_bytes(x_NF: Values, largest: float) -> tuple[Float64, Float64]:
    """Sum integers, which is exact.

    So n * sum(x^2) - sum(x)^2 loses nothing to cancellation: each term is at most 6e4^2 * 255^2 = 2.3e14 < 2^53.
    """
    num_samples = len(x_NF)
    total_F = x_NF.sum(axis=0, dtype=np.int64)
    squares_F = np.einsum("nf,nf->f", x_NF, x_NF, dtype=np.int64)  # without a copy of the whole
    mean_F = total_F / (num_samples * largest)
    return mean_F, np.sqrt(num_samples * squares_F - total_F**2) / (num_samples * largest)


def _moments_of_floats(x_NF: Values, largest: float) -> tuple[Float64, Float64]:
    """Take two passes in float64: the mean, then the mean square of the distances from it.

    The mean is counted from the first sample, so that of a constant feature is that feature's value exactly.
    """
    chunks = [x_NF[start : start + CHUNK_ROWS] for start in range(0, len(x_NF), CHUNK_ROWS)]
    first_F = x_NF[0].astype(np.float64)
    mean_F = first_F + sum((chunk - first_F).sum(axis=0) for chunk in chunks) / len(x_NF)
    variance_F = sum(((chunk - mean_F) ** 2).sum(axis=0) for chunk in chunks) / len(x_NF)
    return mean_F / largest, np.sqrt(variance_F) / largest


def _standardize(x_NF: Values, largest: float, mean_F: Float64, std_F: Float64) -> Tensor:
    """Compute (x / largest - mean) / std in float64, a chunk at a time, and store it in float32."""
    out_NF = torch.empty(x_NF.shape, dtype=torch.float32)
    view_NF = out_NF.numpy()
    for start in range(0, len(x_NF), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        chunk = x_NF[rows].astype(np.float64) / largest
        chunk -= mean_F
        chunk /= std_F
        view_NF[rows] = chunk
    return out_NF
