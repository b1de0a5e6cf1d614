"""The part that a study hands to the report, and the readable table of ratios that several studies share."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure

from selfnorm.analysis.bounds import Estimate
from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.statistics import FLUCTUATION
from selfnorm.analysis.words import p_value


@dataclass(frozen=True)
class Table:
    """numbers: written as CSV. view: the same in words, written as Markdown and LaTeX where there is one."""

    numbers: pd.DataFrame
    view: pd.DataFrame | None = None


@dataclass(frozen=True)
class Section:
    """A part of the report: heading, Markdown text, files beside it by name, and the lines that are printed."""

    title: str
    text: str
    tables: dict[str, Table] = field(default_factory=dict)
    pictures: dict[str, Figure] = field(default_factory=dict)
    sentences: Sequence[str] = ()


def ratio_view(table: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row per cell of a table of ratios: n, every ratio with interval, Holm p of the fluctuation."""
    rows = []
    for key, group in table.groupby(["dataset", "depth", *keys, "cell"], sort=False):
        row = dict(zip(["data set", "depth", *keys], key[:-1], strict=True))
        row |= {
            "data set": dataset_title(str(row["data set"])),
            "n": f"{group['n_a'].iloc[0]} / {group['n_b'].iloc[0]}",
        }
        by_statistic = group.set_index("statistic")
        row |= {str(name): str(Estimate.of(ratio)) for name, ratio in by_statistic.iterrows()}
        rows.append(row | {"p": p_value(by_statistic.loc[FLUCTUATION, "p_holm"])})
    return pd.DataFrame(rows)
