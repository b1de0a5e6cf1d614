"""Take one trained network out of a run: `python scripts/export.py RUN --seed 3`."""

from selfnorm.commandline import Parser, folder, new_folder, refuse, run

parser = Parser(description=__doc__)
parser.add_argument("run", type=folder, help="a finished run folder, such as runs/selu_deep/mnist/selu/d32-...")
parser.add_argument("--seed", type=int, required=True, help="which of the run's networks")
parser.add_argument("--out", type=new_folder, help="where to write (default: RUN/export/seed_<seed>)")


def main() -> int:
    arguments = parser.parse_args()
    from selfnorm.networks.export import export_replica  # torch: seconds to import

    out = arguments.out or arguments.run / "export" / f"seed_{arguments.seed}"
    try:
        export_replica(arguments.run, seed=arguments.seed, out=out)
    except (ValueError, OSError) as error:
        return refuse(parser.prog, error)
    print(
        f"{out}: network.pt2 (torch.export.load('network.pt2').module() takes standardized inputs), "
        "network.safetensors (the same network as an nn.Sequential's state)"
    )
    return 0


if __name__ == "__main__":
    run(main)
