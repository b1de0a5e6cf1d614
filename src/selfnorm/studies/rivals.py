"""The rivals of SNN and BN: what the theory predicted of each, what was measured, and how each trains at its own rate.

In: configurations, before anything was trained, or Tables of +sweep=rivals with that prediction. Out: the prediction;
tables of predicted against measured, of own rates, and of each network against the SNN; the section of the report.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.comparison import NETWORKS, usable_cells
from selfnorm.analysis.coordinates import PAPER_RATE, coordinates, dataset_title
from selfnorm.analysis.curves import seed_curves
from selfnorm.analysis.inference import holm, mean_interval
from selfnorm.analysis.perturbation import at_end, spreads
from selfnorm.analysis.ranks import Ranks, average_ranks, paired_p
from selfnorm.analysis.results import Tables
from selfnorm.analysis.words import MISSING, interval, markdown_table, number, p_value
from selfnorm.studies.figures.rivals import errors_figure, predicted_figure
from selfnorm.studies.rates import COMMON, OWN, rate_score
from selfnorm.studies.section import Section, Table
from selfnorm.theory.expected import expected_chain

PREDICTED = {"variance": "activation_variance", "cosine": "activation_cosine"}  # quantity -> column of the moments
GRADIENT = "gradient"  # log10 of the mean square of the gradient at a layer over that at the last
TRAINS = 0.5  # a network trains if its training error falls below this share of what it was at first
OUTCOMES = {"training_error": "training error", "test_error": "test error", "spread": "spread of forks"}


def predict(configurations: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """What the theory says of each network and depth before training, whatever the data and the learning rate.

    Columns: network, depth, layer, variance and cosine (of two samples) of the activations, gradient (GRADIENT; NaN
    where none arrives). Inputs are standardized and uncorrelated.
    """
    found: dict[tuple[str, int], pd.DataFrame] = {}
    for configuration in configurations:
        row = coordinates(configuration)
        key = str(row["network"]), int(row["depth"])
        if key in found:
            continue
        chain = expected_chain(configuration)
        gradient = np.append(np.cumsum(np.log10(chain.chi)[::-1])[::-1], 0.0)
        columns = {name: getattr(chain, column) for name, column in PREDICTED.items()} | {GRADIENT: gradient}
        found[key] = pd.DataFrame({"network": key[0], "depth": key[1], "layer": range(1, key[1] + 1), **columns})
    return pd.concat(found.values(), ignore_index=True)


def measured(tables: Tables) -> pd.DataFrame:
    """The same before the first update: dataset and the columns of `predict`, and the sd of each over the seeds.

    Learning rates do not matter yet, so that the first cell of a network stands for all of them.
    """
    cells = usable_cells(tables)[0].drop_duplicates(["dataset", "depth", "network"])
    start = tables.moments[(tables.moments["step"] == 0) & tables.moments["cell"].isin(cells["cell"])]
    last = start.groupby(["cell", "seed"])["layer"].transform("max")
    ends = start[start["layer"] == last].set_index(["cell", "seed"])["gradient_second_moment"]
    at_end_of = ends.loc[pd.MultiIndex.from_frame(start[["cell", "seed"]])].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        gradient = np.log10(start["gradient_second_moment"].to_numpy() / at_end_of)
    start = start.rename(columns={column: name for name, column in PREDICTED.items()}).assign(**{GRADIENT: gradient})
    groups = start.groupby(["dataset", "network", "depth", "layer"])[[*PREDICTED, GRADIENT]]
    return groups.mean().join(groups.std().add_suffix("_sd")).reset_index()


def own_rates(tables: Tables) -> pd.DataFrame:
    """Each network's own rate and what it reaches there and at the rate of the paper.

    Columns: dataset, depth, network, rate (`own`, `common`), lr, edge (is the own rate at an end of the grid?), n,
    training_error, test_error (fraction), spread (of forks, fraction of the error): geometric means over seeds with
    _low and _high; trains (see TRAINS). Without a rate at which no seed diverges a network has no row `own`.
    """
    cells = usable_cells(tables)[0]
    rows: list[dict[str, Any]] = []
    for (dataset, depth, network), group in cells.groupby(["dataset", "depth", "network"]):
        grid = group.sort_values("lr")
        scores = np.array([rate_score(tables, str(cell)) for cell in grid["cell"]])
        names = {"dataset": dataset, "depth": depth, "network": network}
        best = int(scores.argmin())
        if np.isfinite(scores[best]):
            edge = best in (0, len(grid) - 1)
            rows.append(names | {"rate": OWN, "edge": edge} | _reached(tables, grid.iloc[best]))
        for _, cell in grid[np.isclose(grid["lr"], PAPER_RATE)].iterrows():
            rows.append(names | {"rate": COMMON, "edge": False} | _reached(tables, cell))
    return pd.DataFrame(rows)


def _reached(tables: Tables, cell: pd.Series) -> dict[str, Any]:
    curves = seed_curves(tables, str(cell["cell"]))
    row: dict[str, Any] = {"lr": cell["lr"], "n": len(curves.seeds), "trains": False}
    if not curves.seeds:
        return row
    forks = tables.forks[(tables.forks["cell"] == cell["cell"]) & tables.forks["seed"].isin(curves.seeds)]
    ends = at_end(spreads(forks)).dropna(subset="log_sd") if len(forks) else pd.DataFrame({"log_sd": []})
    logs = {"training_error": curves.logs_RT[:, -1]}
    if (curves.test_errors_R > 0).all():
        logs["test_error"] = np.log(curves.test_errors_R)
    if len(ends):
        logs["spread"] = ends.groupby("seed")["log_sd"].mean().to_numpy()
    for name, values in logs.items():
        row |= dict(zip((name, f"{name}_low", f"{name}_high"), mean_interval(values), strict=True))
    first = float(np.exp(curves.logs_RT[:, 0].mean()))
    return row | {"trains": bool(row["training_error"] < TRAINS * first)}


def against(table: pd.DataFrame, base: str) -> pd.DataFrame:
    """Each network over `base`, both at their own rates, over all data sets and depths.

    Columns: network, outcome, value, low, high (geometric mean of the ratios over the blocks, 95 % t interval), blocks
    (data set and depth), p (Wilcoxon's, over blocks), p_holm (over the networks of an outcome).
    """
    own = table[table["rate"] == OWN].set_index(["dataset", "depth"])
    rows = []
    for outcome in OUTCOMES:
        if outcome not in own:
            continue
        values = own.pivot_table(index=["dataset", "depth"], columns="network", values=outcome)
        for network in values.columns.drop(base, errors="ignore") if base in values else ():
            logs = (np.log(values[network]) - np.log(values[base])).dropna().to_numpy()
            if len(logs):
                value, low, high = mean_interval(logs)
                row = {"network": network, "outcome": outcome, "value": value, "low": low, "high": high}
                rows.append(row | {"blocks": len(logs), "p": paired_p(logs)})
    found = pd.DataFrame(rows, columns=["network", "outcome", "value", "low", "high", "blocks", "p"])
    return found.assign(p_holm=found.groupby("outcome")["p"].transform(lambda p: holm(p.to_numpy())))


def ranks(table: pd.DataFrame) -> dict[str, Ranks]:
    """Average ranks by training and by test error at own rates; a network that trains at no rate comes last."""
    own = table[table["rate"] == OWN]
    found = {}
    for outcome in ("training_error", "test_error"):
        values = own.pivot_table(index=["dataset", "depth"], columns="network", values=outcome)
        found[outcome] = average_ranks(values.fillna(np.inf))
    return found


def predicted_view(predicted: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """One readable row per network, for the last layer of the deepest: predicted, then measured by data set."""
    deepest = predicted["depth"].max()
    rows = []
    for network, group in predicted[predicted["depth"] == deepest].groupby("network", sort=False):
        row: dict[str, Any] = {"network": network}
        for quantity, words in (*PREDICTED.items(), (GRADIENT, "log10 gradient, first / last layer")):
            layer = 1 if quantity == GRADIENT else deepest
            named = words.replace("activation_", "")
            row[f"{named}, predicted"] = _fixed(group.set_index("layer")[quantity].get(layer, np.nan))
            for dataset, here in found[(found["network"] == network) & (found["depth"] == deepest)].groupby("dataset"):
                one = here[here["layer"] == layer].iloc[0]
                spread = f" ± {_fixed(one[f'{quantity}_sd'])}" if np.isfinite(one[f"{quantity}_sd"]) else ""
                row[f"{named}, {dataset_title(str(dataset))}"] = f"{_fixed(one[quantity])}{spread}"
        rows.append(row)
    return pd.DataFrame(rows)


def _fixed(value: float) -> str:
    if not np.isfinite(value):
        return MISSING
    text = f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.3g}"
    return "0" if abs(value) < 1e-12 else text


def own_view(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """One readable row per network of a data set: final training error by depth, its own rate in brackets."""
    here = table[table["dataset"] == dataset]
    depths = sorted(here["depth"].unique())
    rows = []
    for network, group in here.groupby("network"):
        row: dict[str, Any] = {"network": network}
        for depth in depths:
            own = group[(group["depth"] == depth) & (group["rate"] == OWN)]
            row[f"depth {depth}"] = _reached_words(own.iloc[0]) if len(own) else "diverges at every rate"
        common = group[(group["rate"] == COMMON) & group["trains"]]
        rate = number(group.loc[group["rate"] == COMMON, "lr"].iloc[0]) if (group["rate"] == COMMON).any() else ""
        row[f"trains at {rate}, depths"] = ", ".join(map(str, sorted(common["depth"]))) or "none"
        rows.append(row)
    return pd.DataFrame(rows)


def _reached_words(row: pd.Series) -> str:
    return f"{number(row['training_error'])} ({row['lr']:g}{', edge' if row['edge'] else ''})"


def against_view(table: pd.DataFrame, ranked: Mapping[str, Ranks], base: str) -> pd.DataFrame:
    """One readable row per network: average ranks, and the ratios to `base`."""
    rows = []
    for network, rank in ranked["training_error"].average.items():
        row = {"network": network, "rank by training error": f"{rank:.1f}"}
        row["rank by test error"] = f"{ranked['test_error'].average[str(network)]:.1f}"
        for outcome, words in OUTCOMES.items():
            one = table[(table["network"] == network) & (table["outcome"] == outcome)]
            row[f"{words}, / {base}"] = _ratio_words(one.iloc[0]) if len(one) else ""
        rows.append(row)
    return pd.DataFrame(rows)


def _ratio_words(row: pd.Series) -> str:
    return f"{interval(row['value'], row['low'], row['high'])}, p {p_value(row['p_holm'])}"


def section(tables: Tables, networks: tuple[str, str] = NETWORKS) -> Section:
    """Raises ValueError where nothing was predicted, or fewer than three networks were trained."""
    if tables.predicted.empty:
        raise ValueError("nothing was predicted before training: python scripts/predict.py +sweep=rivals")
    base = networks[1]
    found, table = measured(tables), own_rates(tables)
    compared, ranked = against(table, base), ranks(table)
    views = {str(dataset): own_view(table, str(dataset)) for dataset in table["dataset"].unique()}
    deepest = int(tables.predicted["depth"].max())
    shown = predicted_view(tables.predicted, found)
    by_dataset = "".join(f"**{dataset_title(name)}**\n\n{markdown_table(view)}\n" for name, view in views.items())
    errors = ranked["training_error"]
    text = f"""![Cosine and gradient by layer of {deepest}: lines were predicted, points measured](predicted.png)

Before training, in the last of {deepest} layers: what the theory said of wide layers (predicted.csv, committed before \
the runs), and the mean ± standard deviation over seeds that was measured.

{markdown_table(shown)}
![Final training error by depth, each network at its own learning rate](rivals.png)

Final training error at each network's own rate (in brackets; the lowest validation error, mean over seeds, among the \
rates at which no seed diverged; edge: at an end of the grid).

{by_dataset}Over {errors.num_blocks} pairs of data set and depth, each network at its own rate: average ranks (two \
that lie {number(errors.critical)} apart differ at 5 %, Nemenyi), and geometric means of the ratios to {base} \
with 95 % intervals; p of Wilcoxon's test over the pairs, after Holm.

{markdown_table(against_view(compared, ranked, base))}"""
    files = {"rivals": Table(table), "rivals_against": Table(compared, against_view(compared, ranked, base))}
    files |= {"rivals_measured": Table(found, shown)}
    pictures = {"predicted": predicted_figure(tables.predicted, found), "rivals": errors_figure(table)}
    return Section("Rivals: predicted, then measured", text, files, pictures)
