"""The theory's maps laid over the moments that runs recorded: table, errors, picture, report.

python scripts/prediction.py runs --tag prediction --out docs/theory/prediction
python scripts/prediction.py runs/default/mnist/selu/d8-0123abcd --out prediction
python scripts/prediction.py docs/theory/prediction --rebuild
"""

import argparse
from pathlib import Path
from typing import Any

from selfnorm.commandline import Parser, folder, interruptible, new_folder, refuse, run

with interruptible():
    import pandas as pd

    from selfnorm.analysis.prediction import TIMES, layer_table
    from selfnorm.analysis.prediction_report import is_committed, read_table, write_report, write_table
    from selfnorm.analysis.runs import load_runs
    from selfnorm.theory.overlay import overlay


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(description=__doc__, formatter_class=raw, repeatable=("--tag",))
    parser.add_argument("source", type=folder, help="a run, the root of several, or a folder of committed tables")
    parser.add_argument("--tag", action="append", default=[], help="only the runs of this tag (may be repeated)")
    parser.add_argument("--out", type=new_folder, help="folder for all that is written (with --rebuild: the source)")
    parser.add_argument("--rebuild", action="store_true", help="from committed tables only")
    options = parser.parse_args()
    out = options.out or options.source
    try:
        if not (options.rebuild or is_committed(options.source)):
            _from_runs(options)
            table, about = read_table(out)  # what is shown comes from the committed table, so a rebuild is the same
        elif options.tag:
            raise ValueError("--tag selects runs, not committed tables: leave it out or give the root of the runs")
        else:
            table, about = read_table(options.source)
        write_report(table, about, out)
    except (ValueError, OSError) as error:
        return refuse(parser.prog, error)
    print(f"wrote {out}/report.md")
    return 0


def _from_runs(options: argparse.Namespace) -> None:
    if options.out is None:
        raise ValueError("--out is missing: say where to write, for example --out docs/theory/prediction")
    tables = load_runs(options.source, tuple(options.tag))
    left_out = [f"{entry['path']}: {entry['reason']}" for entry in tables.skipped]
    parts = []
    for cell in tables.cells["cell"]:
        diverged = set(tables.seeds[(tables.seeds["cell"] == cell) & tables.seeds["diverged_step"].notna()]["seed"])
        left_out += [f"{cell}: seed {seed} diverged" for seed in sorted(diverged)]
        try:
            parts += _one_run(options.source, cell, tables.moments[tables.moments["cell"] == cell], diverged)
        except ValueError as error:
            left_out.append(f"{cell}: {error}")
    if not parts:
        raise ValueError(f"no run to predict below {options.source}; first of {len(left_out)}: {left_out[0]}")
    tags = "".join(f" --tag {tag}" for tag in options.tag)
    command = f"python scripts/prediction.py {options.source}{tags} --out {options.out}"
    write_table(pd.concat(parts), tables.provenance | {"command": command, "left_out": left_out}, options.out)


def _one_run(root: Path, cell: str, moments: pd.DataFrame, diverged: set[int]) -> list[pd.DataFrame]:
    """A table for every seed that stayed finite, at the first and at the last record."""
    from selfnorm.training.snapshots import RecordedRun  # torch, which a rebuild can do without

    run = RecordedRun(root / cell)
    job, inputs = run.job, run.inputs()
    labels: dict[str, Any] = {
        "run": root.resolve().name if cell == "." else cell,
        "dataset": job.dataset.name,
        "network": job.network,
        "depth": job.model.depth,
        "width": job.model.width or len(inputs.mean),
    }
    parts = []
    for snapshot in run.snapshots():
        if snapshot.seed in diverged:
            continue
        step = moments["step"].max() if snapshot.trained else moments["step"].min()
        recorded = moments[(moments["seed"] == snapshot.seed) & (moments["step"] == step)]
        when = {"when": TIMES[snapshot.trained], "step": step, "seed": snapshot.seed}
        parts.append(layer_table(overlay(snapshot.network, inputs), recorded, **labels, **when))
    return parts


if __name__ == "__main__":
    run(main)
