"""Train one cell of Figure 1, several seeds at once: `python train.py +experiment=selu_deep`.

Composes the configuration, checks it, and hands it to `selfnorm.training.job`. Exit codes: 0 done, 2 a request that
cannot be met, 3 every seed diverged, 1 anything else. Imports no torch before the configuration is known to be good.
"""

import os
import re
import sys
from typing import Any, cast

os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra hands its errors over; `command` puts each into one line

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from selfnorm.config import ConfigError
from selfnorm.parsing import parse_job, unknown_key

exit_codes: list[int] = []  # of every job of this command: one, or a sweep's cells


@hydra.main(config_path="conf", config_name="config", version_base="1.3")
def main(config: DictConfig) -> int:
    try:
        job = parse_job(cast(dict[str, Any], OmegaConf.to_container(config, resolve=True)))
        if job.trainer.strategy == "ddp" and HydraConfig.get().mode == RunMode.MULTIRUN:
            raise ConfigError(
                f"trainer={job.trainer.name} in a sweep: each process would start the sweep anew; use cpu or gpu"
            )
    except (ConfigError, OmegaConfBaseException) as error:
        exit_codes.append(_refuse(error))
        return exit_codes[-1]
    from selfnorm.training.job import attempt  # torch and Lightning: seconds to import

    exit_codes.append(attempt(job))
    return exit_codes[-1]


def _refuse(error: Exception) -> int:
    """A mistake in the request, in one line on stderr."""
    text = " ".join(str(error).split())
    text = re.sub(r" (Config search path: |See https://hydra).*", "", text)
    if isinstance(error, OverrideParseException):
        text = f"{error.override}: {text}"
    if unknown := re.match(r"Could not override '([\w.]+)'\. To append", text):
        text = unknown_key(unknown[1])
    print(f"train.py: {text}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        main()
    except (HydraException, OmegaConfBaseException, ValueError, OSError) as error:  # before any job has begun
        exit_codes.append(_refuse(error))
    except KeyboardInterrupt:
        exit_codes.append(130)
    sys.exit(max(exit_codes, default=0))
