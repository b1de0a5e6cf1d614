"""What W&B has no panel for, made by a run at its end from its own tidy files.

In: the run folder. Out: values to log: pictures (error with band, layers by step, theory against measurement), and the
fluctuation of the training error. What a run has not recorded is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

DPI = 110


def final_values(folder: Path) -> dict[str, Any]:
    """`pictures/error`, `pictures/layers`, `pictures/theory` and `fluctuation`, as far as the files allow."""
    from selfnorm.analysis.comparison import describe_cells
    from selfnorm.analysis.figures.one_run import error_figure, layers_figure, theory_figure
    from selfnorm.analysis.figures.style import house_style
    from selfnorm.analysis.runs import load_runs

    tables = load_runs(folder)
    found: dict[str, Any] = {}
    with house_style():
        for name, figure in (
            ("error", lambda: error_figure(tables)),
            ("layers", lambda: layers_figure(tables)),
            ("theory", lambda: theory_figure(tables, _theory(folder))),
        ):
            with suppress(ValueError):
                found[f"pictures/{name}"] = _picture(figure)
    described = describe_cells(tables)
    if "fluctuation" in described:
        found["fluctuation"] = float(described["fluctuation"].iloc[0])
    return found


def _picture(draw: Callable[[], Any]) -> Any:
    import wandb
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure = draw()
    figure.set_dpi(DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return wandb.Image(Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba()).convert("RGB"))


def _theory(folder: Path) -> dict[str, dict[str, list[float]]]:
    import yaml

    from selfnorm.review.expected import expected

    theory = expected(yaml.safe_load((folder / "config.yaml").read_text()))
    titles = theory["titles"]
    return {column: {titles[n]: v for n, v in curves.items()} for column, curves in theory["curves"].items()}
