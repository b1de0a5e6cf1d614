"""Compare any groups of runs: ratios with intervals, tests and verdicts, over one data set or several.

python scripts/compare.py mish selu                       (two tags; TAG:NETWORK names one of its networks)
python scripts/compare.py runs/.../d16-1 runs/.../d16-2   (two run folders)
python scripts/compare.py results.csv --out comparison    (any tracker's table: run, seed, step, value, and dataset)
"""

from collections import Counter
from pathlib import Path

from selfnorm.commandline import Parser, folder, interruptible, new_folder, refuse, run, runs_folder, word

with interruptible():
    import pandas as pd

    from selfnorm.analysis.figures.style import house_style
    from selfnorm.analysis.pooling import pool_seeds
    from selfnorm.analysis.runs import load_runs
    from selfnorm.runs.files import write_atomically
    from selfnorm.studies.groups import COLUMNS, Group, group_of_runs, groups_of_table, section
    from selfnorm.studies.report import write_section


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("groups", type=word, nargs="+", help="run folders, tags, TAG:NETWORK, or one CSV file")
    where = "root of the tags (default: SELFNORM_RUNS or runs)"
    parser.add_argument("--runs", type=folder, default=runs_folder(), help=where)
    parser.add_argument("--higher", action="store_true", help="in the CSV file a higher value is better")
    parser.add_argument("--out", type=new_folder, help="folder for compare.md, ratios.csv and the pictures")
    options = parser.parse_args()
    try:
        groups = _groups(options.groups, options.runs, higher=options.higher)
        with house_style():
            part = section(groups, higher=options.higher)
            if options.out:
                options.out.mkdir(parents=True, exist_ok=True)
                write_section(part, options.out)
                write_atomically(options.out / "compare.md", f"# {part.title}\n\n{part.text}")
    except (ValueError, OSError) as error:
        return refuse(parser.prog, error)
    lines = [line for line in part.text.splitlines() if not line.startswith("![")]  # a terminal shows no pictures
    print(f"wrote {options.out}/compare.md" if options.out else "\n".join(lines).strip())
    return 0


def _groups(names: list[str], runs: Path, *, higher: bool) -> list[Group]:
    if len(names) == 1 and names[0].endswith(".csv"):
        groups = groups_of_table(_table(names[0]), higher=higher)
    elif higher:
        raise ValueError("--higher is for a CSV file; of the runs' own errors the lower is better")
    else:
        groups = [_of_runs(name, runs) for name in names]
    if len(groups) < 2:
        raise ValueError(f"{names[0]}: one group; name two or more, or a CSV file with two runs")
    if twice := [name for name, count in Counter(group.name for group in groups).items() if count > 1]:
        raise ValueError(f"{', '.join(twice)}: named twice; give each group once")
    return groups


def _table(path: str) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a CSV table ({error})") from None
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file; give a CSV file with the columns {', '.join(COLUMNS)}") from None


def _of_runs(name: str, runs: Path) -> Group:
    if Path(name).is_dir():
        return group_of_runs(name.rstrip("/"), pool_seeds(load_runs(Path(name), thin=True)))
    tag, _, network = name.partition(":")
    return group_of_runs(name, pool_seeds(load_runs(runs, (tag,), thin=True)), network or None)


if __name__ == "__main__":
    run(main)
