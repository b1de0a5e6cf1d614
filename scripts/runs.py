"""List runs with state, training error, fluctuation and time, and folders that hold no readable run.

python scripts/runs.py
python scripts/runs.py runs --tag figure1-preview --state running
"""

from selfnorm.commandline import Parser, folder, refuse, run, runs_folder, word


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "root", type=folder, nargs="?", default=runs_folder(), help="root of the runs (default: SELFNORM_RUNS or runs)"
    )
    parser.add_argument("--tag", type=word, action="append", help="only this tag (may be repeated)")
    parser.add_argument("--state", type=word, action="append", help="only this state (may be repeated)")
    options = parser.parse_args()
    from selfnorm.review.catalogue import Catalogue
    from selfnorm.review.terminal import run_list

    try:
        overview = Catalogue(options.root).overview()
        print(run_list(overview, {"tag": options.tag, "state": options.state}))
    except ValueError as error:
        return refuse(parser.prog, error)
    return 0


if __name__ == "__main__":
    run(main)
