"""Pictures, tables and report from runs, or from committed tables.

python scripts/report.py runs --tag figure1 --out docs/results/preview
python scripts/report.py docs/results/preview --rebuild
"""

import argparse
import dataclasses

from selfnorm.commandline import Parser, folder, interruptible, new_folder, refuse, run, word

with interruptible():
    from selfnorm.analysis.report import make_report
    from selfnorm.analysis.results import Tables, is_results, read_results
    from selfnorm.analysis.runs import load_runs
    from selfnorm.analysis.statistics import Settings


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = Parser(description=__doc__, formatter_class=raw, repeatable=("--tag",))
    parser.add_argument("source", type=folder, help="root of the runs, or a folder of committed tables")
    parser.add_argument(
        "--tag", type=word, action="append", default=[], help="only the runs of this tag (may be repeated)"
    )
    parser.add_argument("--out", type=new_folder, help="folder for all that is written (with --rebuild: the source)")
    parser.add_argument("--rebuild", action="store_true", help="from committed tables only")
    parser.add_argument("--skip", type=float, help=f"fraction of updates left out first (default {Settings.skip:g})")
    options = parser.parse_args()
    try:
        tables = _load(options)
        # Committed tables remember the window of their report, so that a rebuild gives the same numbers.
        skip = tables.provenance.get("skip", Settings.skip) if options.skip is None else options.skip
        sentences = make_report(tables, options.out or options.source, Settings(skip=skip))
    except (ValueError, OSError) as error:
        return refuse(parser.prog, error)
    print("\n".join([*sentences, f"wrote {options.out or options.source}/report.md"]))
    return 0


def _load(options: argparse.Namespace) -> Tables:
    if options.rebuild or is_results(options.source):
        if options.tag:
            raise ValueError("--tag selects runs, not committed tables: leave it out or give the root of the runs")
        return read_results(options.source)
    if options.out is None:
        raise ValueError("--out is missing: say where to write, for example --out docs/results/preview")
    tables = load_runs(options.source, tuple(options.tag), thin=True)
    tags = "".join(f" --tag {tag}" for tag in options.tag)
    command = f"python scripts/report.py {options.source}{tags} --out {options.out}"
    return dataclasses.replace(tables, provenance=tables.provenance | {"command": command})


if __name__ == "__main__":
    run(main)
