"""Send a run to W&B that logged offline, or whose upload broke off: `python scripts/upload.py RUN`.

What W&B has already is not sent again, so the command may be repeated. `wandb sync` would send it twice.
"""

from selfnorm.commandline import Parser, folder, interruptible, refuse, run


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("run", type=folder, help="a run folder, such as runs/selu_deep/mnist/selu/d32-...")
    run_folder = parser.parse_args().run
    with interruptible():
        from selfnorm.afterwards import last_values  # pandas, matplotlib and W&B: seconds to import
        from selfnorm.tracking.uploading import upload

    try:
        upload(run_folder, last_values)
    except (ValueError, OSError) as error:
        return refuse(parser.prog, error)
    print(f"{run_folder}: W&B has every row")
    return 0


if __name__ == "__main__":
    run(main)
