"""Readers: the rows that are asked for come out as they are written in the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data.stand_ins import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, Contents, idx_bytes, put

from selfnorm.data.cache import read_cifar, read_digits, read_idx
from selfnorm.data.datasets import CIFAR10, CIFAR_RECORD_BYTES, DATASETS, DIGITS, MNIST

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(6, 2, 5), dtype=np.uint8)
LABELS = np.array([0, 9, 4, 1, 1, 7], dtype=np.uint8)


@pytest.fixture
def idx_folder(tmp_path: Path) -> Path:
    """Files in MNIST's names: six images of 2 x 5 pixels, of which the last two are the test split."""
    contents = {
        TRAIN_IMAGES: idx_bytes(IMAGES[:4]),
        TRAIN_LABELS: idx_bytes(LABELS[:4]),
        TEST_IMAGES: idx_bytes(IMAGES[4:]),
        TEST_LABELS: idx_bytes(LABELS[4:]),
    }
    put(tmp_path, contents)
    return tmp_path


def test_idx_images_are_flattened_in_row_major_order(idx_folder: Path) -> None:
    features, labels = read_idx(MNIST, idx_folder, "train", range(4))
    assert features.shape == (4, 10)
    assert features[1, 7] == IMAGES[1, 1, 2]  # row 1, column 2 of 5
    assert features.tobytes() == IMAGES[:4].tobytes()
    assert features.dtype == np.uint8
    assert labels.tolist() == [0, 9, 4, 1]
    assert labels.dtype == np.int64


def test_idx_rows_and_test_samples_are_those_asked_for(idx_folder: Path) -> None:
    features, labels = read_idx(MNIST, idx_folder, "train", range(1, 3))
    assert (features.tobytes(), labels.tolist()) == (IMAGES[1:3].tobytes(), [9, 4])
    features, labels = read_idx(MNIST, idx_folder, "test", range(2))
    assert (features.tobytes(), labels.tolist()) == (IMAGES[4:].tobytes(), [1, 7])


@pytest.mark.parametrize("rows", [range(28), range(3), range(5, 16), range(28, 35), range(7, 14), range(34, 35)])
def test_cifar_rows_run_through_the_batch_files(tmp_path: Path, cifar_contents: Contents, rows: range) -> None:
    put(tmp_path, cifar_contents)
    training = b"".join(cifar_contents[file.name] for file in CIFAR10.files[:-1])
    records = np.frombuffer(training, dtype=np.uint8).reshape(35, CIFAR_RECORD_BYTES)[rows.start : rows.stop]
    features, labels = read_cifar(DATASETS["cifar10"], tmp_path, "train", rows)
    assert features.tolist() == records[:, 1:].tolist()
    assert labels.tolist() == records[:, 0].tolist()
    assert labels.dtype == np.int64


def test_cifar_test_samples_are_in_the_test_batch(tmp_path: Path, cifar_contents: Contents) -> None:
    put(tmp_path, {name: cifar_contents[name] for name in ("test_batch.bin",)})  # no other file is opened
    features, labels = read_cifar(DATASETS["cifar10"], tmp_path, "test", range(7))
    assert labels.tolist() == 7 * [6]
    assert features[2, 1024] == cifar_contents["test_batch.bin"][2 * CIFAR_RECORD_BYTES + 1 + 1024]  # first green value


def test_digits_are_64_integers_up_to_16(tmp_path: Path) -> None:
    features, labels = read_digits(DIGITS, tmp_path, "train", range(1280 + 257))
    assert features.shape == (1537, 64)
    assert (features.min(), features.max()) == (0, 16)
    assert np.bincount(labels).min() >= 140  # of 180 a class, about six sevenths
