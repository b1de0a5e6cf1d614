"""Does the paper's claim hold? One verdict and one plain sentence per data set, depth and question.

The claim has three parts, each a ratio a / b above 1 (BN / SNN unless other networks are named): a is perturbed more,
its curve fluctuates more, and b learns faster. In: Tables. Out: the answers, and the section of the report.
"""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.bounds import Estimate
from selfnorm.analysis.comparison import NETWORKS, corrected, pairs, usable_cells
from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.inference import ALPHA, MIN_SEEDS_TEST
from selfnorm.analysis.results import Tables
from selfnorm.analysis.words import bullets, markdown_table, p_value
from selfnorm.studies.figures.errors import figure1
from selfnorm.studies.figures.forks import forks_figure
from selfnorm.studies.figures.levels import levels_figure
from selfnorm.studies.questions import Answer, faster, fluctuates, perturbed
from selfnorm.studies.section import Section, Table

NEGLIGIBLE = 1.25  # a ratio surely below this is no "high variance", and no faster learning worth the name
QUESTIONS: dict[
    str, tuple[str, str, Callable[[Tables, str, str], Answer]]
] = {  # name: (claim, head, how it is answered)
    "perturbation": ("{a} is perturbed more", "spread of forks, {a} / {b}", perturbed),
    "fluctuation": ("{a} fluctuates more", "fluctuation of the curve, {a} / {b}", fluctuates),
    "speed": ("{b} learns faster", "updates to the same error, {a} / {b}", faster),
}


def answers(tables: Tables, networks: tuple[str, str] = NETWORKS) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """The judged answers, and for each question the table behind them, with the data set and depth of every row.

    Columns of the answers: dataset, depth, a, b, question, claim, those of Estimate, value_a, value_b, sentence,
    against (see Answer), p_holm, num_cells, verdict, reason. Raises ValueError when nothing has both networks.
    """
    a, b = networks
    rows: list[dict[str, Any]] = []
    details: dict[str, list[pd.DataFrame]] = {question: [] for question in QUESTIONS}
    for pair in pairs(tables, networks).to_dict("records"):
        keys = {"dataset": pair["dataset"], "depth": int(pair["depth"])}
        cells = (str(pair["cell_a"]), str(pair["cell_b"]))
        for question, (claim, _, put) in QUESTIONS.items():
            row = {**keys, "a": a, "b": b, "question": question, "claim": claim.format(a=a, b=b)}
            try:
                answer = put(tables, *cells)._asdict()
            except ValueError as error:
                unknown = Estimate.unknown(*(len(seed_curves(tables, cell).seeds) for cell in cells))
                answer = {"estimate": unknown, "value_a": np.nan, "value_b": np.nan, "sentence": str(error)}
                answer |= {"beside": "", "against": ""}
            else:
                details[question].append(answer.pop("details").assign(**keys))
            rows.append(row | asdict(answer.pop("estimate")) | answer)
    table = judged(pd.DataFrame(rows))
    table["sentence"] = [_sentence(row) for row in table.to_dict("records")]
    behind = {question: pd.concat(found, ignore_index=True) for question, found in details.items() if found}
    return table.drop(columns="beside"), behind


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """The answers with p_holm, num_cells, verdict and reason: Holm's correction runs over the rows of each question."""
    table = corrected(table, within=["question"])
    decided = [decide(row) for row in table.to_dict("records")]
    return table.assign(verdict=[verdict for verdict, _ in decided], reason=[reason for _, reason in decided])


def _sentence(row: dict[Any, Any]) -> str:
    tested = "" if np.isnan(row["p"]) else f"; p = {row['p_holm']:.2g} after Holm over {row['num_cells']} cells"
    head = f"{dataset_title(row['dataset'])}, depth {row['depth']}, {row['claim']}: {row['verdict']}."
    notes = (f"{note}." for note in dict.fromkeys((row["reason"], row["against"])) if note)
    return " ".join(part for part in (head, f"{row['sentence']}{tested}.", *notes, row["beside"]) if part)


