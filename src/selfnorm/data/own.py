"""A user's own file: its declaration goes in; its digest, its three splits and its classes come out.

Anything that cannot be trained on raises BadFile, in one line that begins with the key at fault. Nothing is unpickled.
Imports no torch, because a mistake is answered before torch is loaded.

Legend: N samples, F features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from selfnorm.data.arrays import read_arrays
from selfnorm.data.datasets import SPLITS, OwnFile
from selfnorm.data.faults import BadFile, check_memory, listed
from selfnorm.data.tables import read_table

Labelled = tuple[NDArray[Any], NDArray[Any]]  # features (N, F), labels (N,)


@dataclass(frozen=True)
class OwnData:
    """splits: features, in which NaN is missing, and labels from 0, by name; largest: see datasets.Dataset."""

    digest: str
    splits: Mapping[str, tuple[NDArray[Any], NDArray[np.int64]]]
    classes: tuple[str, ...]  # in the order of the labels
    largest: float


def read_file(file: OwnFile) -> OwnData:
    """Read and check a user's file; raises BadFile. The last one is kept, for as long as it is not written to."""
    path = Path(file.path)
    try:
        if not path.is_file():
            raise BadFile(f"dataset.path={file.path}: {'is not a file' if path.exists() else 'no such file'}")
        return _read(file, _stamp(path))
    except OSError as error:
        raise BadFile(f"dataset.path={file.path}: cannot be read ({error.strerror or error})") from None


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


@lru_cache(maxsize=1)
def _read(file: OwnFile, stamp: tuple[int, int, int]) -> OwnData:
    path = Path(file.path)
    check_memory(f"dataset.path={file.path}", stamp[0], copies=4 if file.kind == "table" else 1)
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    if file.digest not in (None, digest):
        raise BadFile(
            f"dataset.path={file.path}: was changed: its SHA-256 is {digest[:12]}... and not {file.digest[:12]}..."
        )
    labelled = read_table(file) if file.kind == "table" else read_arrays(file)
    if _stamp(path) != stamp:
        raise BadFile(f"dataset.path={file.path}: changed while it was read; try again when it is complete")
    whole = _cut(file, labelled)
    if empty := [name for name, (_, y_N) in whole.items() if not len(y_N)]:
        raise BadFile(f"dataset.path={file.path}: the split {listed(empty)} is empty")
    x_NF, taught_N = whole["train"]
    classes, counts = np.unique(np.concatenate([y_N for _, y_N in whole.values()]), return_counts=True)
    if len(classes) < 2:
        raise BadFile(f"the target is {classes[0]} in every sample; classification needs two values or more")
    if len(untaught := np.setdiff1d(classes, taught_N)):
        many = len(classes) > max(20, sum(counts) // 10)
        hint = "; is it a number? This pipeline classifies" if many else ""
        raise BadFile(f"no training sample has the class {listed(untaught)}{hint}")
    splits = {name: (x_NF, np.searchsorted(classes, y_N).astype(np.int64)) for name, (x_NF, y_N) in whole.items()}
    largest = 255.0 if x_NF.dtype == np.uint8 else 1.0  # bytes are pixels, as those of MNIST
    return OwnData(digest, splits, tuple(map(str, classes)), largest)


def _cut(file: OwnFile, splits: dict[str, Labelled]) -> dict[str, Labelled]:
    """Cut the splits that the file does not have from its training samples, by shares, in a drawn order."""
    x_NF, y_N = splits["train"]
    num_samples = len(y_N)
    missing = {name: getattr(file, name) for name in SPLITS if name not in splits}
    if not missing:
        return splits
    order_N = np.random.Generator(np.random.PCG64(file.split_seed)).permutation(num_samples)
    stop, cut = num_samples, {}
    for name, share in missing.items():
        start = stop - round(share * num_samples)
        if start == stop:
            raise BadFile(f"dataset.shares.{name}={share:g} of {num_samples} samples is none; use a larger share")
        cut[name] = order_N[start:stop]
        stop = start
    cut["train"] = order_N[:stop]
    return splits | {name: (x_NF[chosen_N], y_N[chosen_N]) for name, chosen_N in cut.items()}
