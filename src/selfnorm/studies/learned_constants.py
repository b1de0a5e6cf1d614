"""What do alpha and lambda become where they are learned?

In: Tables of +sweep=fixed_points. Out: a row per cell, seed and layer, sentences, and the section of the report.
"""

import pandas as pd

from selfnorm.analysis.comparison import usable_cells
from selfnorm.analysis.coordinates import dataset_title, paper_order
from selfnorm.analysis.results import Tables
from selfnorm.analysis.words import bullets
from selfnorm.studies.figures.fixed_points import constants_figure
from selfnorm.studies.section import Section


def learned_constants(tables: Tables) -> pd.DataFrame:
    """alpha and lambda of every layer after training, where they were learned: one row per cell, seed and layer.

    Columns: cell, dataset, depth, lr, start (the fixed point that the constants began at), seed, layer, alpha, lambda,
    and alpha_start, lambda_start.
    """
    if "alpha" not in tables.moments:
        raise ValueError("no learned constants: run +sweep=fixed_points")
    rows = tables.moments.dropna(subset="alpha").drop(columns=["dataset", "network", "depth"])
    first, last = (rows[rows["step"] == rows.groupby("cell")["step"].transform(end)] for end in ("min", "max"))
    keys, names = ["cell", "seed", "layer"], ["alpha", "lambda"]
    last = last.merge(first[keys + names], on=keys, suffixes=("", "_start"))
    named = usable_cells(tables)[0][["cell", "dataset", "depth", "lr", "fixed_point"]].astype({"depth": "int64"})
    joined = last.merge(named, on="cell")
    joined["start"] = joined["fixed_point"].str.removeprefix("learned from ")
    return joined[["cell", "dataset", "depth", "lr", "start", *keys[1:], *names, "alpha_start", "lambda_start"]]


def constants_sentences(constants: pd.DataFrame) -> list[str]:
    """Sentences on where the learned constants ended: mean over layers and seeds for each start, and range."""
    sentences = []
    groups = constants.groupby(["dataset", "depth", "lr"])
    for (dataset, depth, lr), group in sorted(groups, key=lambda group: (paper_order(str(group[0][0])), *group[0][1:])):
        seeds = group["seed"].nunique()
        parts = [f"{dataset_title(str(dataset))}, depth {depth}, lr {lr:g} (n = {seeds} seeds a start)"]
        for name in ("alpha", "lambda"):
            means = ", ".join(f"{mean:.2f} from {start}" for start, mean in group.groupby("start")[name].mean().items())
            parts.append(f"mean {name} {means} (layers {group[name].min():.2f} to {group[name].max():.2f})")
        sentences.append("; ".join(parts) + ".")
    return sentences


def section(tables: Tables, networks: tuple[str, str]) -> Section:
    """Raises ValueError when no constants were learned."""
    constants = learned_constants(tables)
    text = f"""![alpha and lambda by layer](constants.png)

Thin lines: the values they started at.

{bullets(constants_sentences(constants))}"""
    return Section("What the learned constants became", text, pictures={"constants": constants_figure(constants)})
