"""Train one cell of Figure 1, several seeds at once: `python train.py +experiment=selu_deep`.

Composes the configuration, checks it, and hands it to `selfnorm.training.job`. Exit codes: 0 done, 2 a request that
cannot be met, 3 every seed diverged, 130 Ctrl-C, 1 anything else. Imports no torch before the configuration is known to
be good.
"""

import os
import sys
from typing import Any, cast

from selfnorm.commandline import interruptible

os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra hands its errors over; `command` puts each into one line

with interruptible():
    import hydra
    from hydra._internal.utils import get_args_parser  # there is no public way to Hydra's flags
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from selfnorm.config import ConfigError
    from selfnorm.parsing import in_words, parse_job
    from selfnorm.training.objective import objective
    from selfnorm.training.sweep_check import refuse_processes

exit_codes: list[int] = []  # of every job of this command: one, or a sweep's cells


@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(config: DictConfig) -> float | None:
    """One job; returns the objective to a sweeper that minimizes one."""
    sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    minimizes = sweep and "direction" in HydraConfig.get().sweeper
    try:
        job = parse_job(cast(dict[str, Any], OmegaConf.to_container(config, resolve=True)))
        if sweep:
            refuse_processes(job)
    except (ConfigError, OmegaConfBaseException) as error:
        if minimizes:
            raise  # the next choice would have the same mistake in it
        exit_codes.append(_refuse(error))
        return None
    with interruptible():
        from selfnorm.training.job import attempt  # torch and Lightning: seconds to import

    code = attempt(job, busy="wait" if minimizes else "skip" if sweep else "refuse")
    if minimizes:
        return objective(job.folder)  # all seeds diverged is an answer too
    exit_codes.append(code)
    return None


def _refuse(error: Exception) -> int:
    """A mistake in the request, in one line on stderr."""
    print(f"train.py: {in_words(error)}", file=sys.stderr)
    return 2


def check_arguments(arguments: list[str]) -> None:
    """Raises ConfigError for flags that Hydra does not know or that are refused here, and for a key given twice."""

    def refuse(message: str) -> Any:
        raise ConfigError(f"{message}; see python train.py --help")

    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]  # its own prints seven lines of usage first
    options = parser.parse_args(arguments)
    if options.experimental_rerun is not None:
        refuse("--experimental-rerun would unpickle a file, and so run whatever is in it")
    keys = [override.split("=", 1)[0].lstrip("+~") for override in options.overrides]
    if repeated := sorted({key for key in keys if key and keys.count(key) > 1}):
        refuse(f"{', '.join(repeated)} given more than once")


def is_hydras(error: Exception) -> bool:
    """Whether an error that has no class of its own comes from inside Hydra, so from the request."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return frame is not None and frame.tb_frame.f_globals["__name__"].split(".")[0] in ("hydra", "omegaconf", "antlr4")


if __name__ == "__main__":
    try:
        check_arguments(sys.argv[1:])
        main()
    except KeyboardInterrupt:  # before or between jobs: a job says more than this
        print("train.py: interrupted", file=sys.stderr)
        exit_codes.append(130)
    except SystemExit as ending:  # of a sweep: what its cells came to; or a signal
        exit_codes.append(ending.code if isinstance(ending.code, int) else 1)
    except Exception as error:  # before any job has begun
        known = isinstance(error, HydraException | OmegaConfBaseException | ValueError | OSError)
        if not known and not is_hydras(error):
            raise
        exit_codes.append(_refuse(error))
    sys.exit(max(exit_codes, default=0))
