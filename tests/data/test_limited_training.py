"""`train_limit` across the batch files of CIFAR-10: samples, labels and standardization are of the first samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from data.stand_ins import Contents, put

from selfnorm.data.datasets import CIFAR10, CIFAR_RECORD_BYTES
from selfnorm.data.splits import load_splits


@pytest.mark.parametrize("limit", [1, 7, 16, 28])  # seven records a file, four files
def test_a_limit_takes_the_first_samples_with_their_labels(
    limit: int, tmp_path: Path, cifar_contents: Contents
) -> None:
    put(tmp_path / "cifar10", cifar_contents)
    splits = load_splits("cifar10", data_dir=tmp_path, train_limit=limit)
    training = b"".join(cifar_contents[file.name] for file in CIFAR10.files[:-1])
    records = np.frombuffer(training, dtype=np.uint8).reshape(-1, CIFAR_RECORD_BYTES)[:limit]
    assert splits.train.y_N.tolist() == records[:, 0].tolist() == [1 + i // 7 for i in range(limit)]
    assert splits.validation.y_N.tolist() == 7 * [5]
    assert splits.test.y_N.tolist() == 7 * [6]
    pixels = records[:, 1:] / 255
    np.testing.assert_allclose(splits.mean_F.numpy(), pixels.mean(axis=0), rtol=1e-12)
    scale = np.where(np.ptp(pixels, axis=0) > 0, pixels.std(axis=0), 1)
    np.testing.assert_allclose(splits.train.x_NF.numpy(), (pixels - pixels.mean(axis=0)) / scale, atol=1e-5)
