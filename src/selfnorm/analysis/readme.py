"""The README's results table, from the committed tables: what stands there is what was measured.

In: results folders with comparison.csv and verdicts.csv, or with targets.csv. Out: the README with the text between
its markers replaced.
"""

from pathlib import Path

import pandas as pd

from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.markup import markdown_table
from selfnorm.analysis.report_text import interval_text
from selfnorm.analysis.statistics import FLUCTUATION, SPEED
from selfnorm.analysis.targets import both_errors, own_best_summary

_HEADS = {FLUCTUATION: "fluctuation, BN / SNN", SPEED: "updates to the same error, BN / SNN"}


def results_table(folder: Path) -> str:
    """Both parts of the claim, a row per data set and depth: ratio (95 % interval) and verdict, n as BN / SNN."""
    comparison, verdicts = (pd.read_csv(folder / name) for name in ("comparison.csv", "verdicts.csv"))
    rows = []
    for (dataset, depth), group in comparison.groupby(["dataset", "depth"], sort=False):
        by_statistic = group.set_index("statistic")
        n = by_statistic.loc[FLUCTUATION]
        row = {"data set": dataset_title(str(dataset)), "depth": depth, "n": f"{n['n_a']} / {n['n_b']}"}
        for statistic, head in _HEADS.items():
            ratio, low, high = (float(by_statistic.at[statistic, name]) for name in ("ratio", "low", "high"))  # type: ignore[arg-type]
            row[head] = interval_text(ratio, low, high)
        here = verdicts[(verdicts["dataset"] == dataset) & (verdicts["depth"] == depth)]
        row |= dict(zip(here["claim"] + "?", here["verdict"], strict=True))
        rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def counts(folder: Path) -> str:
    """In how many cells each part of the claim holds, in one sentence."""
    verdicts = pd.read_csv(folder / "verdicts.csv")
    parts = [
        f"{claim}: holds in {(group['verdict'] == 'holds').sum()} of {len(group)} cells"
        for claim, group in verdicts.groupby("claim")
    ]
    return "; ".join(parts) + f" ({_link(folder)}).\n"


def section(folder: Path) -> str:
    """The tables of one results folder, by what was compared there."""
    if (folder / "targets.csv").exists():
        table = pd.read_csv(folder / "targets.csv", dtype={"lr": str})
        sentences = "".join(f"- {sentence}\n" for sentence in both_errors(table))
        return f"{markdown_table(own_best_summary(table))}\n{sentences}\n({_link(folder)})\n"
    return f"{results_table(folder)}\n{counts(folder)}"


def _link(folder: Path) -> str:
    return f"[report](docs/results/{folder.name}/report.md)"


def with_results(readme: str, sections: dict[str, Path]) -> str:
    """The README's text with one titled table per results folder between its markers.

    Raises ValueError if the markers are not there.
    """
    tables = [f"{title}\n\n{section(folder)}" for title, folder in sections.items()]
    return between(readme, "results: begin (make results)", "results: end", "\n".join(tables))


def between(readme: str, begin: str, end: str, text: str) -> str:
    """The README with `text` between two comments. Raises ValueError if they are not there."""
    begin, end = f"<!-- {begin} -->", f"<!-- {end} -->"
    head, found_begin, rest = readme.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"the README has no {begin} ... {end}: put the two markers where the table belongs")
    return f"{head}{begin}\n{text}{end}{tail}"
