"""Count what the paper's whole Figure 1 needs on GPUs; writes docs/gpu_plan.md: `python scripts/plan.py`."""

from pathlib import Path

from selfnorm.commandline import Parser, run

PAGE = Path(__file__).parents[1] / "docs/gpu_plan.md"


def main() -> int:
    Parser(description=__doc__).parse_args()
    from selfnorm.benchmark.plan_text import page, paper_jobs

    PAGE.write_text(page(paper_jobs()))
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    run(main)
