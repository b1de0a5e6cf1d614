"""Fetch data sets into the cache and verify them: python scripts/fetch.py mnist cifar10 --data-dir data

The exit code is 1, with a message for each data set, if no source supplies a data set.
"""

import sys

from selfnorm.commandline import Parser, data_folder, new_folder, run
from selfnorm.data.cache import DataUnavailable, ensure
from selfnorm.data.datasets import DATASETS


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("datasets", nargs="+", choices=DATASETS, metavar="DATASET", help=", ".join(DATASETS))
    parser.add_argument(
        "--data-dir", type=new_folder, default=data_folder(), help="the cache (default: SELFNORM_DATA or data)"
    )
    arguments = parser.parse_args()
    if repeated := sorted({name for name in arguments.datasets if arguments.datasets.count(name) > 1}):
        parser.error(f"{', '.join(repeated)} given more than once")
    status = 0
    for name in arguments.datasets:
        try:
            folder = ensure(DATASETS[name], arguments.data_dir)
            print(f"{name}: verified in {folder}" if DATASETS[name].files else f"{name}: nothing to fetch")
        except DataUnavailable as error:
            print(error, file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    run(main)
