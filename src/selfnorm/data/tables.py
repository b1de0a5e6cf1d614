"""A user's table: a CSV, Parquet or Feather file goes in; features (N, F) and labels (N,) by split come out.

Numbers stay as they are, text and categories become one feature for each value, and a column with missing values gets
a feature that is 1 where they are missing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from selfnorm.data.datasets import SPLITS, OwnFile
from selfnorm.data.faults import BadFile, check_memory, check_values, listed

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".csv", ".tsv", ".parquet", ".feather")
FEW_VALUES = 20  # so many different texts are categories in a table of any length


def read_table(file: OwnFile) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Read the table's splits, or all of it as `train` if it has no column of splits; raises BadFile."""
    where = f"dataset.path={file.path}"
    table = _open(file.path, where)
    columns = list(table.columns)
    if repeated := sorted({name for name in columns if columns.count(name) > 1}):
        raise BadFile(f"{where}: the column {listed(repeated)} is there twice; give each a name of its own")
    if not len(table):
        raise BadFile(f"{where}: has a header and no rows")
    named = [("target", file.target), *([("split", file.split)] if file.split is not None else [])]
    named += [("features", name) for name in file.features or ()] + [("drop", name) for name in file.drop]
    for key, name in named:
        if name not in columns:
            raise BadFile(f"dataset.{key}={name or None}: no such column; {where} has {listed(columns)}")
    kept = [name for name in file.features or columns if name not in (*file.drop, file.split)]
    if file.features is None:
        kept = [name for name in kept if name != file.target]
    if file.target in kept or file.target in file.drop:
        raise BadFile(
            f"dataset.target={file.target} is also in dataset.{'features' if file.target in kept else 'drop'}"
        )
    if not all(name.strip() for name in kept):
        raise BadFile(f"{where}: a column has no name: the index of a pandas table? Write it with index=False")
    if not kept:
        raise BadFile(f"{where}: no column is left for the features")
    rows = _rows(table, file)
    y_N, in_training_N = _target(table[file.target], file.target), rows["train"]
    num_features = sum(_most_features(table[name]) for name in kept)
    check_memory(f"{where}, one feature for each text,", 8 * len(table) * num_features, copies=3)
    x_NF = np.hstack([_features(table[name], in_training_N) for name in kept])
    return {split: (x_NF[chosen_N], y_N[chosen_N]) for split, chosen_N in rows.items()}


def _open(path: str, where: str) -> pd.DataFrame:
    import pandas as pd

    kind = Path(path).suffix.lower()
    if kind not in FORMATS:
        raise BadFile(f"{where}: the name must end in {', '.join(FORMATS)}; arrays are dataset=arrays")
    try:
        if kind in (".parquet", ".feather"):
            table = pd.read_parquet(path) if kind == ".parquet" else pd.read_feather(path)
        else:
            header = pd.read_csv(path, sep=_separator(path), header=None, nrows=1, dtype=str, keep_default_na=False)
            table = pd.read_csv(path, sep=_separator(path), low_memory=False)
            table.columns = pd.Index(header.iloc[0])  # as written: pandas numbers those that are repeated
    except ImportError:
        raise BadFile(f"{where}: {kind} needs pyarrow: pip install 'selfnorm[tables]'") from None
    except (ValueError, OSError) as error:  # pandas' and pyarrow's own are ValueErrors
        if isinstance(error, OSError) and error.errno:
            raise
        raise BadFile(f"{where}: is not a {kind} table ({str(error).strip() or type(error).__name__})") from None
    table.columns = pd.Index([str(name) for name in table.columns])
    return table


def _separator(path: str) -> str:
    """Return what separates the names of the header: a comma, a semicolon or a tab."""
    with open(path, encoding="utf-8-sig") as file:
        header = file.readline(1 << 20)
    return max(",;\t", key=header.count)


