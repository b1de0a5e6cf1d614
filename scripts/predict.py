"""What the theory says of the networks of a sweep, before one of them is trained.

python scripts/predict.py +sweep=rivals --out docs/results/rivals
"""

from selfnorm.commandline import Parser, interruptible, new_folder, refuse, run

with interruptible():
    from selfnorm.config import ConfigError
    from selfnorm.runs.files import write_atomically
    from selfnorm.studies.rivals import predict
    from selfnorm.sweeps.compose import planned


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("overrides", nargs="+", help="the sweep as train.py takes it, such as +sweep=rivals")
    parser.add_argument("--out", type=new_folder, required=True, help="folder for predicted.csv")
    options = parser.parse_args()
    try:
        table = predict(job.model_dump(by_alias=True) for job in planned(*options.overrides))
    except (ConfigError, ValueError) as error:
        return refuse(parser.prog, error)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "predicted.csv"
    write_atomically(path, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    print(f"wrote {path}: {table['network'].nunique()} networks at depths {sorted(table['depth'].unique().tolist())}")
    return 0


if __name__ == "__main__":
    run(main)
