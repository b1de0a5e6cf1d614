"""A user's own table or arrays: the samples, classes and splits that they hold, or one line that says what is wrong."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from composed import ROOT, compose_job
from data.own_files import BAD_TABLES, X, Y, arrays, declared, fold, numbers, table
from data.stand_ins import TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, Contents, fingerprint, put
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from selfnorm.config import ConfigError, parse_job
from selfnorm.data import faults, own
from selfnorm.data.own import read_file
from selfnorm.data.splits import load_splits
from selfnorm.training.job import run_job


@pytest.mark.parametrize("words", BAD_TABLES)
def test_a_file_that_cannot_be_trained_on_is_one_line(words: str, tmp_path: Path) -> None:
    with pytest.raises(faults.BadFile) as caught:
        read_file(BAD_TABLES[words](tmp_path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_is_one_feature_for_each_value_that_training_rows_have(tmp_path: Path) -> None:
    rows = ["colour,fold,kind", "red,train,a", "blue,train,b", "green,validation,a", "red,test,b"]
    splits = read_file(table(tmp_path, rows, split="fold")).splits
    assert splits["train"][0].tolist() == [[0, 1], [1, 0]]  # blue, red
    assert splits["validation"][0].tolist() == [[0, 0]]
    assert splits["test"][0].tolist() == [[0, 1]]


@pytest.mark.parametrize(("test_fold", "tests", "validates"), [(None, 4, 3), (2, 2, 1), (0, 0, 4)])
def test_of_numbered_folds_one_tests_and_the_one_before_it_validates(
    tmp_path: Path, test_fold: int | None, tests: int, validates: int
) -> None:
    rows = ["size,fold,kind", *(f"{i},{i % 5},{'ab'[i // 5 % 2]}" for i in range(50))]
    splits = read_file(table(tmp_path, rows, split="fold", test_fold=test_fold)).splits
    sizes = {name: set(x_NF[:, 0].astype(int) % 5) for name, (x_NF, _) in splits.items()}
    assert sizes == {"test": {tests}, "validation": {validates}, "train": set(range(5)) - {tests, validates}}
    assert sum(len(y_N) for _, y_N in splits.values()) == 50


def test_each_fold_is_a_run_of_its_own_and_no_fold_the_run_of_before(tmp_path: Path) -> None:
    rows = ["size,fold,kind", *(f"{i},{i % 5},{'ab'[i // 5 % 2]}" for i in range(50))]
    table(tmp_path, rows)
    of = ("dataset=table", f"dataset.path={tmp_path}/own.csv", "dataset.target=kind", "dataset.split=fold",
          "training.batch_size=10")  # fmt: skip
    jobs = [compose_job(*of, f"dataset.test_fold={fold}") for fold in ("null", 0, 1)]
    assert len({job.folder for job in jobs}) == 3
    assert "test_fold" not in jobs[0].identity["dataset"]


def test_missing_values_are_the_training_mean_with_an_indicator_as_of_scikit_learn(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x_NF = rng.normal(size=(60, 3))
    x_NF[rng.random((60, 3)) < 0.2] = np.nan
    x_NF[:, 2] = np.where(np.isnan(x_NF[:, 2]), 0, x_NF[:, 2])  # nothing is missing here
    split_N = np.array(["train", "train", "train", "validation", "test"] * 12)
    pd.DataFrame(x_NF, columns=list("uvw")).assign(fold=split_N, kind=np.arange(60) % 2).to_csv(tmp_path / "own.csv")
    job = compose_job("dataset=table", f"dataset.path={tmp_path}/own.csv", "dataset.target=kind", "dataset.split=fold",
                      "dataset.features=[u,v,w]", "dataset.train_limit=30", "training.batch_size=8")  # fmt: skip
    loaded = load_splits(job.dataset.declaration, data_dir=tmp_path, train_limit=job.dataset.train_limit)
    imputer, scaler = SimpleImputer(add_indicator=True), StandardScaler()
    scaler.fit(imputer.fit_transform(x_NF[split_N == "train"][:30]))
    expected = scaler.transform(imputer.transform(x_NF[split_N == "test"]))[:, [0, 3, 1, 4, 2]]  # beside its column
    np.testing.assert_allclose(loaded.test.x_NF.numpy(), expected, rtol=1e-6, atol=1e-6)
    assert job.dataset.declaration.num_inputs == 5


def test_shares_cut_splits_that_are_disjoint_and_complete_and_follow_the_seed(tmp_path: Path) -> None:
    x_N1 = np.arange(40.0)[:, None]
    file = arrays(tmp_path, x_train=x_N1, y_train=Y)
    first, again, other = (read_file(f) for f in (file, file, declared(Path(file.path), "arrays", split_seed=1)))
    parts = [first.splits[name][0][:, 0].tolist() for name in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [24, 8, 8]
    assert sorted([*parts[0], *parts[1], *parts[2]]) == x_N1[:, 0].tolist()
    assert again.splits["test"][0][:, 0].tolist() == parts[2] != other.splits["test"][0][:, 0].tolist()


def test_splits_of_the_file_stay_in_its_order_and_only_the_missing_one_is_cut(tmp_path: Path) -> None:
    splits = read_file(arrays(tmp_path, x_train=X, y_train=Y, x_test=X + 100, y_test=Y)).splits
    assert splits["test"][0].tolist() == (X + 100).tolist()
    assert (len(splits["train"][1]), len(splits["validation"][1])) == (32, 8)
    whole = read_file(fold("train", "train", "validation", "test")(tmp_path)).splits
    assert whole["train"][0][:5, 0].tolist() == [0, 1, 4, 5, 8]


def test_labels_of_any_kind_are_classes_in_sorted_order(tmp_path: Path) -> None:
    data = read_file(arrays(tmp_path, x_train=X, y_train=np.array([30, -2])[Y]))
    assert data.classes == ("-2", "30")
    named = read_file(table(tmp_path, numbers()))
    assert named.classes == ("a", "b")
    x_NF, y_N = named.splits["train"]
    assert (x_NF[:, 0] * 4 % 2 == y_N).all()  # each row has kept its label


@pytest.mark.parametrize(("separator", "name"), [(";", "own.csv"), ("\t", "own.tsv")])
def test_other_separators_are_read_from_the_header(separator: str, name: str, tmp_path: Path) -> None:
    rows = [row.replace(",", separator) for row in numbers()]
    assert read_file(table(tmp_path, rows, name=name)).splits["train"][0].shape == (24, 4)


def test_a_parquet_file_without_pyarrow_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> None:
        raise ImportError("Missing optional dependency 'pyarrow'")

    monkeypatch.setattr(pd, "read_parquet", missing)
    (tmp_path / "own.parquet").touch()
    with pytest.raises(
        faults.BadFile, match=r"own\.parquet: \.parquet needs pyarrow: pip install 'selfnorm\[tables\]'"
    ):
        read_file(declared(tmp_path / "own.parquet", "table", target="kind"))


@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_parquet_and_feather_are_the_table_that_was_written(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.read_csv(table(tmp_path, numbers()).path)
    getattr(frame, f"to_{kind}")(tmp_path / f"own.{kind}")
    of_text, of_columns = (
        read_file(declared(tmp_path / f"own.{suffix}", "table", target="kind")).splits for suffix in ("csv", kind)
    )
    assert of_columns["train"][0].tolist() == of_text["train"][0].tolist()
    (tmp_path / f"own.{kind}").write_bytes(b"PAR1 but not whole")
    with pytest.raises(faults.BadFile, match=rf"is not a \.{kind} table"):
        read_file(declared(tmp_path / f"own.{kind}", "table", target="kind"))


def test_a_file_beyond_the_memory_is_refused_with_its_size(tmp_path: Path) -> None:
    with (tmp_path / "own.csv").open("wb") as file:
        file.truncate(2**42)  # takes no room on the disk
    with pytest.raises(faults.BadFile, match=r"has 4,096\.0 GiB and needs about 16,384\.0 GiB of memory"):
        read_file(declared(tmp_path / "own.csv", "table", target="kind"))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, read = table(tmp_path, numbers()), own.read_table

    def slowly(file: own.OwnFile) -> object:
        result = read(file)
        with Path(file.path).open("a") as more:
            more.write("1,red,a\n")
        return result

    monkeypatch.setattr(own, "read_table", slowly)
    with pytest.raises(faults.BadFile, match="changed while it was read"):
        read_file(file)


OWN = ("dataset=table", "dataset.target=kind", "scale=smoke", "training.batch_size=8", "progress=false")


def test_changed_data_are_another_run_and_a_moved_file_is_the_same_one(tmp_path: Path) -> None:
    table(tmp_path, numbers())
    first = compose_job(*OWN, f"dataset.path={tmp_path}/own.csv")
    (tmp_path / "moved").mkdir()
    os.replace(tmp_path / "own.csv", tmp_path / "moved/own.csv")
    assert compose_job(*OWN, f"dataset.path={tmp_path}/moved/own.csv").folder == first.folder
    table(tmp_path, [*numbers(), "1,red,a"])
    changed = compose_job(*OWN, f"dataset.path={tmp_path}/own.csv")
    assert changed.folder != first.folder
    assert changed.dataset.label != first.dataset.label  # no report takes the two for one data set
    with pytest.raises(faults.BadFile, match="was changed: its SHA-256 is"):
        load_splits(first.dataset.declaration, data_dir=tmp_path)


def test_a_saved_configuration_is_read_without_the_file(tmp_path: Path) -> None:
    table(tmp_path, numbers())
    job = compose_job(*OWN, f"dataset.path={tmp_path}/own.csv")
    (tmp_path / "own.csv").unlink()
    assert parse_job(job.model_dump(by_alias=True)) == job


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((), "dataset.path is missing: dataset=table dataset.path=FILE"),
        (("dataset.path=nowhere.csv",), "dataset.path=nowhere.csv: no such file"),
        (("dataset.path=PATH", "dataset.target=null"), "dataset.target is missing: the column that holds the class"),
        (("dataset.path=PATH", "dataset.train_limit=1"), "dataset.train_limit=1: the class "),
        (("dataset.path=PATH", "dataset.train_limit=100"), "dataset.train_limit=100: own-"),
        (("dataset.path=PATH", "training.batch_size=64"), "training.batch_size=64: must be 1 to 28 here"),
        (("dataset.path=PATH", "dataset.shares.test=0.9"), "dataset.shares=0.15 and 0.9 leave nothing to train on"),
        (("dataset.path=PATH", "dataset.shares.test=0"), "dataset.shares.test=0: input should be greater than 0"),
        (("dataset.path=PATH", "dataset.split_seed=-1"), "dataset.split_seed=-1: input should be greater"),
        (("dataset.path=PATH", "dataset.features=[]"), "dataset.features=[]: list should have at least 1 item"),
        (("dataset.path=PATH", "dataset.digest=abc"), "dataset.digest='abc': string should match pattern"),
        (("dataset.path=PATH", f"dataset.digest={'0' * 64}"), "was changed: its SHA-256 is"),
        (("dataset.path=PATH", "+dataset.fold=a"), "unknown key dataset.fold; legal here: path, shares"),
    ],
)
def test_a_mistake_about_a_file_is_one_line(overrides: tuple[str, ...], message: str, tmp_path: Path) -> None:
    table(tmp_path, numbers())
    named = [text.replace("PATH", f"{tmp_path}/own.csv") for text in overrides]
    with pytest.raises(ConfigError) as caught:
        compose_job(*{text.split("=")[0]: text for text in (*OWN, *named)}.values())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_mnist_as_an_npz_file_is_mnist_bit_for_bit(tmp_path: Path, idx_contents: Contents) -> None:
    put(tmp_path / "mnist", idx_contents)
    images, labels = (
        np.concatenate([np.frombuffer(idx_contents[name], np.uint8)[header:] for name in names])
        for header, names in ((16, (TRAIN_IMAGES, TEST_IMAGES)), (8, (TRAIN_LABELS, TEST_LABELS)))
    )
    cuts = {"train": slice(50_000), "validation": slice(50_000, 60_000), "test": slice(60_000, None)}
    whole = {f"{key}_{name}": values[cut] for name, cut in cuts.items()
             for key, values in (("x", images.reshape(-1, 2, 2)), ("y", labels))}  # fmt: skip
    arrays(tmp_path, **whole)
    smoke = (f"data_dir={tmp_path}", f"runs_dir={tmp_path}/runs", "scale=smoke", "training.batch_size=128",
             "logger.mode=disabled", "progress=false", "model.depth=2", "model.width=8")  # fmt: skip
    known = compose_job("dataset=mnist", *smoke)
    own_job = compose_job("dataset=arrays", f"dataset.path={tmp_path}/own.npz", "dataset.train_limit=512", *smoke)
    prints = [fingerprint(load_splits(job.dataset.declaration, data_dir=tmp_path)) for job in (known, own_job)]
    assert prints[0] == prints[1]
    for job in (known, own_job):
        run_job(job)
    for name in ("curves.csv", "moments.csv", "network.safetensors"):
        assert (own_job.folder / name).read_bytes() == (known.folder / name).read_bytes()


DOCUMENT = (ROOT / "docs/your-own.md").read_text()


@pytest.mark.parametrize("line", re.findall(r"^    python train\.py (.*my\..*|activation=custom .*)$", DOCUMENT, re.M))
def test_a_documented_command_composes(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path, [row.replace("kind", "species") for row in numbers(150)], name="my.csv")
    np.savez(tmp_path / "my.npz", x_train=np.tile(X, (4, 1)), y_train=np.tile(Y, 4))
    assert compose_job(*shlex.split(line)).folder
