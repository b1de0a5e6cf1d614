"""Which SELUs stand beside each other: those that differ in nothing but the fixed point and the learning rate.

In: Tables. Out: the cells to compare, and a sentence for each plain SELU network that is left out.
"""

import pandas as pd

from selfnorm.analysis.comparison import usable_cells
from selfnorm.analysis.coordinates import AXES, PAPERS, changed_axes, paper_order
from selfnorm.analysis.results import Tables

VARIED = ("activation", "learning rate")
_SETTINGS = [column for axis, columns in AXES.items() if axis not in VARIED for column in columns]


def comparable_selus(tables: Tables) -> tuple[dict[tuple[str, int], pd.DataFrame], list[str]]:
    """Of each data set and depth the plain SELU networks of one setting, one per fixed point and learning rate.

    The setting is the one with the most fixed points, the paper's among them; of equal networks (other seeds) the
    one of most seeds stands, then the first by name.
    """
    cells, _ = usable_cells(tables)
    plain = (cells["activation"] == "selu") & (cells["normalization"] == "none") & (cells["block"] == "plain")
    plain &= cells["dropout"] == "none"
    groups = {(str(d), int(str(k))): group for (d, k), group in cells[plain].groupby(["dataset", "depth"])}
    chosen, left_out = {}, []
    for key in sorted(groups, key=lambda key: (paper_order(key[0]), key[1])):
        here = groups[key]
        if here["fixed_point"].nunique() < 2:
            continue  # nothing was asked
        setting = max((group for _, group in here.groupby(_SETTINGS, dropna=False)), key=_completeness)
        by_seeds = setting.sort_values(["num_seeds", "cell"], ascending=[False, True])
        kept = by_seeds.drop_duplicates(["lr", "fixed_point"]).sort_values("cell")
        left_out += [_why(cell, kept) for _, cell in here[~here["cell"].isin(kept["cell"])].iterrows()]
        if kept["fixed_point"].nunique() > 1:
            chosen[key] = kept
    return chosen, left_out


def _completeness(setting: pd.DataFrame) -> tuple[bool, int, int]:
    targets = setting["fixed_point"]
    return bool((targets == PAPERS).any()), targets.nunique(), len(setting)


def _why(cell: pd.Series, kept: pd.DataFrame) -> str:
    if differ := [axis for axis in changed_axes(kept.iloc[0], cell) if axis not in VARIED]:
        return f"{cell['cell']}: not among the fixed points, it differs from the others in {', '.join(differ)}"
    twin = kept[(kept["lr"] == cell["lr"]) & (kept["fixed_point"] == cell["fixed_point"])].iloc[0]
    return f"{cell['cell']}: not among the fixed points, {twin['cell']} is the same network and stands there"
