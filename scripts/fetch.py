"""Fetches data sets into the cache, verified: `python scripts/fetch.py mnist cifar10 --data-dir data`.

Exit status 1, with one message per data set, if no source supplies a data set.
"""

from __future__ import annotations

import sys
from pathlib import Path

from selfnorm.commandline import Parser, new_folder, run
from selfnorm.data.cache import ensure
from selfnorm.data.catalogue import DATASETS, FILES, DataUnavailable


def main() -> int:
    parser = Parser(description="Fetch data sets into the cache and verify them.")
    parser.add_argument("datasets", nargs="+", choices=DATASETS, metavar="DATASET", help=", ".join(DATASETS))
    parser.add_argument("--data-dir", type=new_folder, default=Path("data"), help="the cache (default: data)")
    arguments = parser.parse_args()
    if repeated := sorted({name for name in arguments.datasets if arguments.datasets.count(name) > 1}):
        parser.error(f"{', '.join(repeated)} given more than once")
    status = 0
    for name in arguments.datasets:
        try:
            folder = ensure(name, arguments.data_dir)
            print(f"{name}: verified in {folder}" if FILES[name] else f"{name}: nothing to fetch")
        except DataUnavailable as error:
            print(error, file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    run(main)
