"""The cache: `data_dir/<data set>/` holds canonical files, each checked by SHA-256 before it is read.

`ensure` gives a data set's folder with every file verified. A reader of READERS gives features (N, F), labels (N,) of
one of its two parts: "train" holds the training samples followed by the validation samples, "test" the others. It
returns the requested rows and reads little more of the files. Features keep their stored type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from selfnorm.data.datasets import CIFAR_RECORD_BYTES, Dataset

if TYPE_CHECKING:
    from selfnorm.data.sources import Source

Part = Literal["train", "test"]
Raw = tuple[NDArray[Any], NDArray[np.int64]]
Reader = Callable[[Dataset, Path, Part, range], Raw]
NO_DOWNLOAD = "or choose the data set that needs no download: dataset=digits"


class DataUnavailable(OSError):
    """No source could supply a data set; the message names each source, why it failed, and what to do."""


def ensure(dataset: Dataset, data_dir: Path, *, sources: Sequence[Source] | None = None) -> Path:
    """Return the data set's folder with every file in it verified; what is missing or damaged is fetched first.

    `sources` overrides the usual ones. Raises DataUnavailable if none of them supplies what is missing.
    """
    folder = data_dir / dataset.name
    try:
        if not any(file.problem(folder / file.name) for file in dataset.files):  # also in a cache that is read-only
            return folder
        from selfnorm.data.fetching import fetch_missing  # a run whose files are there needs no source

        failure = fetch_missing(dataset, folder, sources)
    except OSError as error:
        text = f"data set {dataset.name!r}: the data folder {folder} cannot be used ({error}); choose another one,"
        raise DataUnavailable(f"{text} {NO_DOWNLOAD}") from error
    if failure:
        raise DataUnavailable(f"{failure}\n{NO_DOWNLOAD}")
    return folder


def read_idx(dataset: Dataset, folder: Path, part: Part, rows: range) -> Raw:
    """Read images and labels from two IDX files; images are flattened row by row."""
    images, labels = dataset.files[:2] if part == "train" else dataset.files[2:]
    return _idx_values(folder / images.name, rows), _idx_values(folder / labels.name, rows)[:, 0].astype(np.int64)


def _idx_values(path: Path, rows: range) -> NDArray[np.uint8]:
    """Read rows of an IDX file: bytes 0, 0, type (8: byte), number of dimensions; big-endian 32-bit sizes; values."""
    with path.open("rb") as file:
        num_dimensions = file.read(4)[3]
        shape = np.frombuffer(file.read(4 * num_dimensions), dtype=">u4")
        width = math.prod(shape[1:].tolist())
        values = np.fromfile(file, dtype=np.uint8, count=len(rows) * width, offset=rows.start * width)
    return values.reshape(len(rows), width)


def read_cifar(dataset: Dataset, folder: Path, part: Part, rows: range) -> Raw:
    """Read CIFAR-10's binary files; a sample's features are its red, green and blue plane of 32 x 32 each."""
    records, first = [], 0  # the index of a file's first sample
    for file in dataset.files[:-1] if part == "train" else dataset.files[-1:]:
        num_samples = file.size // CIFAR_RECORD_BYTES
        wanted = range(max(rows.start - first, 0), min(rows.stop - first, num_samples))
        if wanted:
            count, offset = len(wanted) * CIFAR_RECORD_BYTES, wanted.start * CIFAR_RECORD_BYTES
            records.append(np.fromfile(folder / file.name, dtype=np.uint8, count=count, offset=offset))
        first += num_samples
    samples = np.concatenate(records).reshape(len(rows), CIFAR_RECORD_BYTES)
    return samples[:, 1:], samples[:, 0].astype(np.int64)


def read_digits(dataset: Dataset, folder: Path, part: Part, rows: range) -> Raw:
    """Read scikit-learn's handwritten digits of 8 x 8 pixels.

    They have no official split, so one fixed permutation, seed 0, is cut into the parts.
    """
    from sklearn.datasets import load_digits  # a second of imports that only this data set needs

    features, labels = load_digits(return_X_y=True)
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(labels))
    num_training = dataset.num_train + dataset.num_validation
    order = order[:num_training] if part == "train" else order[num_training:]
    chosen = order[rows.start : rows.stop]
    return features[chosen].astype(np.uint8), labels[chosen].astype(np.int64)


def read_own(dataset: Dataset, folder: Path, part: Part, rows: range) -> Raw:
    """Take the rows of a user's own file, whose missing values are NaN."""
    from selfnorm.data.own import read_file  # which no other data set needs

    assert dataset.own is not None  # its declaration says so
    splits = read_file(dataset.own).splits
    if part == "test" or rows.start < dataset.num_train:
        x_NF, y_N = splits[part]
        return x_NF[rows.start : rows.stop], y_N[rows.start : rows.stop]
    return splits["validation"]


READERS: dict[str, Reader] = {"idx": read_idx, "cifar": read_cifar, "digits": read_digits, "own": read_own}
