"""Declarations: they agree with what is read, with the configuration and with conf/, and nothing heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from data.stand_ins import Contents, put

from selfnorm.config import groups
from selfnorm.data.cache import READERS
from selfnorm.data.datasets import CIFAR10, CIFAR_RECORD_BYTES, DATASETS, Dataset
from selfnorm.data.splits import Splits, load_splits

CONF = Path(__file__).parents[2] / "conf"
each_dataset = pytest.mark.parametrize("dataset", DATASETS.values(), ids=list(DATASETS))


def check_sizes(loaded: Splits, dataset: Dataset) -> None:
    """The sizes of what was read are the declared ones, and every class occurs."""
    lengths = [len(split.y_N) for split in (loaded.train, loaded.validation, loaded.test)]
    assert lengths == [dataset.num_train, dataset.num_validation, dataset.num_test]
    assert [split.x_NF.shape[1] for split in (loaded.train, loaded.validation, loaded.test)] == 3 * [dataset.num_inputs]
    assert (loaded.name, loaded.num_features, loaded.num_classes) == (
        dataset.name, dataset.num_inputs, dataset.num_classes,
    )  # fmt: skip


def test_digits_have_the_declared_sizes_and_classes(tmp_path: Path) -> None:
    loaded = load_splits("digits", data_dir=tmp_path)
    check_sizes(loaded, DATASETS["digits"])
    assert sorted(loaded.train.y_N.unique().tolist()) == list(range(DATASETS["digits"].num_classes))


def test_digits_largest_value_is_the_declared_one(tmp_path: Path) -> None:
    loaded = load_splits("digits", data_dir=tmp_path)
    restored = loaded.train.x_NF.double() * loaded.std_F + loaded.mean_F
    assert restored.max().item() == pytest.approx(1, abs=1e-6)  # float32 rounds
    assert restored.min().item() == pytest.approx(0, abs=1e-6)


def test_idx_stand_ins_have_the_declared_sizes(tmp_path: Path, idx_contents: Contents) -> None:
    put(tmp_path / "mnist", idx_contents)  # 70 000 images, as many as the real ones
    check_sizes(load_splits("mnist", data_dir=tmp_path), DATASETS["mnist"])


def test_cifar_stand_ins_have_the_declared_sizes(tmp_path: Path, cifar_contents: Contents) -> None:
    put(tmp_path / "cifar10", cifar_contents)
    check_sizes(load_splits("cifar10", data_dir=tmp_path), DATASETS["cifar10"])


@each_dataset
def test_file_sizes_follow_from_the_declared_sizes(dataset: Dataset) -> None:
    num_training, inputs = dataset.num_train + dataset.num_validation, dataset.num_inputs
    sizes = [file.size for file in dataset.files]
    if dataset.format == "idx":
        expected = [16 + num_training * inputs, 8 + num_training, 16 + dataset.num_test * inputs, 8 + dataset.num_test]
        assert sizes == expected
    elif dataset.format == "cifar":
        assert 1 + CIFAR10.num_inputs == CIFAR_RECORD_BYTES
        assert sum(sizes[:-1]) == num_training * CIFAR_RECORD_BYTES
        assert sizes[-1] == dataset.num_test * CIFAR_RECORD_BYTES
    else:
        assert sizes == []  # nothing to fetch


@each_dataset
def test_every_declaration_has_a_reader_and_a_way_to_its_files(dataset: Dataset) -> None:
    assert dataset.format in READERS
    assert bool(dataset.files) == bool(dataset.mirrors) == bool(dataset.package)
    assert all(url.startswith("https://") and url.endswith("/") for url in dataset.mirrors)
    assert len({file.name for file in dataset.files}) == len({file.sha256 for file in dataset.files})


def test_the_configurations_choices_are_exactly_the_declared_data_sets() -> None:
    assert get_args(groups.Dataset.model_fields["name"].annotation) == tuple(DATASETS)
    assert {path.stem for path in (CONF / "dataset").glob("*.yaml")} == {*DATASETS, "table", "arrays"}


def test_declarations_are_known_without_torch_or_the_network_libraries() -> None:
    code = (
        "import sys; from selfnorm.data.datasets import DATASETS; print(*DATASETS);"
        "heavy = {'torch', 'numpy', 'requests', 'sklearn', 'PIL', 'pandas'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["mnist", "cifar10", "fashion_mnist", "digits"]
