"""Splits: the protocol's samples in its order, standardized by the training samples in use alone."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from data.stand_ins import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, Contents, fingerprint, put
from sklearn.preprocessing import StandardScaler

from selfnorm.data import splits
from selfnorm.data.cache import READERS, Part, Raw
from selfnorm.data.datasets import CIFAR_RECORD_BYTES, DIGITS, Dataset
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
    train_NF = values(idx_contents[TRAIN_IMAGES], 16).reshape(60_000, 4) / 255
    test_NF = values(idx_contents[TEST_IMAGES], 16).reshape(10_000, 4) / 255
    labels_N = values(idx_contents[TRAIN_LABELS], 8)
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
    assert loaded.test.y_N.tolist() == values(idx_contents[TEST_LABELS], 8).tolist()
    assert loaded.test.y_N.dtype == torch.int64


def test_constant_feature_is_centred_and_keeps_its_scale(tmp_path: Path, idx_contents: Contents) -> None:
    put(tmp_path / "mnist", idx_contents)
    loaded = load_splits("mnist", data_dir=tmp_path)
    assert loaded.std_F[1] == 1
    assert (loaded.train.x_NF[:, 1] == 0).all()
    test_N = values(idx_contents[TEST_IMAGES], 16).reshape(10_000, 4)[:, 1] / 255
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
    with pytest.raises(ValueError, match=rf"train_limit={train_limit} must be from 1 to 1280"):
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


# SHA-256 of all tensors of the splits. Published results rest on these bits: on exact sums and correctly rounded
# operations, so they are the same on every machine.
BITS = {
    ("digits", None): "baaa42c3688c9b361168895f08a51deb4315fa9cb43117ac593f1244687355e1",
    ("digits", 1000): "7d292049441eb518e34bf771f72e29a12e4199c0478c4cf57b18ecd4269921b3",
    ("mnist", None): "6fd903ebf23ac471a943b0b414dd01bd53c9724e0647042e24c4314dd068d291",
    ("mnist", 11): "f9cb85e53e04b627903412cdf7390fe8ea95be3fcedc24f4f10b28e88499fa34",
    ("cifar10", None): "d98dd5abb89db76a68a7b30adb69e4b5526af0c8dff2b0fa426139d345bd9788",
    ("cifar10", 11): "3000581c5e44e66025eb0919e4d612637cbb1ecbc5910b4b4718984ec2694087",
}


@pytest.mark.parametrize(("name", "train_limit"), BITS)
def test_bytes_are_standardized_to_the_same_bits_as_ever(
    name: str, train_limit: int | None, tmp_path: Path, idx_contents: Contents, cifar_contents: Contents
) -> None:
    put(tmp_path / "mnist", idx_contents)
    put(tmp_path / "cifar10", cifar_contents)
    assert fingerprint(load_splits(name, data_dir=tmp_path, train_limit=train_limit)) == BITS[name, train_limit]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, np.ndarray]:
    """A declaration of 600 float64 samples in three classes, and its samples: large means, one feature constant."""
    rng = np.random.default_rng(5)
    x_NF = rng.normal(size=(600, 4)) * [1, 1e-3, 1e6, 0] + [1e4, 1, -3e6, 0.1]
    y_N = rng.integers(0, 3, size=600)

    def read(dataset: Dataset, folder: Path, part: Part, rows: range) -> Raw:
        start = rows.start + (500 if part == "test" else 0)
        return x_NF[start : start + len(rows)], y_N[start : start + len(rows)]

    monkeypatch.setitem(READERS, "floats", read)
    sizes = {"num_inputs": 4, "num_classes": 3, "num_train": 400, "num_validation": 100, "num_test": 100}
    return replace(DIGITS, name="measured", format="floats", largest=1, **sizes), x_NF


def test_float_features_and_any_number_of_classes_are_loaded_by_their_declaration(
    tmp_path: Path, measured: tuple[Dataset, np.ndarray]
) -> None:
    dataset, x_NF = measured
    loaded = load_splits(dataset, data_dir=tmp_path)
    exact_NF = x_NF[:400].astype(np.longdouble)
    mean_F, std_F = exact_NF.mean(axis=0), exact_NF.std(axis=0)
    std_F[3] = 1  # the constant feature
    # two passes in float64: a few 1e-16, whatever the mean is in standard deviations (here up to 1e4)
    np.testing.assert_allclose(loaded.mean_F.numpy(), mean_F.astype(float), rtol=1e-14)
    np.testing.assert_allclose(loaded.std_F.numpy(), std_F.astype(float), rtol=1e-13)
    assert loaded.mean_F[3] == x_NF[0, 3]
    assert (loaded.train.x_NF[:, 3] == 0).all()
    expected = (x_NF[500:].astype(float) - mean_F.astype(float)) / std_F.astype(float)
    np.testing.assert_allclose(loaded.test.x_NF.numpy(), expected, rtol=1e-6, atol=1e-6)  # float32
    assert (loaded.num_features, loaded.num_classes, len(loaded.test.y_N)) == (4, 3, 100)


def test_bytes_and_the_same_values_as_floats_are_standardized_alike() -> None:
    x_NF = np.random.default_rng(6).integers(0, 256, size=(1000, 50), dtype=np.uint8)
    x_NF[:, 7] = 200
    of_bytes = splits._mean_and_std(x_NF, 255)
    of_floats = splits._mean_and_std(x_NF.astype(np.float32), 255)
    np.testing.assert_allclose(of_floats, of_bytes, rtol=1e-13)
