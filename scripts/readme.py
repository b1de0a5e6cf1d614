"""Put the committed results into README.md: `python scripts/readme.py` (part of `make results`)."""

import json
from pathlib import Path

from selfnorm.commandline import Parser, interruptible, run

with interruptible():
    from selfnorm.analysis.readme import between, with_results
    from selfnorm.benchmark.report import short_table

ROOT = Path(__file__).parents[1]
TITLES = {
    "preview": "**Preview** (`make figure1`: width 128, first 3200 training images, 1000 updates, fp32):",
    "cifar10": "**CIFAR-10** (`python train.py +sweep=cifar10`: width 256, first 10 000 images, 1560 updates, bf16):",
    "paper_width": "**Paper's width** (`python train.py +sweep=paper_width`: 784, 50 000 images, 1950 updates, bf16):",
    "fixed_points": (
        "**Other fixed points** (`python train.py +sweep=fixed_points`, each SELU at the better of lr 1e-5 and "
        "3e-5;\nMNIST and CIFAR-10, depths 8 and 32, n = 6 seeds; ratios to the SELU of (0, 1), counted where sure):"
    ),
}


def with_committed_results(text: str) -> str:
    folders = {title: ROOT / "docs/results" / name for name, title in TITLES.items()}
    text = with_results(text, {title: path for title, path in folders.items() if (path / "cells.csv").exists()})
    measured = json.loads((ROOT / "docs/benchmark.json").read_text())
    return between(text, "benchmark: begin (make results)", "benchmark: end", short_table(measured))


def main() -> None:
    Parser(description=__doc__).parse_args()
    readme = ROOT / "README.md"
    readme.write_text(with_committed_results(readme.read_text()))


if __name__ == "__main__":
    run(main)
