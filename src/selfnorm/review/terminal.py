"""The overview as a plain table of text.

In: the overview of a Catalogue. Out: lines for a terminal, with names free of control characters.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from selfnorm.commandline import one_line

# Columns and how each is aligned
HEAD = {
    "state": str.ljust, "data set": str.ljust, "network": str.ljust, "depth": str.rjust, "n": str.rjust,
    "training error": str.rjust, "fluctuation (95 %)": str.rjust, "steps": str.rjust, "time": str.rjust,
    "run": str.ljust,
}  # fmt: skip


def run_list(overview: Mapping[str, Any], filters: Mapping[str, Sequence[str] | None]) -> str:
    """Return a line per run, sorted by folder, and without filters one per folder that holds no readable run.

    filters: key of a row -> accepted values, None for all. Raises ValueError naming a value that no run has.
    """
    runs = overview["runs"]
    for key, wanted in filters.items():
        known = sorted({str(row[key]) for row in runs})
        if missing := [value for value in wanted or () if value not in known]:
            found = len(overview["problems"])
            unread = (
                f"; not counted: folders without a readable run ({found}), which the whole list names" if found else ""
            )
            there = ", ".join(map(one_line, known)) or "none"
            raise ValueError(f"no run with {key} {missing[0]!r}; there: {there}{unread}")
        runs = [row for row in runs if wanted is None or str(row[key]) in wanted]
    rows = [tuple(HEAD), *map(_texts, sorted(runs, key=lambda row: row["id"]))]
    lines = _aligned(rows) if runs else ["no run here yet"]
    if not any(filters.values()):
        lines += [f"not shown: {one_line(p['path'])}: {one_line(p['reason'])}" for p in overview["problems"]]
    return "\n".join(lines)


def _texts(row: Mapping[str, Any]) -> tuple[str, ...]:
    n = f"{row['n'] - row['diverged']}/{row['n']}" if row["diverged"] else str(row["n"])
    error = _number(row["error"]) + (f" ± {row['error_sd']:.2g}" if row["error_sd"] is not None else "")
    fluctuation = _number(row.get("fluctuation"))
    if row.get("fluctuation_low") is not None:
        fluctuation += f" ({row['fluctuation_low']:.3g} to {row['fluctuation_high']:.3g})"
    step = "-" if row["step"] is None else str(row["step"])
    words = (row["state"], row["dataset_title"], row["name"], str(row["depth"]), n, error, fluctuation, step)
    return tuple(map(one_line, (*words, _time(row["seconds"]), row["id"])))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _time(seconds: float | None) -> str:
    if not seconds:
        return "-"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    columns = zip(*rows, strict=True)
    aligned = zip(columns, HEAD.values(), strict=True)
    padded = [[align(text, max(map(len, column))) for text in column] for column, align in aligned]
    return ["  ".join(texts).rstrip() for texts in zip(*padded, strict=True)]
