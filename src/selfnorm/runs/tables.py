"""The CSV files of a run as pandas tables, also while they grow.

In: a path. Out: a table of whole lines. Raises ValueError in words for people.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from selfnorm.runs.files import read_file
from selfnorm.runs.layout import SUMMARY, TEXT_COLUMNS


def read_whole_lines(
    path: Path, columns: Collection[str], keys: Sequence[str], max_steps: int | None = None
) -> pd.DataFrame:
    """The rows of a CSV; a last line without its newline is ignored.

    Of rows with equal `keys` (written again after a resume) the last counts. max_steps: at most so many of the steps,
    as `kept_steps` chooses; the other lines are not parsed, because parsing takes longest. Raises ValueError if the
    file lacks one of `columns`, or holds text where numbers belong.
    """
    content = read_file(path)
    content = content[: content.rfind(b"\n") + 1]
    if not content:
        raise ValueError(f"{path.name} has no whole line yet: wait for the run or run it again")
    try:
        table = pd.read_csv(BytesIO(content if max_steps is None else _lines_of_steps(content, max_steps)))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path.name} is not a table ({error}): run it again") from error
    missing = [c for c in columns if c not in table]
    if missing:
        raise ValueError(
            f"{path.name} lacks the column {missing[0]} (it has {', '.join(map(str, table))}): run it again"
        )
    if table.empty:
        raise ValueError(f"{path.name} has no row yet: wait for the run or run it again")
    for column, dtype in zip(table.columns, table.dtypes, strict=True):
        if column not in TEXT_COLUMNS and not pd.api.types.is_numeric_dtype(dtype):
            raise ValueError(f"{path.name} holds text in the column {column}: remove the bad line or run it again")
    if len(set(zip(*(table[key].tolist() for key in keys), strict=True))) == len(table):
        return table  # the usual case: drop_duplicates takes longer than this look
    return table.drop_duplicates(list(keys), keep="last", ignore_index=True)


def check_seeds(table: pd.DataFrame, name: str, seeds: Collection[int]) -> None:
    """Raises ValueError for rows of a seed that is not among `seeds`, which a run names before it writes a row."""
    strange = table.loc[~table["seed"].isin(list(seeds)), "seed"]
    if seeds and len(strange):
        raise ValueError(f"{name} has rows of seed {strange.iloc[0]}, which {SUMMARY} does not list: run it again")


def kept_steps(steps: np.ndarray, max_steps: int) -> np.ndarray:
    """At most `max_steps` of the recorded steps: first, last, and between them evenly on a log scale.

    Moments change fast at the start and slowly later, so even spacing of log(1 + step) loses least.
    """
    if max_steps < 2:
        raise ValueError(f"max_steps must be at least 2 (first and last), not {max_steps}")
    steps = np.unique(steps)
    wanted = np.linspace(0, np.log1p(steps[-1]), max_steps)
    return steps[np.abs(np.log1p(steps)[:, None] - wanted).argmin(axis=0)]


def _lines_of_steps(content: bytes, max_steps: int) -> bytes:
    """The header and the lines of the steps that `kept_steps` chooses; the first column names a line's step."""
    header, *lines = content.splitlines(keepends=True)
    texts = [line.split(b",", 1)[0] for line in lines]
    step_of = {text: int(text) for text in set(texts)}
    if not step_of:
        return content
    chosen = set(kept_steps(np.array(list(step_of.values())), max_steps).tolist())
    return header + b"".join(line for line, text in zip(lines, texts, strict=True) if step_of[text] in chosen)