def decide(row: dict[Any, Any]) -> tuple[str, str]:
    """The verdict on one answer, and the reason where it needs one.

    Holds: the interval lies above 1 and Holm's p is below 0.05. Does not hold: the same below 1, or an interval that
    includes 1 and ends below 1.25. Otherwise undecided; so is every cell with fewer seeds than a test needs.
    """
    if np.isnan(row["value"]):
        return "undecided", ""
    if np.isnan(row["p"]):
        return "undecided", f"A test needs {MIN_SEEDS_TEST} seeds of each network"
    if row["p_holm"] < ALPHA and row["high"] < 1:
        return "does not hold", "The difference goes the other way"
    if row["low"] <= 1 and row["high"] < NEGLIGIBLE:
        return "does not hold", f"Any excess is below {NEGLIGIBLE:g} times"
    if row["p_holm"] < ALPHA and row["low"] > 1:
        return ("undecided", str(row["against"])) if row["against"] else ("holds", "")
    return "undecided", "The interval and the corrected test leave both answers open"


def view(table: pd.DataFrame) -> pd.DataFrame:
    """One readable row per data set and depth: seeds, and for each question the ratio and its verdict."""
    rows = []
    for (dataset, depth), group in table.groupby(["dataset", "depth"], sort=False):
        row: dict[str, Any] = {"data set": dataset_title(str(dataset)), "depth": depth}
        row["n"] = f"{group['n_a'].max()} / {group['n_b'].max()}"
        for _, answer in group.iterrows():
            head = QUESTIONS[answer["question"]][1].format(a=answer["a"], b=answer["b"])
            row[head] = str(Estimate.of(answer))
            if "verdict" in answer:
                tested = "" if np.isnan(answer["p"]) else f" (p {p_value(answer['p_holm'])})"
                row[f"{answer['claim']}?"] = answer["verdict"] + tested
        rows.append(row)
    return pd.DataFrame(rows)


def _lines(table: pd.DataFrame) -> list[str]:
    """A short line for a terminal per data set and depth: the three ratios, and a verdict that is not `holds`."""
    lines = []
    for (dataset, depth), group in table.groupby(["dataset", "depth"], sort=False):
        words = []
        for row in group.to_dict("records"):
            verdict = "" if row["verdict"] == "holds" else f", {row['verdict']}"
            head = QUESTIONS[row["question"]][1].format(a=row["a"], b=row["b"]).partition(",")[0]
            words.append(f"{head} {Estimate.of(pd.Series(row))}{verdict}")
        a, b = group[["a", "b"]].iloc[0]
        lines.append(f"{dataset_title(str(dataset))}, depth {depth}, {a} / {b}: {'; '.join(words)}")
    return lines


def section(tables: Tables, networks: tuple[str, str]) -> Section:
    """Figure 1, the verdicts and the ratios. Raises ValueError when no data set and depth has both networks."""
    table, details = answers(tables, networks)
    forked = len(tables.forks) > 0
    if not forked:
        table = table[table["question"] != "perturbation"].drop(columns=["verdict", "reason", "sentence"])
    shown = view(table)
    usable = replace(tables, cells=usable_cells(tables)[0])
    pictures = {"figure1": figure1(usable, networks)}
    text = """![Training error by epoch](figure1.png)

Lines: geometric mean over seeds. Bands: one standard deviation of log error over seeds. \
Thin lines: one seed alone, since the mean hides roughness.

"""
    if forked:
        pictures |= {"levels": levels_figure(usable, networks), "forks": forks_figure(usable, networks)}
        text += f"""## Does the claim hold?

{bullets(table["sentence"])}
![Fluctuation of the curve by error level](levels.png)

![Spread of forks by epoch](forks.png)

"""
    else:
        text += f"## The first {int(tables.curves['epoch'].max())} epochs: fluctuation of the curve only\n\n"
        text += "These runs were not forked (recording.forks.copies): no verdict on the claim.\n\n"
    a, b = networks
    text += f"{a} / {b}, ratio (95 % interval); ≥ and ≤ are bounds, – is no answer:\n\n{markdown_table(shown)}"
    files = {"answers": Table(table, shown)}
    files |= {question: Table(numbers) for question, numbers in details.items()}
    return Section("Figure 1", text, files, pictures, _lines(table) if forked else [])
