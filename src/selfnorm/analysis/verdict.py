"""Does the paper's claim hold in a cell? One word and one plain sentence with the numbers it rests on.

In: the table of comparison.compare. Out: a row per data set, depth and part of the claim. The claim has two
parts: the training error of BN fluctuates more, and SNN learns faster; both are ratios BN / SNN above 1.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.inference import MIN_SEEDS_TEST
from selfnorm.analysis.statistics import FLUCTUATION, MATCHED, OF_ERROR, SECOND, SPEED

ALPHA = 0.05
NEGLIGIBLE = 1.25  # a ratio surely below this is no "high variance", and no faster learning worth the name

CLAIMS = {FLUCTUATION: "BN fluctuates more", SPEED: "SNN learns faster"}
_SUBJECTS = {
    FLUCTUATION: "the log training error of {a} fluctuates {ratio} times as much as that of {b}",
    SPEED: "{a} needs {ratio} times the updates of {b}",
}


def verdicts(comparison: pd.DataFrame) -> pd.DataFrame:
    """Columns dataset, depth, claim, verdict (holds, does not hold, undecided), sentence."""
    rows = []
    for (dataset, depth), group in comparison.groupby(["dataset", "depth"], sort=False):
        by_statistic: dict[str, dict[str, Any]] = {
            str(row["statistic"]): row  # type: ignore[misc]
            for row in group.to_dict("records")
        }
        for statistic, claim in CLAIMS.items():
            word, reason = decide(by_statistic[statistic])
            sentence = _sentence(by_statistic, statistic, reason)
            own = {"dataset": dataset, "depth": depth, "claim": claim, "verdict": word}
            rows.append(
                own | {"sentence": f"{dataset_title(str(dataset))}, depth {depth}, {claim}: {word}. {sentence}"}
            )
    return pd.DataFrame(rows)


def decide(row: dict[str, Any]) -> tuple[str, str]:
    """The verdict on one ratio and the reason where it needs one.

    Holds: interval above 1 and Holm p below 0.05. Does not hold: the same below 1, or the whole interval
    below 1.25 while it includes 1. Otherwise undecided; so is every cell with fewer seeds than a test needs.
    """
    if np.isnan(row["ratio"]):
        return "undecided", f"No number: {row['note']}."
    if np.isnan(row["p"]):
        fewest = min(row["n_a"], row["n_b"])
        return "undecided", f"Lack of seeds: {fewest} where a test needs {MIN_SEEDS_TEST}{_leaning(row)}."
    if row["p_holm"] < ALPHA and row["low"] > 1:
        return "holds", ""
    if row["p_holm"] < ALPHA and row["high"] < 1:
        return "does not hold", "The difference goes the other way."
    if row["low"] <= 1 and row["high"] < NEGLIGIBLE:
        return "does not hold", f"Any excess is below {NEGLIGIBLE:g} times."
    if row["smallest_p"] * row["num_cells"] >= ALPHA:
        return "undecided", f"Lack of seeds: no result could be significant over {row['num_cells']} comparisons."
    return "undecided", "The interval and the corrected test leave both answers open."


def _leaning(row: dict[str, Any]) -> str:
    if row["low"] > 1:
        return "; the interval lies wholly above 1"
    return "; the interval lies wholly below 1" if row["high"] < 1 else "; the interval includes 1"


def _sentence(by_statistic: dict[str, dict[str, Any]], statistic: str, reason: str) -> str:
    row = by_statistic[statistic]
    if np.isnan(row["ratio"]):
        return reason
    subject = _SUBJECTS[statistic].format(a=row["a"], b=row["b"], ratio=number(row["ratio"]))
    text = f"{subject[0].upper()}{subject[1:]} ({evidence(row)})."
    if statistic == FLUCTUATION:
        others = [(MATCHED, "at equal error levels"), (OF_ERROR, "for the error itself, not its log,")]
        if "order 2" not in row["note"]:
            text += f" Second differences still hold the trend here: {row['note']} were taken."
            others.append((SECOND, "by second differences alone"))
        text += "".join(f" The ratio {where} is {_short(by_statistic[name])}." for name, where in others)
    else:
        text += f" Level: {row['note']}."
    return f"{text} {reason}".strip()


def evidence(row: Mapping[Any, Any]) -> str:
    """Interval, n and p of a row in words."""
    text = f"95 % interval {number(row['low'])} to {number(row['high'])}"
    text += f", n = {row['n_a']} against {row['n_b']} seeds"
    if np.isnan(row["p"]):
        return f"{text}, no p-value below {MIN_SEEDS_TEST} seeds"
    reachable = min(1.0, row["smallest_p"] * row["num_cells"])
    family = f"{row['num_cells']} comparison{'s' if row['num_cells'] > 1 else ''}"
    return f"{text}, p = {row['p_holm']:.2g} after Holm over {family}, smallest reachable {reachable:.2g}"


def _short(row: dict[str, Any]) -> str:
    if np.isnan(row["ratio"]):
        return f"not available ({row['note']})"
    return f"{number(row['ratio'])} ({number(row['low'])} to {number(row['high'])})"


def number(value: float) -> str:
    """Three significant digits without an exponent where that is readable."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