def _rows(table: pd.DataFrame, file: OwnFile) -> dict[str, NDArray[np.bool_]]:
    """Return which rows each split has."""
    if file.split is None:
        if file.test_fold is not None:
            raise BadFile(f"dataset.test_fold={file.test_fold}: name the column of the folds, dataset.split=COLUMN")
        return {"train": np.ones(len(table), dtype=bool)}
    if _is_number(table[file.split]):
        return _folds(table[file.split], file)
    given_N = table[file.split].astype(str).to_numpy()
    if unknown := sorted(set(given_N) - set(SPLITS)):
        raise BadFile(f"dataset.split={file.split}: the column holds {listed(unknown)}; legal are {', '.join(SPLITS)}")
    if "train" not in given_N:
        raise BadFile(f"dataset.split={file.split}: no row is train")
    return {split: given_N == split for split in SPLITS if split in given_N}


def _folds(column: pd.Series, file: OwnFile) -> dict[str, NDArray[np.bool_]]:
    """Numbered folds: one tests, the one before it in a circle validates, all others train."""
    if missing := int(column.isna().sum()):
        raise BadFile(f"dataset.split={file.split}: {missing} of {len(column)} rows have no fold")
    folds = sorted(set(column.tolist()))
    if len(folds) < 3:
        raise BadFile(f"dataset.split={file.split}: the column holds {listed(folds)}; numbered folds are three or more")
    test = folds[-1] if file.test_fold is None else file.test_fold
    if test not in folds:
        raise BadFile(f"dataset.test_fold={test}: no such fold; dataset.split={file.split} holds {listed(folds)}")
    validation = folds[folds.index(test) - 1]
    splits = {"validation": (column == validation).to_numpy(), "test": (column == test).to_numpy()}
    return {"train": ~(splits["validation"] | splits["test"]), **splits}


def _target(column: pd.Series, name: str) -> NDArray[Any]:
    import pandas as pd

    if missing := int(column.isna().sum()):
        raise BadFile(f"dataset.target={name}: {missing} of {len(column)} rows have no value; leave these rows out")
    if pd.api.types.is_float_dtype(column) and not (column == column.round()).all():
        parts = column[column != column.round()]
        raise BadFile(
            f"dataset.target={name}: has values that are not whole, such as {parts.iloc[0]:g}; this pipeline "
            "classifies, and does not predict numbers"
        )
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy()
    return column.astype(str).to_numpy(dtype=np.str_)


def _is_number(column: pd.Series) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column)


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    return column.to_numpy(dtype=float, na_value=np.nan)


def _most_features(column: pd.Series) -> int:
    """Return the number of features that a column can become; raises BadFile for one that cannot become any."""
    import pandas as pd

    name, values = column.name, column.nunique()
    if not values:
        raise BadFile(f"the column {name} has no value at all; leave it out: dataset.drop=[{name}]")
    if _is_number(column):
        check_values(f"the column {name}", _numbers(column))
        return 2
    if not (pd.api.types.is_string_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype)
            or pd.api.types.is_object_dtype(column)):  # fmt: skip
        raise BadFile(
            f"the column {name} has the type {column.dtype}; make numbers or text of it, or dataset.drop=[{name}]"
        )
    if values > max(FEW_VALUES, len(column) // 2):
        raise BadFile(
            f"the column {name} is text with {values} different values in {len(column)} rows: an identifier? Leave it "
            f"out: dataset.drop=[{name}]"
        )
    return int(values) + 1


def _features(column: pd.Series, in_training_N: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return a column's features, NaN where a number is missing. Only training rows say which texts there are."""
    missing_N = column.isna().to_numpy()
    indicator_N1 = missing_N[:, None].astype(float) if missing_N[in_training_N].any() else np.empty((len(column), 0))
    if _is_number(column):
        return np.hstack([_numbers(column)[:, None], indicator_N1])
    text_N = column.astype(str).to_numpy(dtype=np.str_)
    values_V = np.unique(text_N[in_training_N & ~missing_N])
    return np.hstack([(text_N[:, None] == values_V) & ~missing_N[:, None], indicator_N1]).astype(float)
