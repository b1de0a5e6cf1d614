"""The benchmark's numbers as a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from selfnorm.analysis.markup import markdown_table
from selfnorm.benchmark.cells import BF16, FP32, JOB, LIGHTNING, LIMIT, STEPS

PARTS = {
    "around": "Lightning, W&B, bar, checkpoints",
    "layer_moments": "moments",
    "training_error": "training error",
    "evaluation_error": "validation and test",
    "error_of_epoch": "training error, of an epoch",
}


def page(found: dict[str, Any], command: str) -> str:
    """Three tables: time, ratios, shares; then the start. Each number is a median with the range over rounds."""
    machine, start = found["machine"], found["start"]
    where = f"{machine['device']}, torch {machine['torch']}, Python {machine['python']}"
    memory = f"{start['peak_mib']:.0f} MiB at most beyond the {start['imports_mib']:.0f} MiB of the imported libraries"
    return f"""# Speed

`{command}` on {where}.
Median of {found["rounds"]} rounds (least to largest), all contenders in turn in each round; batch 128, SGD.
The plain loops and Lightning train one seed after the other and measure no error. The whole job is
one of preview scale: steps, training error, validation, moments, W&B offline, progress bar, checkpoints.

## Milliseconds per seed and step

{markdown_table(_times(found["cells"]))}
## How many times faster

{markdown_table(_ratios(found["cells"]))}
## Where the job's time goes

Shares of the whole job; the first column is what its steps cost beyond those of a bare loop.

{markdown_table(_shares(found["cells"]))}
## Start and memory

`{start["command"]}`, data cached:
{start["seconds_to_first_step"]:.1f} s to the first step (median of {start["times"]}); {memory}.
Parameters, gradients, data and one batch's activations are {start["floor_mib"]:.0f} MiB.
"""


def short_table(found: dict[str, Any]) -> str:
    """For the README: how much faster than what a user would write, and how near the limit."""
    rows = [
        _heading(cell)
        | {
            "steps, against plain PyTorch": _text(cell["steps_faster_than"][FP32]),
            "whole job, against Lightning as usual": _text(cell["job_faster_than"][LIGHTNING]),
            "steps, of the products alone": _percent(cell["of_limit"][STEPS]),
        }
        for cell in found["cells"]
    ]
    return markdown_table(pd.DataFrame(rows))


def _times(cells: list[dict[str, Any]]) -> pd.DataFrame:
    names = (FP32, BF16, LIGHTNING, JOB, STEPS, LIMIT)
    return pd.DataFrame(
        [_heading(cell) | {name: _text(cell["milliseconds"][name]) for name in names} for cell in cells]
    )


def _ratios(cells: list[dict[str, Any]]) -> pd.DataFrame:
    rows = []
    for cell in cells:
        row = _heading(cell)
        for name in (FP32, BF16, LIGHTNING):
            row[f"whole job, against {name}"] = _text(cell["job_faster_than"][name])
        row[f"steps alone, against {FP32}"] = _text(cell["steps_faster_than"][FP32])
        row |= {f"{name}, of the limit": _percent(cell["of_limit"][name]) for name in (JOB, STEPS)}
        rows.append(row)
    return pd.DataFrame(rows)


def _shares(cells: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            _heading(cell) | {label: _percent(cell["shares"][part]) for part, label in PARTS.items()}
            | {"of": cell["shares_of"]}
            for cell in cells
        ]
    )  # fmt: skip


def _heading(cell: dict[str, Any]) -> dict[str, str]:
    return {"cell": f"{cell['cell']}, {cell['precision']}"}


def _text(spread: Sequence[float]) -> str:
    return "{:.3g} ({:.3g} to {:.3g})".format(*spread)


def _percent(spread: Sequence[float]) -> str:
    return "{:.1f} % ({:.1f} to {:.1f})".format(*(100 * value for value in spread))
