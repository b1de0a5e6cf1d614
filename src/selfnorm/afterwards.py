"""Values that a finished run leaves for its readers on W&B: pictures, and the fluctuation of its training error.

In: the run folder. Out: values to log. `train.py` imports this module when a run has ended, so that no run waits for
analysis and drawing before its first step.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import wandb
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from selfnorm.analysis.comparison import describe_cells
from selfnorm.analysis.figures.one_run import error_figure, layers_figure, theory_figure
from selfnorm.analysis.figures.style import house_style
from selfnorm.analysis.runs import load_runs
from selfnorm.runs.reading import read_activation, read_config
from selfnorm.theory.expected import expected

DPI = 110


def last_values(folder: Path) -> dict[str, Any]:
    """`pictures/error`, `pictures/layers`, `pictures/theory` and `fluctuation`, as far as the run's files allow."""
    tables = load_runs(folder)
    values: dict[str, Any] = {}
    with house_style():
        for name, figure in (
            ("error", lambda: error_figure(tables)),
            ("layers", lambda: layers_figure(tables)),
            ("theory", lambda: theory_figure(tables, _theory(folder))),
        ):
            with suppress(ValueError):
                values[f"pictures/{name}"] = _picture(figure)
    cells = describe_cells(tables)
    if "fluctuation" in cells:
        values["fluctuation"] = float(cells["fluctuation"].iloc[0])
    return values


def _picture(draw: Callable[[], Any]) -> wandb.Image:
    figure = draw()
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return wandb.Image(Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB"))


def _theory(folder: Path) -> dict[str, dict[str, list[float]]]:
    theory = expected(read_config(folder), read_activation(folder))
    titles = theory["titles"]
    return {column: {titles[n]: v for n, v in curves.items()} for column, curves in theory["curves"].items()}
