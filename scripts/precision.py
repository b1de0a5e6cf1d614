"""bfloat16 against fp32 on the same cells: `python scripts/precision.py` rewrites docs/results/precision.md."""

from pathlib import Path

from selfnorm.commandline import Parser, interruptible, run

with interruptible():
    from selfnorm.analysis.markup import markdown_table
    from selfnorm.analysis.precision import compare_precisions
    from selfnorm.analysis.results import read_results

RESULTS = Path(__file__).parents[1] / "docs/results"
HEAD = """# bfloat16 against single precision

The paper-width study multiplies matrices in bfloat16. The same cells in fp32, over the seeds and updates both have:
`python train.py -m +experiment=selu_deep,batchnorm_deep scale=paper model.depth=8 seeds=[0,1,2] training.epochs=2
recording.errors_per_epoch=10 recording.error_samples=5120 tag=precision`, on two cores.
Fluctuation of log error is the geometric mean over seeds, by differences of three orders.

"""


def report() -> str:
    """The page, from the committed tables."""
    return HEAD + markdown_table(
        compare_precisions(read_results(RESULTS / "precision"), read_results(RESULTS / "paper_width"))
    )


def main() -> None:
    Parser(description=__doc__).parse_args()
    (RESULTS / "precision.md").write_text(report())


if __name__ == "__main__":
    run(main)
