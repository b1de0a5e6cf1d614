"""Take one trained network out of a run: `python scripts/export.py RUN --seed 3`."""

import argparse
import sys
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("run", type=Path, help="a finished run folder, such as runs/selu_deep/mnist/selu/d32-...")
parser.add_argument("--seed", type=int, required=True, help="which of the run's networks")
parser.add_argument("--out", type=Path, help="where to write (default: RUN/export/seed_<seed>)")


def main() -> int:
    arguments = parser.parse_args()
    from selfnorm.networks.export import export_replica  # torch: seconds to import

    out = arguments.out or arguments.run / "export" / f"seed_{arguments.seed}"
    try:
        export_replica(arguments.run, seed=arguments.seed, out=out)
    except (ValueError, OSError) as error:
        print(f"export.py: {error}", file=sys.stderr)
        return 2
    print(
        f"{out}: network.pt2 (torch.export.load('network.pt2').module() takes standardized inputs), "
        "network.safetensors (the same network as an nn.Sequential's state)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
