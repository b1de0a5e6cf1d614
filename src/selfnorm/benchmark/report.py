"""The benchmark's numbers as a Markdown page, and as the README's table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from selfnorm.analysis.words import interval, markdown_table

Show = Callable[[float, float, float], str]  # median, least, largest


def page(measured: dict[str, Any], command: str) -> str:
    """Show times, ratios and shares, then the start. Each number is a median with the range over rounds."""
    machine, start, cells = measured["machine"], measured["start"], measured["cells"]
    where = f"{machine['device']}, torch {machine['torch']}, Python {machine['python']}"
    memory = f"{start['peak_mib']:.0f} MiB at most beyond the {start['imports_mib']:.0f} MiB of the imported libraries"
    shares = _table(cells, shares=_percent)
    shares["of"] = [cell["shares_of"] for cell in cells]
    return f"""# Speed

`{command}` on {where}.
Median of {measured["rounds"]} rounds (least to largest), all contenders in turn in each round; batch 128, SGD.
The plain loops and Lightning train one seed after the other and measure no error. The whole job is
one of preview scale: steps, training error, validation, moments, W&B offline, progress bar, checkpoints.

## Milliseconds per seed and step

{markdown_table(_table(cells, milliseconds=interval))}
## How many times faster

{markdown_table(_table(cells, faster=interval, of_limit=_percent))}
## Where the job's time goes

Shares of the whole job; the first column is what its steps cost beyond those of a bare loop.

{markdown_table(shares)}
## Start and memory

`{start["command"]}`, data cached:
{start["seconds_to_first_step"]:.1f} s to the first step (median of {start["times"]}); {memory}.
Parameters, gradients, data and one batch's activations are {start["floor_mib"]:.0f} MiB.
"""


def short_table(measured: dict[str, Any]) -> str:
    """Say in the README how much faster than a user's own loop the project is, and how near the limit."""
    columns = {
        "steps alone, against plain PyTorch, fp32": "steps, against plain PyTorch",
        "whole job, against Lightning as usual, fp32": "whole job, against Lightning as usual",
        "this pipeline, steps alone, of the limit": "steps, of the products alone",
    }
    table = _table(measured["cells"], faster=interval, of_limit=_percent)
    return markdown_table(table[["cell", *columns]].rename(columns=columns))


def _table(cells: list[dict[str, Any]], **groups: Show) -> pd.DataFrame:
    """A row for each cell; the columns are the entries of its groups of numbers, shown by the group's function."""
    return pd.DataFrame(
        {"cell": f"{cell['cell']}, {cell['precision']}"}
        | {label: show(*numbers) for group, show in groups.items() for label, numbers in cell[group].items()}
        for cell in cells
    )


def _percent(*numbers: float) -> str:
    return "{:.1f} % ({:.1f} to {:.1f})".format(*(100 * number for number in numbers))
