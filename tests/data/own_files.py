"""Files that a user might bring along: good ones, and makers of those that cannot be trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from selfnorm.data.datasets import OwnFile


def table(folder: Path, rows: list[str], *, name: str = "own.csv", **keys: Any) -> OwnFile:
    """Write a CSV file, its header first, and declare it."""
    (folder / name).write_text("\n".join(rows) + "\n", encoding="utf-8")
    return declared(folder / name, "table", **({"target": "kind"} | keys))


def arrays(folder: Path, **values: Any) -> OwnFile:
    """Write an .npz file and declare it."""
    np.savez(folder / "own.npz", **values)
    return declared(folder / "own.npz", "arrays")


def declared(path: Path, kind: Any, **keys: Any) -> OwnFile:
    return OwnFile(kind=kind, path=str(path), **({"validation": 0.2, "test": 0.2, "split_seed": 0} | keys))


def numbers(n: int = 40) -> list[str]:
    """Rows of a table with a number, a text of three values, and two kinds."""
    return ["size,colour,kind", *(f"{i / 4},{['red', 'green', 'blue'][i % 3]},{'ab'[i % 2]}" for i in range(n))]


def bytes_as(name: str, content: bytes, kind: str = "table") -> Callable[[Path], OwnFile]:
    def make(folder: Path) -> OwnFile:
        (folder / name).write_bytes(content)
        return declared(folder / name, kind, target="kind")

    return make


def fold(*values: str, **keys: Any) -> Callable[[Path], OwnFile]:
    """A table whose column `fold` holds the values in turn."""
    return lambda folder: table(
        folder,
        ["size,fold,kind", *(f"{i},{values[i % len(values)]},{'ab'[i // 7 % 2]}" for i in range(42))],
        split="fold",
        **keys,
    )


X, Y = np.arange(80.0).reshape(40, 2), np.arange(40) % 2
WITH_INFINITY = np.where(X == 7, np.inf, X)
BAD_TABLES: dict[str, Callable[[Path], OwnFile]] = {
    "nowhere.csv: no such file": lambda folder: declared(folder / "nowhere.csv", "table", target="kind"),
    "is not a file": lambda folder: declared(folder, "table", target="kind"),
    "the name must end in .csv, .tsv, .parquet, .feather": bytes_as("own.pickle", b"x,kind\n1,a\n"),
    "cannot be read (File name too long)": lambda folder: declared(folder / f"{'x' * 300}.csv", "table"),
    "a column has no name: the index of a pandas table?": lambda folder: table(
        folder, [",kind", *(f"{i},{i % 2}" for i in range(40))]
    ),
    "dataset.target=sort: no such column; ": lambda folder: table(folder, numbers(), target="sort"),
    "dataset.features=weight: no such column; ": lambda folder: table(folder, numbers(), features=("size", "weight")),
    "dataset.drop=weight: no such column; ": lambda folder: table(folder, numbers(), drop=("weight",)),
    "dataset.split=weight: no such column; ": lambda folder: table(folder, numbers(), split="weight"),
    "dataset.target=kind is also in dataset.features": lambda folder: table(folder, numbers(), features=("kind",)),
    "dataset.target=kind is also in dataset.drop": lambda folder: table(folder, numbers(), drop=("kind",)),
    "no column is left": lambda folder: table(folder, numbers(), drop=("size", "colour")),
    "the target is a in every sample": lambda folder: table(folder, ["x,kind", *(f"{i},a" for i in range(40))]),
    "no training sample has the class rare": lambda folder: table(
        folder, ["x,fold,kind", "1,train,a", "2,train,b", "3,validation,a", "4,test,rare"], split="fold"
    ),
    "3 of 43 rows have no value": lambda folder: table(folder, [*numbers(), *3 * ["1,red,"]]),
    "values that are not whole, such as 0.5": lambda folder: table(
        folder, ["x,kind", *(f"{i},{i / 2}" for i in range(40))]
    ),
    "is it a number? This pipeline classifies": lambda folder: table(
        folder, ["x,kind", *(f"{i},{i * i}" for i in range(60))]
    ),
    "the column name is text with 40 different values in 40 rows": lambda folder: table(
        folder, ["name,kind", *(f"n{i},{i % 2}" for i in range(40))]
    ),
    "the column empty has no value at all": lambda folder: table(
        folder, ["empty,x,kind", *(f",{i},{i % 2}" for i in range(40))]
    ),
    "the column x has the value inf": lambda folder: table(
        folder, ["x,kind", "inf,1", *(f"{i},{i % 2}" for i in range(40))]
    ),
    "the column x has the value -1e+200": lambda folder: table(
        folder, ["x,kind", "-1e200,1", *(f"{i},{i % 2}" for i in range(40))]
    ),
    "the column x is there twice": lambda folder: table(folder, ["x,x,kind", *(f"{i},1,{i % 2}" for i in range(40))]),
    "dataset.split=fold: the column holds 0, 1; numbered folds are three or more": fold("0", "1"),
    "dataset.split=fold: 14 of 42 rows have no fold": fold("", "1", "2"),
    "dataset.test_fold=7: no such fold; dataset.split=fold holds 0, 1, 2": fold("0", "1", "2", test_fold=7),
    "dataset.test_fold=0: name the column of the folds": lambda folder: table(folder, numbers(), test_fold=0),
    "dataset.split=fold: no row is train": fold("test", "validation"),
    "dataset.shares.validation=0.2 of 2 samples is none": lambda folder: table(folder, numbers(2)),
    "has a header and no rows": lambda folder: table(folder, ["x,kind"]),
    "is not a .csv table (No columns to parse": bytes_as("own.csv", b""),
    "is not a .csv table (Error tokenizing": bytes_as("own.csv", b"x,kind\n1,a\n1,2,3,4\n"),
    "is not a .csv table ('utf-8' codec": bytes_as("own.csv", b"\x93NUMPY\xff\xfe\x00kind"),
    "is not an .npz file": bytes_as("own.npz", b"x,kind\n1,a\n", "arrays"),
    "has the arrays x_training; legal are x_train, y_train": lambda folder: arrays(folder, x_training=X, y_train=Y),
    "has no x_train; it has y_train": lambda folder: arrays(folder, y_train=Y),
    "of x_test and y_test it has one": lambda folder: arrays(folder, x_train=X, y_train=Y, x_test=X),
    "x_test has 1 features and x_train 2": lambda folder: arrays(
        folder, x_train=X, y_train=Y, x_test=X[:, :1], y_test=Y
    ),
    "y_train has the shape (40, 2)": lambda folder: arrays(folder, x_train=X, y_train=np.eye(2)[Y]),
    "y_train has the shape (39,)": lambda folder: arrays(folder, x_train=X, y_train=Y[1:]),
    "x_train has the shape (40,)": lambda folder: arrays(folder, x_train=X[:, 0], y_train=Y),
    "x_train has the type <U": lambda folder: arrays(folder, x_train=X.astype(str), y_train=Y),
    "x_train has the value inf": lambda folder: arrays(folder, x_train=WITH_INFINITY, y_train=Y),
    "y_train has values that are not whole, such as 0.5": lambda folder: arrays(folder, x_train=X, y_train=Y / 2),
    "the split test is empty": lambda folder: arrays(folder, x_train=X, y_train=Y, x_test=X[:0], y_test=Y[:0]),
    "Object arrays cannot be loaded": lambda folder: arrays(folder, x_train=X.astype(object), y_train=Y),
}
