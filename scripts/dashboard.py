"""Create or update W&B's workspace and report of the project; the verdicts in it come from local runs.

python scripts/dashboard.py                             (verdicts from SELFNORM_RUNS or runs, else docs/results/figure1)
python scripts/dashboard.py runs --tag figure1-preview
python scripts/dashboard.py docs/results/figure1 --dry-run dashboard.json     (no server, no account)
"""

from pathlib import Path

from selfnorm.commandline import Parser, checked, folder, refuse, run, word
from selfnorm.config.groups import wandb_name


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument(
        "source",
        type=folder,
        nargs="?",
        help="root of the runs, or a folder of committed tables (default: SELFNORM_RUNS or runs)",
    )
    parser.add_argument(
        "--tag", type=word, action="append", default=[], help="only the runs of this tag (may be repeated)"
    )
    parser.add_argument(
        "--project", type=checked(wandb_name), default="selfnorm", help="W&B project (default: selfnorm)"
    )
    parser.add_argument("--entity", type=checked(wandb_name), help="W&B user or team (default: that of the key)")
    parser.add_argument("--dry-run", type=Path, metavar="FILE", help="write what would be sent as JSON, and end")
    options = parser.parse_args()
    from selfnorm.dashboard.publishing import publish  # pandas and W&B: seconds to import

    try:
        lines = publish(options.source, options.tag, options.entity, options.project, options.dry_run)
    except (ValueError, OSError) as error:
        return refuse(parser.prog, error)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    run(main)
