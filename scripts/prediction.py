"""The theory's maps laid over the moments that runs recorded: table, errors, picture, report.

python scripts/prediction.py runs --tag prediction --out docs/theory/prediction
python scripts/prediction.py runs/default/mnist/selu/d8-0123abcd --out prediction
python scripts/prediction.py docs/theory/prediction --rebuild
"""

import argparse
import shlex
from pathlib import Path

from selfnorm.commandline import Parser, data_folder, folder, interruptible, new_folder, refuse, run

with interruptible():
    from selfnorm.studies.prediction_report import is_committed, predict_runs, read_table, write_report, write_table
    from selfnorm.theory.prediction import Inputs


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("source", type=folder, help="a run, the root of several, or a folder of committed tables")
    parser.add_argument("--tag", action="append", default=[], help="only the runs of this tag (may be repeated)")
    parser.add_argument("--out", type=new_folder, help="folder for all that is written (with --rebuild: the source)")
    parser.add_argument("--rebuild", action="store_true", help="from committed tables only")
    options = parser.parse_args()
    out = options.out or options.source
    committed = options.rebuild or is_committed(options.source)
    try:
        if committed and options.tag:
            raise ValueError("--tag selects runs, not committed tables: leave it out or give the root of the runs")
        if not committed:
            _from_runs(options)
        table, about = read_table(options.source if committed else out)  # always read: a rebuild gives the same bytes
        write_report(table, about, out)
    except (ValueError, OSError) as error:
        return refuse(parser.prog, error)
    print(f"wrote {out}/report.md")
    return 0


def _from_runs(options: argparse.Namespace) -> None:
    if options.out is None:
        raise ValueError("--out is missing: say where to write, for example --out docs/theory/prediction")
    from selfnorm.data.splits import load_splits
    from selfnorm.networks.snapshots import RecordedRun  # needs torch, which a rebuild does without

    def open_run(run_folder: Path) -> tuple[RecordedRun, Inputs]:
        run = RecordedRun(run_folder)
        dataset, recorded = run.job.dataset, Path(run.job.data_dir)
        data_dir = recorded if recorded.is_dir() else data_folder()  # the run may come from another machine
        splits = load_splits(
            dataset.declaration, data_dir=data_dir, train_limit=dataset.train_limit, standardize=dataset.standardize
        )
        return run, run.inputs(splits.train.x_NF)

    table, about = predict_runs(options.source, options.tag, open_run)
    tags = [word for tag in options.tag for word in ("--tag", tag)]
    command = shlex.join(["python", "scripts/prediction.py", str(options.source), *tags, "--out", str(options.out)])
    write_table(table, about | {"command": command}, options.out)


if __name__ == "__main__":
    run(main)
