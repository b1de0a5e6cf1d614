"""Put the committed results into README.md and docs/results/README.md (part of `make results`)."""

import json
from pathlib import Path

from selfnorm.commandline import Parser, interruptible, run

with interruptible():
    from selfnorm.benchmark.report import short_table
    from selfnorm.runs.files import write_atomically
    from selfnorm.studies.readme import between, studies_page, with_results

ROOT = Path(__file__).parents[1]


def with_committed_results(text: str) -> str:
    measured = json.loads((ROOT / "docs/benchmark.json").read_text(encoding="utf-8"))
    return between(with_results(text, ROOT), "benchmark: begin (make results)", "benchmark: end", short_table(measured))


def main() -> None:
    Parser(description=__doc__).parse_args()
    readme = ROOT / "README.md"
    write_atomically(readme, with_committed_results(readme.read_text(encoding="utf-8")))
    write_atomically(ROOT / "docs/results/README.md", studies_page(ROOT))


if __name__ == "__main__":
    run(main)
