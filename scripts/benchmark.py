"""Time the job beside plain PyTorch, Lightning as usual and the matrix products alone.

python scripts/benchmark.py                   about ten minutes on two quiet cores; writes docs/benchmark.md and .json
python scripts/benchmark.py --device cuda
"""

import json
from pathlib import Path

from selfnorm.commandline import Parser, new_folder, refuse, run


def main() -> int:
    parser = Parser(description="Time the job beside what a user would write instead, and the limit of the machine.")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which every contender runs once (default 5)")
    parser.add_argument("--cell", default="", help="only the cells whose name contains this")
    parser.add_argument("--tiny", action="store_true", help="seconds: one small cell, to see that it works")
    parser.add_argument("--data", type=new_folder, default=Path("data"), help="folder of the data sets (default data)")
    parser.add_argument(
        "--out", type=new_folder, default=Path("docs"), help="folder for benchmark.md and benchmark.json"
    )
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds {options.rounds}: at least 1")
    import torch  # seconds: after the arguments are known to be good

    from selfnorm.benchmark.cells import CELLS, START, TINY, TINY_START
    from selfnorm.benchmark.measuring import measure
    from selfnorm.benchmark.report import page

    if options.device == "cuda" and not torch.cuda.is_available():
        return refuse(parser.prog, "--device cuda: torch sees no GPU here; use --device cpu")
    cells = [cell for cell in (TINY if options.tiny else CELLS) if options.cell in cell.name]
    if not cells:
        names = "; ".join(cell.name for cell in CELLS)
        return refuse(parser.prog, f"--cell {options.cell!r} is in none of the names: {names}")
    start = TINY_START if options.tiny else START
    found = measure(cells, start, rounds=options.rounds, device=options.device, data_dir=options.data)
    given = {"device": "cpu", "rounds": 5, "cell": ""}
    said = {name: getattr(options, name) for name in given}
    arguments = [f"--{name} {value}" for name, value in said.items() if value != given[name]]
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "benchmark.json").write_text(json.dumps(found, indent=1) + "\n")
    text = page(found, " ".join(["python scripts/benchmark.py", *arguments]))
    (options.out / "benchmark.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    run(main)
