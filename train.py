"""Train one cell of Figure 1, several seeds at once: `python train.py +experiment=selu_deep`.

Composes the configuration, checks it, and trains what it asks for. Exit codes: 0 done, 2 a request that cannot be met,
3 every seed diverged, 130 Ctrl-C, 1 anything else. Imports no torch before the configuration is known to be good.
"""

import sys
from pathlib import Path
from typing import Any

from selfnorm.commandline import interruptible

with interruptible():
    import hydra
    from omegaconf import DictConfig

    from selfnorm.sweeps.check import checked_job, kind_of_command
    from selfnorm.sweeps.hydra_errors import exit_code_of

exit_codes: list[int] = []  # one for each job of this command


@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(config: DictConfig) -> float | None:
    """One job: check what was composed, train it, and answer a search, which minimizes the objective."""
    kind = kind_of_command()
    job = checked_job(config, kind)
    with interruptible():
        from selfnorm.training.command import attempt  # torch and Lightning take seconds to import

    code = attempt(
        job,
        busy="wait" if kind == "search" else "skip" if kind == "sweep" else "refuse",
        last_values=last_values,
    )
    if kind == "search":
        from selfnorm.sweeps.objective import objective

        return objective(job.folder)  # also for a run in which every seed diverged
    exit_codes.append(code)
    return None


def last_values(folder: Path) -> dict[str, Any]:
    """The values that W&B shows of a finished run besides its rows."""
    from selfnorm import afterwards  # analysis and drawing, for which no run waits before it is trained

    return afterwards.last_values(folder)


if __name__ == "__main__":
    sys.exit(exit_code_of(main, exit_codes))
