"""bfloat16 against fp32 on the same cells: `python scripts/precision.py` rewrites docs/results/precision.md."""

from pathlib import Path

from selfnorm.commandline import Parser, interruptible, run

with interruptible():
    from selfnorm.analysis.results import read_results
    from selfnorm.runs.files import write_atomically
    from selfnorm.studies.precision import page

RESULTS = Path(__file__).parents[1] / "docs/results"


def report() -> str:
    return page(read_results(RESULTS / "precision"), read_results(RESULTS / "paper_width"))


def main() -> None:
    Parser(description=__doc__).parse_args()
    write_atomically(RESULTS / "precision.md", report())


if __name__ == "__main__":
    run(main)
