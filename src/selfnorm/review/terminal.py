"""The overview as a plain table of text.

In: the overview of a Catalogue. Out: lines for a terminal; names are stripped of what a terminal would obey.
"""

from collections.abc import Mapping, Sequence
from typing import Any

HEAD = ("state", "data set", "network", "depth", "n", "training error", "fluctuation (95 %)", "steps", "time", "run")
_RIGHT = {"depth", "n", "training error", "fluctuation (95 %)", "steps", "time"}


def run_list(overview: Mapping[str, Any], filters: Mapping[str, Sequence[str] | None]) -> str:
    """A line per run, sorted by folder, then one per folder that holds no readable run (not where runs are filtered).

    filters: key of a row -> accepted values, None for all. Raises ValueError naming a value that no run has.
    """
    runs = overview["runs"]
    for key, wanted in filters.items():
        there = sorted({str(row[key]) for row in runs})
        if missing := [value for value in wanted or () if value not in there]:
            raise ValueError(f"no run with {key} {missing[0]!r}; there: {', '.join(map(_printable, there)) or 'none'}")
        runs = [row for row in runs if wanted is None or str(row[key]) in wanted]
    lines = _aligned([HEAD, *map(_cells, sorted(runs, key=lambda row: row["id"]))]) if runs else ["no run here yet"]
    if not any(filters.values()):
        lines += [f"not shown: {_printable(p['path'])}: {_printable(p['reason'])}" for p in overview["problems"]]
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    n = f"{row['n'] - row['diverged']}/{row['n']}" if row["diverged"] else str(row["n"])
    error = _number(row["error"]) + (f" ± {row['error_sd']:.2g}" if row["error_sd"] is not None else "")
    low, high = row.get("fluctuation_low"), row.get("fluctuation_high")
    fluctuation = _number(row.get("fluctuation"))
    if low is not None and high is not None:
        fluctuation += f" ({low:.3g} to {high:.3g})"
    step = "-" if row["step"] is None else str(row["step"])
    words = (row["state"], row["dataset_title"], row["network"], str(row["depth"]), n, error, fluctuation, step)
    return tuple(map(_printable, (*words, _time(row["seconds"]), row["id"])))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _time(seconds: float | None) -> str:
    if not seconds:
        return "-"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _printable(text: str) -> str:
    """Control characters, with which a folder's name could rewrite the screen, as question marks."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if name in _RIGHT else text.ljust(width)
            for text, width, name in zip(row, widths, HEAD, strict=True)
        ).rstrip()
        for row in rows
    ]
