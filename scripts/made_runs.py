"""Write runs that were never trained (tag made), to try the page, the list and the report on many of them.

python scripts/made_runs.py /tmp/many --number 1000
python scripts/review.py /tmp/many
"""

import argparse

from selfnorm.commandline import Parser, new_folder, refuse, run


def main() -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=new_folder, help="folder for the runs; none of them may be there yet")
    parser.add_argument("--number", type=int, default=24, help="how many (default 24)")
    options = parser.parse_args()
    from selfnorm.benchmark.many_runs import TAG, write_many  # torch: seconds

    try:
        write_many(options.root, options.number)
    except (ValueError, FileExistsError) as error:
        return refuse(parser.prog, error)
    print(f"wrote {options.number} runs below {options.root / TAG}")
    return 0


if __name__ == "__main__":
    run(main)
