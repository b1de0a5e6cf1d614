"""In-memory splits: a name goes in; float32 features, standardized by the training samples, come out.

Legend of shape suffixes: N samples of a split, F features of one sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from selfnorm.data import catalogue, readers
from selfnorm.data.cache import ensure
from selfnorm.data.catalogue import CorruptFile, DataUnavailable

__all__ = ["CorruptFile", "DataUnavailable", "Split", "Splits", "load_splits"]

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]
Raw = tuple[UInt8, Int64]  # features (N, F) and labels (N,) as read

IDX_NUM_TRAIN = 50_000  # Authors' code: the first 50 000 of the 60 000; the last 10 000 validate
DIGITS_NUM_TRAIN, DIGITS_NUM_VALIDATION = 1280, 257  # 10 batches of 128; the other 260 of the 1797 test
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

    mean_F and std_F: float64, of the training samples in use, features scaled to [0, 1].
    std_F is what the features were divided by: 1 where a feature is constant over those samples.
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
        """The splits with their samples on `device`; the statistics stay where they are."""
        moved = {part: getattr(self, part).to(device) for part in ("train", "validation", "test")}
        return replace(self, **moved)


def load_splits(name: str, *, data_dir: Path, train_limit: int | None = None) -> Splits:
    """Fetches `name` when needed; standardizes it by its first `train_limit` training samples (None: all).

    Raises ValueError for an unknown name or a `train_limit` outside 1 to the size of the training split (a
    larger one is refused, not cut: a configuration must not promise more samples than were used),
    DataUnavailable if no source supplies the files.
    """
    if name not in catalogue.DATASETS:
        raise ValueError(f"data set {name!r} is unknown; choose from {', '.join(catalogue.DATASETS)}")
    if train_limit is not None and train_limit < 1:  # known to be wrong before anything is fetched
        raise ValueError(f"train_limit={train_limit} must be at least 1")
    folder = ensure(name, Path(data_dir))
    read = {"digits": _read_digits, "cifar10": _read_cifar}.get(name, _read_idx)
    largest = 16 if name == "digits" else 255

    x_NF, y_N = read(folder, "train", train_limit)
    if train_limit is not None and train_limit > len(y_N):
        raise ValueError(f"train_limit={train_limit} must be from 1 to {len(y_N)}, the training samples of {name}")
    mean_F, std_F = _mean_and_std(x_NF, largest)

    def standardized(features_NF: UInt8, labels_N: Int64) -> Split:
        return Split(_standardize(features_NF, largest, mean_F, std_F), torch.from_numpy(labels_N.copy()))

    return Splits(
        name=name,
        train=standardized(x_NF, y_N),
        validation=standardized(*read(folder, "validation", None)),
        test=standardized(*read(folder, "test", None)),
        num_classes=catalogue.NUM_CLASSES,
        mean_F=torch.from_numpy(mean_F),
        std_F=torch.from_numpy(std_F),
    )


# Each reads the first `limit` samples of a split (None: all), and of the files little more than those.
def _read_idx(folder: Path, split: str, limit: int | None) -> Raw:
    test = split == "test"
    start, end = {"train": (0, IDX_NUM_TRAIN), "validation": (IDX_NUM_TRAIN, None), "test": (0, None)}[split]
    samples = slice(start, end if limit is None or end is None else min(end, limit))
    features = readers.read_idx_images(folder / (catalogue.TEST_IMAGES if test else catalogue.TRAIN_IMAGES), samples)
    labels = readers.read_idx_labels(folder / (catalogue.TEST_LABELS if test else catalogue.TRAIN_LABELS), samples)
    return features, labels


def _read_cifar(folder: Path, split: str, limit: int | None) -> Raw:
    # Authors' code: batches 1 to 4 train, batch 5 validates
    names = {
        "train": catalogue.CIFAR_TRAIN_BATCHES[:4],
        "validation": catalogue.CIFAR_TRAIN_BATCHES[4:],
        "test": (catalogue.CIFAR_TEST_BATCH,),
    }[split]
    features: list[UInt8] = []
    labels: list[Int64] = []
    for name in names:
        wanted = None if limit is None else limit - sum(map(len, labels))
        if wanted is None or wanted > 0:
            x_NF, y_N = readers.read_cifar_batch(folder / name)
            features.append(x_NF[:wanted])
            labels.append(y_N[:wanted])
    return np.concatenate(features), np.concatenate(labels)


def _read_digits(folder: Path, split: str, limit: int | None) -> Raw:
    """No official split exists, so one fixed permutation of the 1797 samples, seed 0, is cut in three."""
    features, labels = readers.read_digits()
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(labels))
    end = DIGITS_NUM_TRAIN + DIGITS_NUM_VALIDATION
    part = {
        "train": order[:DIGITS_NUM_TRAIN],
        "validation": order[DIGITS_NUM_TRAIN:end],
        "test": order[end:],
    }[split][:limit]
    return features[part], labels[part]


def _mean_and_std(x_NF: UInt8, largest: int) -> tuple[Float64, Float64]:
    """Mean and (population) standard deviation per feature of x / largest; 1 where a feature is constant.

    Sums of integers are exact, so n * sum(x^2) - sum(x)^2 loses nothing to cancellation here (each at most
    6e4^2 * 255^2 = 2.3e14 < 2^53) and the result does not depend on the chunks.
    """
    num_samples, num_features = x_NF.shape
    total_F = np.zeros(num_features, dtype=np.int64)
    squares_F = np.zeros(num_features, dtype=np.int64)
    for start in range(0, num_samples, CHUNK_ROWS):
        chunk = x_NF[start : start + CHUNK_ROWS].astype(np.uint32)  # 256 * 255^2 < 2^32
        total_F += chunk.sum(axis=0, dtype=np.uint32)
        squares_F += np.einsum("nf,nf->f", chunk, chunk)
    mean_F = total_F / (num_samples * largest)
    std_F = np.sqrt(num_samples * squares_F - total_F**2) / (num_samples * largest)
    std_F[std_F == 0] = 1.0  # a constant feature is centred and keeps its scale
    return mean_F, std_F


def _standardize(x_NF: UInt8, largest: int, mean_F: Float64, std_F: Float64) -> Tensor:
    """(x / largest - mean) / std, computed in float64 a chunk at a time, stored in float32."""
    out_NF = torch.empty(x_NF.shape, dtype=torch.float32)
    view_NF = out_NF.numpy()
    for start in range(0, len(x_NF), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        chunk = x_NF[rows] / largest
        chunk -= mean_F
        chunk /= std_F
        view_NF[rows] = chunk
    return out_NF
