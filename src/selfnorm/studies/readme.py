"""The results in the README and docs/results/README.md, from the committed tables: what they say is what was measured.

In: the root of the repository. Out: the README with the text between its markers replaced; the page of all studies.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from selfnorm.analysis.bounds import VISIBLE, Estimate, three_digits
from selfnorm.analysis.coordinates import dataset_title
from selfnorm.analysis.levels import FIT
from selfnorm.analysis.statistics import SPEED
from selfnorm.analysis.words import bullets, duration, markdown_table
from selfnorm.studies import fixed_point_words
from selfnorm.studies.claim import QUESTIONS, judged
from selfnorm.studies.rates import OWN

RESULTS = Path("docs/results")


def _table(name: str) -> Callable[[Path], str]:
    return lambda folder: (folder / f"{name}.md").read_text(encoding="utf-8")


# Folder -> its title and its main table.
STUDIES: dict[str, tuple[str, Callable[[Path], str]]] = {
    "digits": ("digits by the paper's own protocol", _table("answers")),
    "figure1": ("MNIST and CIFAR-10: 512 samples, width 64, 800 epochs", _table("answers")),
    "long": ("MNIST and CIFAR-10: 3200 samples, width 128, 800 epochs", _table("answers")),
    "cifar10": ("CIFAR-10, the first 20 epochs, in bf16", _table("answers")),
    "paper_width": ("MNIST at the paper's width, the first 5 epochs, in bf16", _table("answers")),
    "causes": ("Which perturbation moves which network", _table("causes")),
    "rates": ("Each network at its own learning rate", _table("rates")),
    "rivals": ("Rivals since 2017, predicted and measured", _table("rivals_against")),
    "fixed_points": ("Other fixed points than (0, 1)", fixed_point_words.summary),
}

SIZES = {"figure1": ", 512 samples", "long": ", 3200 samples"}  # of studies of the same data
CLAIM = ("digits", "figure1", "long", "cifar10", "paper_width")  # studies of docs/protocol.md, where they were forked


def studies_page(root: Path) -> str:
    """docs/results/README.md: for each published study its command, its time and its main table."""
    parts = ["# Published studies\n\nWritten by `make results` from the committed tables. Ratios are BN / SNN.\n"]
    for name, (title, table) in STUDIES.items():
        folder = root / RESULTS / name
        if (folder / "provenance.json").is_file():
            provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["provenance"]
            commands = "\n".join(f"    {command}" for command in provenance["environment"]["command"])
            time = f"{duration(provenance['seconds'])} of training. [Report]({name}/report.md)."
            parts.append(f"## {title}\n\n{commands}\n\n{time}\n\n{table(folder)}")
    parts.append("[bfloat16 against single precision](precision.md), over the first two epochs at the paper's width.\n")
    return "\n".join(parts)


def with_results(readme: str, root: Path) -> str:
    """The README's text with the answers of the published studies that were forked between its markers.

    Raises ValueError if the markers are not there.
    """
    results = root / RESULTS
    folders = [results / name for name in CLAIM if (results / name / "forks.csv.gz").is_file()]
    return between(readme, "results: begin (make results)", "results: end", claim_text(folders, results / "rates"))


def claim_text(folders: list[Path], rates: Path | None = None) -> str:
    """One row per data set and depth, and a sentence for each question, judged over the cells of all folders.

    rates: the folder of the study of fair rates, whose ratios stand beside those at the paper's rate where it is there.
    """
    answers, perturbation, fluctuation = (
        pd.concat(pd.read_csv(folder / name, dtype={"against": "str"}).assign(study=folder.name) for folder in folders)
        for name in ("answers.csv", "perturbation.csv", "fluctuation.csv")
    )
    own_rates = _own_rates(rates) if rates and rates.is_dir() else {}
    answers = judged(answers.fillna({"against": ""}).reset_index(drop=True))
    rows = []
    for (study, dataset, depth), group in answers.groupby(["study", "dataset", "depth"], sort=False):
        title = f"{dataset_title(str(dataset))}{SIZES.get(str(study), '')}"
        row: dict[str, Any] = {"data set": f"[{title}]({RESULTS}/{study}/report.md)"}
        row |= {"depth": depth, "n": "{n_a} / {n_b}".format_map(group.iloc[0])}
        for _, answer in group.iterrows():
            verdict = "" if answer["verdict"] == "holds" else f", {answer['verdict']}"
            row[QUESTIONS[answer["question"]][1].format_map(answer)] = f"{Estimate.of(answer)}{verdict}"
        if own_rates:
            ratio = own_rates.get((dataset, depth), "") if study == "figure1" else ""  # the same scale
            row[f"[each at its own rate]({RESULTS}/rates/report.md)"] = ratio
        rows.append(row)
    order = perturbation[(perturbation["source"] == "order") & (perturbation["equal"] == "updates")]
    fitted = fluctuation[fluctuation["statistic"] == FIT].groupby(["study", "dataset", "depth"])
    visible = fitted["percent_a"].max() >= 100 * VISIBLE
    ratios = {question: _reach(group) for question, group in answers.groupby("question")}
    counts = {question: _counted(group) for question, group in answers.groupby("question")}
    alone = _reach(order[order["step"].isna()])
    sentences = [
        "**Perturbed more?** Let copies of one network train an epoch on other batches and measure their errors over "
        f"other batches: with BN these lie {ratios['perturbation']} times as far apart as with the SNN, at the same "
        "error, or at equal updates where the two share no error level "
        f"({alone} times at equal updates if the order of training alone differs). {counts['perturbation']}",
        f"**Fluctuates more?** From epoch to epoch BN's curve moves {ratios['fluctuation']} times as much as the "
        f"SNN's, at the same error. {counts['fluctuation']} In {visible.sum()} of the {len(visible)} cells where this "
        "can be measured, BN's curve moves by one per cent of the error within 100 epochs, which an eye sees in a "
        "figure.",
        f"**Learns faster?** To the same error BN needs {ratios['speed']} times the updates of the SNN. "
        f"{counts['speed']}",
    ]
    return f"{markdown_table(pd.DataFrame(rows))}\n{bullets(sentences)}"


def _own_rates(folder: Path) -> dict[tuple[Any, Any], str]:
    """The ratio of updates to a level by data set and depth, each network at its own best learning rate."""
    table = pd.read_csv(folder / "rates.csv")
    table = table[(table["statistic"] == SPEED) & (table["rate"] == OWN)]
    return {(row["dataset"], row["depth"]): str(Estimate.of(row)) for _, row in table.iterrows()}


def _reach(rows: pd.DataFrame) -> str:
    """`3.2 to 41`, the range of the ratios; `3.2 to at least 41` if one of them is a bound."""
    rows = rows.dropna(subset="value")
    bound = "at least " if (rows["kind"] == "≥").any() else ""
    low, high = three_digits(rows["value"].min()), three_digits(rows["value"].max())
    return bound + low if low == high else f"{low} to {bound}{high}"


def _counted(rows: pd.DataFrame) -> str:
    """In how many cells the claim holds, and what is said of the others."""
    words = {"holds": "The claim holds in", "does not hold": "does not hold in", "undecided": "is undecided in"}
    counts = {verdict: (rows["verdict"] == verdict).sum() for verdict in words}
    others = [f"{words[verdict]} {counts[verdict]}" for verdict in ("does not hold", "undecided") if counts[verdict]]
    return f"{words['holds']} {counts['holds']} of {len(rows)} cells{'; it ' if others else ''}{' and '.join(others)}."


def between(readme: str, begin: str, end: str, text: str) -> str:
    """The README with `text` between two comments. Raises ValueError if they are not there."""
    begin, end = f"<!-- {begin} -->", f"<!-- {end} -->"
    head, found_begin, rest = readme.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not found_begin or not found_end:
        raise ValueError(f"the README has no {begin} ... {end}: put the two markers where the table belongs")
    return f"{head}{begin}\n{text}{end}{tail}"
