"""Time the job beside plain PyTorch, Lightning as usual and the matrix products alone.

python scripts/benchmark.py                   about ten minutes on two quiet cores; writes docs/benchmark.md and .json
python scripts/benchmark.py --device cuda
"""

import json
import shlex
import sys
from pathlib import Path

from selfnorm.commandline import Parser, data_folder, new_folder, refuse, run
from selfnorm.runs.files import write_atomically


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which every contender runs once (default 5)")
    parser.add_argument("--tiny", action="store_true", help="seconds: one small cell, to see that it works")
    parser.add_argument("--out", type=new_folder, default=Path("docs"), help="folder for benchmark.md and .json")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least 1")
    import torch  # seconds: after the arguments are known to be good

    from selfnorm.benchmark.cells import CELLS, START, TINY, TINY_START
    from selfnorm.benchmark.measuring import measure
    from selfnorm.benchmark.report import page

    if options.device == "cuda" and not torch.cuda.is_available():
        return refuse(parser.prog, "--device cuda: torch sees no GPU here; use --device cpu")
    cells, start = (TINY, TINY_START) if options.tiny else (CELLS, START)
    measured = measure(cells, start, rounds=options.rounds, device=options.device, data_dir=data_folder())
    text = page(measured, shlex.join(["python", *sys.argv]))
    options.out.mkdir(parents=True, exist_ok=True)
    write_atomically(options.out / "benchmark.json", json.dumps(measured, indent=1) + "\n")
    write_atomically(options.out / "benchmark.md", text)
    print(text)
    return 0


if __name__ == "__main__":
    run(main)
