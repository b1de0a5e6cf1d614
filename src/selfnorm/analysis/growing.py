"""The tidy CSV files of a run, which may still be growing.

In: a path. Out: a table of whole lines. Raises ValueError in words for people.
"""

from collections.abc import Collection
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from selfnorm.analysis.results import kept_steps


def read_whole_lines(path: Path, columns: list[str], keys: list[str], max_steps: int | None = None) -> pd.DataFrame:
    """A tidy CSV that may still be growing: a last line without its newline is ignored.

    Of rows with equal `keys` (written again after a resume) the last counts. max_steps: at most so many of the steps,
    as `kept_steps` chooses; the other lines are not parsed, which takes longest of all. Raises ValueError if the file
    is missing, lacks one of `columns`, or holds text where numbers belong.
    """
    if not path.is_file():
        raise ValueError(f"no {path.name}: the run did not get that far, run it again")
    content = path.read_bytes()
    content = content[: content.rfind(b"\n") + 1]
    if not content:
        raise ValueError(f"{path.name} has no whole line yet: wait for the run or run it again")
    table = pd.read_csv(BytesIO(content if max_steps is None else _of_kept_steps(content, max_steps)))
    missing = [c for c in columns if c not in table]
    if missing:
        raise ValueError(
            f"{path.name} lacks the column {missing[0]} (it has {', '.join(map(str, table))}): run it again"
        )
    if table.empty:
        raise ValueError(f"{path.name} has no row yet: wait for the run or run it again")
    for column, dtype in zip(table.columns, table.dtypes, strict=True):
        if column != "split" and not pd.api.types.is_numeric_dtype(dtype):
            raise ValueError(f"{path.name} holds text in the column {column}: remove the bad line or run it again")
    if len(set(zip(*(table[key].tolist() for key in keys), strict=True))) == len(table):
        return table  # as nearly always: dropping nothing takes longer than to see that there is nothing to drop
    return table.drop_duplicates(keys, keep="last", ignore_index=True)


def check_seeds(table: pd.DataFrame, name: str, seeds: Collection[int]) -> None:
    """Raises ValueError for rows of a seed that is not among `seeds`, which a run names before it writes a row."""
    strange = table.loc[~table["seed"].isin(list(seeds)), "seed"]
    if seeds and len(strange):
        raise ValueError(f"{name} has rows of seed {strange.iloc[0]}, which summary.json does not list: run it again")


def _of_kept_steps(content: bytes, max_steps: int) -> bytes:
    """The header and the lines of the kept steps, which the first column names."""
    header, *lines = content.splitlines(keepends=True)
    texts = [line.split(b",", 1)[0] for line in lines]
    step_of = {text: int(text) for text in set(texts)}
    if not step_of:
        return content
    kept = set(kept_steps(np.array(list(step_of.values())), max_steps).tolist())
    return header + b"".join(line for line, text in zip(lines, texts, strict=True) if step_of[text] in kept)
