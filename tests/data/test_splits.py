"""Splits: the protocol's samples in its order, standardized by the training samples in use alone."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from stand_ins import Contents, put

from selfnorm.data import catalogue, splits
from selfnorm.data.catalogue import CIFAR_RECORD_BYTES
from selfnorm.data.splits import load_splits


def values(content: bytes, header_bytes: int) -> np.ndarray:
    return np.frombuffer(content, dtype=np.uint8)[header_bytes:]


@pytest.mark.parametrize("train_limit", [None, 1000])
def test_idx_splits_are_50000_10000_10000_and_match_scikit_learn(
    tmp_path: Path, idx_contents: Contents, train_limit: int | None
) -> None:
    put(tmp_path / "mnist", idx_contents)
    loaded = load_splits("mnist", data_dir=tmp_path, train_limit=train_limit)
    num_train = train_limit or 50_000
    train_NF = values(idx_contents[catalogue.TRAIN_IMAGES], 16).reshape(60_000, 4) / 255
    test_NF = values(idx_contents[catalogue.TEST_IMAGES], 16).reshape(10_000, 4) / 255
    labels_N = values(idx_contents[catalogue.TRAIN_LABELS], 8)
    scaler = StandardScaler().fit(train_NF[:num_train])
    for split, x_NF in (
        (loaded.train, train_NF[:num_train]),
        (loaded.validation, train_NF[50_000:]),
        (loaded.test, test_NF),
    ):
        expected = scaler.transform(x_NF)
        assert split.x_NF.dtype == torch.float32
        # float32 rounds values of up to 1.8 by at most 6e-8 of them
        np.testing.assert_allclose(split.x_NF.numpy(), expected, rtol=1e-6, atol=1e-6)
    assert loaded.train.y_N.tolist() == labels_N[:num_train].tolist()
    assert loaded.validation.y_N.tolist() == labels_N[50_000:].tolist()
    assert loaded.test.y_N.tolist() == values(idx_contents[catalogue.TEST_LABELS], 8).tolist()
    assert loaded.test.y_N.dtype == torch.int64
    assert (loaded.name, loaded.num_features, loaded.num_classes) == ("mnist", 4, 10)


def test_constant_feature_is_centred_and_keeps_its_scale(tmp_path: Path, idx_contents: Contents) -> None:
    put(tmp_path / "mnist", idx_contents)
    loaded = load_splits("mnist", data_dir=tmp_path)
    assert loaded.std_F[1] == 1
    assert (loaded.train.x_NF[:, 1] == 0).all()
    test_N = values(idx_contents[catalogue.TEST_IMAGES], 16).reshape(10_000, 4)[:, 1] / 255
    np.testing.assert_allclose(loaded.test.x_NF[:, 1].numpy(), test_N - 7 / 255, rtol=0, atol=1e-7)


def test_cifar_trains_on_batches_1_to_4_and_validates_on_5(tmp_path: Path, cifar_contents: Contents) -> None:
    put(tmp_path / "cifar10", cifar_contents)
    loaded = load_splits("cifar10", data_dir=tmp_path)
    assert loaded.train.y_N.tolist() == [batch for batch in (1, 2, 3, 4) for _ in range(7)]
    assert loaded.validation.y_N.tolist() == 7 * [5]
    assert loaded.test.y_N.tolist() == 7 * [6]
    records = values(cifar_contents["data_batch_5.bin"], 0).reshape(7, CIFAR_RECORD_BYTES)[:, 1:] / 255
    restored = loaded.validation.x_NF.double() * loaded.std_F + loaded.mean_F
    np.testing.assert_allclose(restored.numpy(), records, rtol=0, atol=1e-6)  # float32: 5 * 6e-8


def test_digits_splits_are_disjoint_and_complete(tmp_path: Path) -> None:
    loaded = load_splits("digits", data_dir=tmp_path)
    parts = [loaded.train, loaded.validation, loaded.test]
    assert [len(part.y_N) for part in parts] == [1280, 257, 260]
    restored = torch.cat([part.x_NF.double() * loaded.std_F + loaded.mean_F for part in parts]) * 16
    from sklearn.datasets import load_digits

    whole, labels = load_digits(return_X_y=True)
    rows = np.concatenate([restored.round().numpy(), torch.cat([p.y_N for p in parts]).numpy()[:, None]], axis=1)
    expected = np.concatenate([whole, labels[:, None]], axis=1)
    assert sorted(rows.tolist()) == sorted(expected.tolist())
    assert not list(tmp_path.iterdir())  # nothing is downloaded


def test_digits_splits_are_the_same_every_time(tmp_path: Path) -> None:
    # The first labels of each split, so that another numpy or scikit-learn cannot change them unnoticed.
    loaded = load_splits("digits", data_dir=tmp_path)
    assert loaded.train.y_N[:10].tolist() == [6, 6, 6, 2, 5, 6, 6, 2, 2, 1]


def test_training_features_have_mean_0_and_variance_1_or_are_constant(tmp_path: Path) -> None:
    loaded = load_splits("digits", data_dir=tmp_path, train_limit=500)
    x_NF = loaded.train.x_NF.double()
    constant_F = (x_NF == 0).all(dim=0)
    assert 0 < constant_F.sum() < 10
    # rounding to float32: 6e-8 relative of values of up to 22 = sqrt(500 - 1)
    assert x_NF.mean(dim=0).abs().max() < 1e-6
    variance_F = x_NF.var(dim=0, correction=0)
    assert (variance_F[~constant_F] - 1).abs().max() < 1e-6


def test_single_training_sample_leaves_every_feature_its_scale(tmp_path: Path) -> None:
    loaded = load_splits("digits", data_dir=tmp_path, train_limit=1)
    assert (loaded.std_F == 1).all()
    assert (loaded.train.x_NF == 0).all()
    assert loaded.test.x_NF.isfinite().all()


@pytest.mark.parametrize("train_limit", [0, -1, 1281])
def test_train_limit_outside_the_training_split_is_refused_with_the_range(tmp_path: Path, train_limit: int) -> None:
    with pytest.raises(ValueError, match=rf"train_limit={train_limit} must be (from 1 to 1280|at least 1)"):
        load_splits("digits", data_dir=tmp_path, train_limit=train_limit)


def test_unknown_data_set_is_refused_with_the_legal_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'imagenet' is unknown; choose from mnist, cifar10"):
        load_splits("imagenet", data_dir=tmp_path)


def test_splits_move_to_a_device_as_a_whole(tmp_path: Path) -> None:
    moved = load_splits("digits", data_dir=tmp_path).to(torch.device("meta"))
    for split in (moved.train, moved.validation, moved.test):
        assert split.x_NF.device.type == split.y_N.device.type == "meta"


def test_standardizing_makes_no_float64_copy_of_the_whole() -> None:
    x_NF = np.random.default_rng(4).integers(0, 256, size=(4000, 3072), dtype=np.uint8)
    tracemalloc.start()
    mean_F, std_F = splits._mean_and_std(x_NF, 255)
    splits._standardize(x_NF, 255, mean_F, std_F)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # A float64 chunk of 256 rows has 6 MB, the whole would have 98 MB; torch's own memory is not traced.
    assert peak < 25e6


def test_names_of_the_data_sets_are_known_without_torch_or_the_network_libraries() -> None:
    code = (
        "import sys; from selfnorm.data.sources import DATASETS; print(*DATASETS);"
        "heavy = {'torch', 'numpy', 'pooch', 'requests', 'sklearn', 'PIL'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["mnist", "cifar10", "fashion_mnist", "digits"]
