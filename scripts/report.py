"""Pictures, tables and report from runs, or from committed tables.

python scripts/report.py runs --tag figure1 --out docs/results/figure1
python scripts/report.py docs/results/figure1 --rebuild
python scripts/report.py runs --tag architectures --compare LN SNN --out docs/results/layer_norm
"""

import argparse
import dataclasses
import shlex

from selfnorm.commandline import Parser, folder, interruptible, new_folder, refuse, run, word

with interruptible():
    from selfnorm.analysis.comparison import NETWORKS
    from selfnorm.analysis.pooling import pool_seeds
    from selfnorm.analysis.results import Tables, is_results, read_results
    from selfnorm.analysis.runs import load_runs
    from selfnorm.studies.report import make_report


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("source", type=folder, help="root of the runs, or a folder of committed tables")
    parser.add_argument(
        "--tag", type=word, action="append", default=[], help="only the runs of this tag (may be repeated)"
    )
    parser.add_argument("--out", type=new_folder, help="folder for all that is written (with --rebuild: the source)")
    parser.add_argument("--rebuild", action="store_true", help="from committed tables only")
    parser.add_argument(
        "--compare",
        type=word,
        nargs=2,
        metavar=("A", "B"),
        help=f"two networks by their names in the tables; ratios are A / B (default {' '.join(NETWORKS)})",
    )
    options = parser.parse_args()
    try:
        tables = _load(options)
        sentences = make_report(tables, options.out or options.source, _networks(options, tables))
    except (ValueError, OSError) as error:
        return refuse(parser.prog, error)
    written = options.out or options.source
    print("\n".join([*sentences, f"wrote {written}/report.md and its pictures; look at the runs with: make review"]))
    return 0


def _networks(options: argparse.Namespace, tables: Tables) -> tuple[str, str]:
    """The networks asked for, else those that the committed tables remember: a rebuild gives the same numbers."""
    present = sorted(tables.cells["network"].unique())
    if missing := [name for name in options.compare or () if name not in present]:
        raise ValueError(f"--compare {missing[0]}: no run is of that network; there: {', '.join(present)}")
    a, b = options.compare or tables.provenance.get("compare", NETWORKS)
    return a, b


def _load(options: argparse.Namespace) -> Tables:
    if options.rebuild or is_results(options.source):
        if options.tag:
            raise ValueError("--tag selects runs, not committed tables: leave it out or give the root of the runs")
        return read_results(options.source)
    if options.out is None:
        raise ValueError("--out is missing: say where to write, for example --out docs/results/figure1")
    tables = pool_seeds(load_runs(options.source, tuple(options.tag), thin=True))
    source = "runs" if options.source.is_absolute() else str(options.source)  # a path of one machine helps nobody
    out = options.out.name if options.out.is_absolute() else str(options.out)
    tags = [word for tag in options.tag for word in ("--tag", tag)]
    command = shlex.join(["python", "scripts/report.py", source, *tags, "--out", out])
    return dataclasses.replace(tables, provenance=tables.provenance | {"command": command})


if __name__ == "__main__":
    run(main)
