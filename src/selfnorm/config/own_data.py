"""A user's own data in a configuration: how the file is read, and what was found in it.

A run writes down the digest and the contents, so that its configuration can be read where the file is not. Where they
are missing the file is read to find them, before torch is imported.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from selfnorm.commandline import missing_extra
from selfnorm.config.values import Count, Finite, Group, Seed
from selfnorm.data import datasets

ELSEWHERE = ("path", "contents")  # where the file is, and what follows from its digest: no part of a run's identity
Column = Annotated[str, Field(min_length=1)] | Annotated[int, Field(ge=0, le=10**9)]
Standardize = Literal["feature", "global"]
Share = Annotated[Finite, Field(gt=0, lt=1)]


class Shares(Group):
    """Parts of the samples that validate and test where the file has no such splits; the rest trains."""

    validation: Share
    test: Share

    @model_validator(mode="after")
    def _some_train(self) -> Shares:
        if self.validation + self.test >= 1:
            raise ValueError(f"dataset.shares={self.validation:g} and {self.test:g} leave nothing to train on")
        return self


class Contents(Group):
    """The sizes found in a file, once it is read."""

    inputs: Count
    classes: Count
    train: Count
    validation: Count
    test: Count
    largest: Literal[1, 255]  # features are divided by it before they are standardized


class OwnData(Group):
    """Keys that a table and arrays share."""

    path: str | None
    shares: Shares
    split_seed: Seed
    train_limit: Count | None
    standardize: Standardize
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    contents: Contents | None

    @property
    def label(self) -> str:
        return dataset_label(self.model_dump())

    @property
    def declaration(self) -> datasets.Dataset:
        """The data set as the data room knows those that it brings along."""
        found = self.contents
        assert found is not None  # see _is_read
        return datasets.Dataset(
            name=self.label, title=self.label, format="own", own=self._file(), largest=found.largest,
            num_inputs=found.inputs, num_classes=found.classes,
            num_train=found.train, num_validation=found.validation, num_test=found.test,
        )  # fmt: skip

    def _file(self) -> datasets.OwnFile:
        raise NotImplementedError

    @model_validator(mode="after")
    def _is_read(self) -> OwnData:
        """Read the file to know its digest and its contents, unless a run has written them down."""
        if not self.path:
            raise ValueError(f"dataset.path is missing: dataset={self.name} dataset.path=FILE")  # type: ignore[attr-defined]
        if self.digest and self.contents:
            return self
        from selfnorm.data.faults import listed  # only where a file is read
        from selfnorm.data.own import read_file

        try:
            data = read_file(self._file())
        except ModuleNotFoundError as error:
            if problem := missing_extra(error):
                raise ValueError(f"dataset.path={self.path}: {problem}") from None
            raise
        x_NF, y_N = data.splits["train"]
        if len(untaught := np.setdiff1d(np.arange(len(data.classes)), y_N[: self.train_limit])):
            names = listed(data.classes[label] for label in untaught)
            raise ValueError(f"dataset.train_limit={self.train_limit}: the class {names} is in none of these samples")
        sizes = {name: len(labels_N) for name, (_, labels_N) in data.splits.items()}
        largest: Literal[1, 255] = 255 if data.largest == 255 else 1
        found = Contents(inputs=x_NF.shape[1], classes=len(data.classes), largest=largest, **sizes)
        return self.model_copy(update={"digest": data.digest, "contents": found})


class Table(OwnData):
    """A CSV, Parquet or Feather file whose column `target` holds the class."""

    name: Literal["table"]
    target: Column | None
    features: Annotated[list[Column], Field(min_length=1)] | None
    drop: list[Column]
    split: Column | None
    test_fold: Annotated[int, Field(ge=0, le=10**9)] | None

    def _file(self) -> datasets.OwnFile:
        if self.target is None:
            raise ValueError("dataset.target is missing: the column that holds the class")
        return datasets.OwnFile(
            kind="table", path=str(self.path), digest=self.digest, split_seed=self.split_seed,
            **self.shares.model_dump(), target=str(self.target),
            features=None if self.features is None else tuple(map(str, self.features)),
            drop=tuple(map(str, self.drop)), split=None if self.split is None else str(self.split),
            test_fold=self.test_fold,
        )  # fmt: skip


class Arrays(OwnData):
    """An .npz file with x_train and y_train and, if it has them, arrays of validation and test."""

    name: Literal["arrays"]

    def _file(self) -> datasets.OwnFile:
        return datasets.OwnFile(
            kind="arrays", path=str(self.path), digest=self.digest, split_seed=self.split_seed,
            **self.shares.model_dump(),
        )  # fmt: skip


def dataset_label(keys: Mapping[str, Any]) -> str:
    """The name of a run's data in folders and tables: of a user's own, the file's with a code of all that decides them.

    keys: the configuration's group `dataset`. The code tells files of one name apart, and columns chosen otherwise.
    """
    if "digest" not in keys:
        return str(keys["name"])
    others = {*ELSEWHERE, "train_limit", "standardize"} | ({"test_fold"} if keys.get("test_fold") is None else set())
    deciding = {key: value for key, value in keys.items() if key not in others}
    code = hashlib.sha256(json.dumps(deciding, sort_keys=True, default=str).encode()).hexdigest()[:6]
    stem = re.sub(r"[^A-Za-z0-9]+", "_", Path(str(keys.get("path"))).stem)[:40].strip("_")
    return f"{stem or keys['name']}-{code}"
