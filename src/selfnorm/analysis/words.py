"""Numbers, intervals, durations and tables as readers see them, in text, Markdown and LaTeX."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from selfnorm.analysis.bounds import Estimate, three_digits
from selfnorm.analysis.inference import MIN_SEEDS_TEST

MISSING = "–"

_LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "→": r"$\rightarrow$", "–": "--", "×": r"$\times$"}


def markdown_table(table: pd.DataFrame) -> str:
    """A GitHub table; pipes inside cells are escaped."""
    head = [str(c) for c in table.columns]
    body = [[str(v).replace("|", r"\|") for v in row] for row in table.itertuples(index=False)]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def latex_table(table: pd.DataFrame) -> str:
    r"""A tabular with \toprule, \midrule, \bottomrule: needs \usepackage{booktabs}."""
    rows = [[_escape(str(v)) for v in row] for row in table.itertuples(index=False)]
    head = [_escape(str(c)) for c in table.columns]
    body = [" & ".join(row) + r" \\" for row in rows]
    lines = [rf"\begin{{tabular}}{{{'l' * len(head)}}}", r"\toprule", " & ".join(head) + r" \\", r"\midrule"]
    return "\n".join([*lines, *body, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _escape(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def number(value: float) -> str:
    """Three significant digits without an exponent where that is readable."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def interval(value: float, low: float = np.nan, high: float = np.nan) -> str:
    """`4.1 (3.2 to 5.3)`, the number alone without an interval, or a dash where there is no number."""
    if np.isnan(value):
        return MISSING
    return number(value) if np.isnan(low) else f"{number(value)} ({number(low)} to {number(high)})"


def percent(value: float) -> str:
    """Two significant digits and never an exponent; `value` is in per cent."""
    return f"{np.format_float_positional(value, precision=2, fractional=False, trim='-')} %"


def times(ratio: Estimate) -> str:
    """`3.2 times (2.9 to 3.6)`, or `at least 3.2 times` for a bound."""
    if ratio.kind == "=":
        value, _, interval = str(ratio).partition(" ")
        return f"{value} times {interval}"
    return f"{ {'≥': 'at least', '≤': 'at most'}[ratio.kind] } {three_digits(ratio.value)} times"


def p_value(p: Any) -> str:
    """Two significant digits, or a dash where there was no test."""
    return MISSING if pd.isna(p) else f"{p:.2g}"


def duration(seconds: float) -> str:
    """`95 s`, `12 min` or `3.4 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def evidence(row: Mapping[Any, Any]) -> str:
    """The interval, n and p of a row of a comparison in words."""
    text = f"95 % interval {number(row['low'])} to {number(row['high'])}" if row["kind"] == "=" else "a bound"
    text += f", n = {row['n_a']} against {row['n_b']} seeds"
    if np.isnan(row["p"]):
        return f"{text}, no p-value below {MIN_SEEDS_TEST} seeds"
    family = f"{row['num_cells']} comparison{'s' if row['num_cells'] > 1 else ''}"
    return f"{text}, p = {row['p_holm']:.2g} after Holm over {family}"


def bullets(sentences: Iterable[str]) -> str:
    """A Markdown list, an item a line."""
    return "".join(f"- {sentence}\n" for sentence in sentences)


def provenance_lines(provenance: Mapping[str, Any], num_cells: int) -> str:
    """Command, machine, time, versions and commit, as far as the runs recorded them."""
    environment: dict[str, list[str]] = provenance.get("environment", {})
    lines = [f"Report: `{provenance['command']}`."] if provenance.get("command") else []
    lines.append(f"Runs: {num_cells} cells, {duration(float(provenance.get('seconds', 0.0)))} of training in all.")
    if environment:
        entries = ((key, [v for v in values if v != "None"]) for key, values in environment.items())
        lines.append("Environment: " + "; ".join(f"{k}: {_few(v)}" for k, v in entries if v) + ".")
    else:
        lines.append("Environment: not recorded by the runs.")
    return "\n\n".join(lines) + "\n"


def _few(values: list[str]) -> str:
    """All values while they are few; else their number and the first (each run has a command of its own)."""
    return ", ".join(values) if len(values) <= 3 else f"{len(values)} different ones, such as {values[0]}"
