"""One W&B run beside one run folder. Every failure of W&B ends in one warning, never in a failed or hanging job.

In: rows as they go to the tidy files. Out: one dictionary per recorded step, with keys such as `train/loss_mean`,
`train/loss_seed_3` and `moments_activation_variance/layer_07`, against the step metric `step`.
"""

from __future__ import annotations

import logging
import math
import netrc
import os
import socket
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Literal
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from uuid import uuid4

from selfnorm import config

log = logging.getLogger(__name__)
Mode = Literal["online", "offline"]
Rows = Iterable[Mapping[str, Any]]

INIT_SECONDS, FINISH_SECONDS, PROBE_SECONDS, LET_GO_SECONDS = 20.0, 60.0, 3.0, 15.0
COORDINATES = ("step", "epoch", "seed", "split", "layer")


class Mirror:
    """A W&B run that may be offline, disabled or lost, and is used the same way in each case."""

    def __init__(self, job: config.Job, folder: Path, environment: Mapping[str, Any]) -> None:
        self.folder = folder
        self.run: Any = None
        if job.logger.mode != "disabled":
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # no telemetry
            self._guarded("start", lambda: self._start(job, environment))

    def _start(self, job: config.Job, environment: Mapping[str, Any]) -> None:
        mode: Mode = "online" if job.logger.mode == "online" else "offline"
        if mode == "online" and (problem := _unreachable()):
            self._warn(f"{problem}; logging offline")
            mode = "offline"
        try:
            self.run = self._init(job, environment, mode)
        except Exception as error:
            if mode == "offline":
                raise
            self._warn(f"no run could be started online ({_first_line(error)}); logging offline")
            _let_go()
            self.run = self._init(job, environment, "offline")
        self.run.define_metric("step", hidden=True)
        self.run.define_metric("*", step_metric="step")

    def _init(self, job: config.Job, environment: Mapping[str, Any], mode: Mode) -> Any:
        import wandb

        return wandb.init(
            project=job.logger.project,
            entity=job.logger.entity,
            id=_run_id(self.folder),
            resume="allow" if mode == "online" else None,
            name=f"{job.dataset.name} {job.network} d{job.model.depth}",
            group=job.tag,
            tags=[job.tag, job.dataset.name, job.network],
            config={**flat_config(job), "job": job.identity, "environment": dict(environment)},
            dir=str(self.folder),
            mode=mode,
            settings=wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                save_code=False,
                init_timeout=INIT_SECONDS,
                finish_timeout=FINISH_SECONDS,
                x_transaction_log_flush_interval=1,  # a killed run loses its last second, not its last fifteen
            ),
        )

    def log(self, at: Mapping[str, int], curves: Rows, moments: Rows) -> None:
        """Mirror the rows of one recorded step."""
        if self.run is not None:
            values = {**at, **curve_values(curves), **moment_values(moments)}
            self._guarded("log", lambda: self.run.log(values))

    def finish(self, summary: Mapping[str, Any], *, exit_code: int) -> None:
        """Write the summary and end the run; always returns, within about a minute if the server is gone."""
        if self.run is not None:
            self._guarded("summary", lambda: self.run.summary.update(dict(summary)))
        if self.run is not None:
            self._guarded("finish", lambda: self.run.finish(exit_code=exit_code))

    def _guarded(self, what: str, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # whatever W&B raises, the job goes on: the tidy files are the truth
            self._warn(f"{what} failed ({_first_line(error)}); the run goes on without it")
            self.run = None
            _let_go()

    def _warn(self, problem: str) -> None:
        log.warning("W&B: %s. Upload later with: wandb sync %s", problem, self.folder / "wandb" / "*run-*")


def flat_config(job: config.Job) -> dict[str, Any]:
    """The coordinates as flat keys, for W&B's filters and groups."""
    return {
        "dataset": job.dataset.name,
        "network": job.network,
        "block": job.model.block,
        "depth": job.model.depth,
        "width": job.model.width,
        "activation": job.activation.name,
        "normalization": job.normalization.name,
        "dropout": job.dropout.name,
        "optimizer": job.optimizer.name,
        "lr": job.optimizer.lr,
        "batch_size": job.training.batch_size,
        "scale": job.scale,
        "tag": job.tag,
        "num_seeds": len(job.seeds),
    }


def curve_values(rows: Rows) -> dict[str, float]:
    """Each seed's loss and accuracy, and mean, standard deviation and number of the finite ones."""
    found: dict[str, float] = {}
    by_name: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for quantity in ("loss", "accuracy"):
            name = f"{row['split']}/{quantity}"
            found[f"{name}_seed_{row['seed']}"] = row[quantity]
            by_name[name].append(row[quantity])
    for name, values in by_name.items():
        finite = [value for value in values if math.isfinite(value)]
        found[f"{name}_n"] = len(finite)
        if finite:
            found[f"{name}_mean"] = fmean(finite)
        if len(finite) > 1:
            found[f"{name}_sd"] = stdev(finite)
    return found


def moment_values(rows: Rows) -> dict[str, float]:
    """Every moment of every layer, as the mean over the finite seeds."""
    by_name: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        for quantity in row.keys() - set(COORDINATES):
            if math.isfinite(row[quantity]):
                by_name[f"moments_{quantity}/layer_{row['layer']:02d}"].append(row[quantity])
    return {name: fmean(values) for name, values in sorted(by_name.items())}


def _run_id(folder: Path) -> str:
    """The W&B id of the run folder: made once, kept, so that a resumed run goes on in the same W&B run."""
    path = folder / "wandb_id"
    if not path.exists():
        part = folder / ".wandb_id.part"
        part.write_text(uuid4().hex[:12])
        part.replace(path)
    return path.read_text()


def _let_go() -> None:
    """Drop whatever run W&B still holds in this process: the next one (of a sweep, or offline) must not go into it."""
    import wandb

    closing = threading.Thread(target=wandb.teardown, kwargs={"exit_code": 1}, daemon=True)
    closing.start()
    closing.join(LET_GO_SECONDS)  # it may wait for a server that is gone


def _unreachable() -> str | None:
    """Why the server cannot be used, or None; answers within a few seconds where W&B itself would wait or ask."""
    import wandb

    saved = wandb.setup().settings  # by `wandb login`
    address = urlsplit(os.environ.get("WANDB_BASE_URL") or saved.base_url)
    host, port = address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
    if not (os.environ.get("WANDB_API_KEY") or saved.api_key or _has_netrc_key(host)):
        return f"no API key for {host} (run `wandb login`)"
    if address.scheme in getproxies() and not proxy_bypass(host):
        return None  # only the proxy can tell
    try:
        socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
    except OSError as error:
        return f"{host}:{port} does not answer ({_first_line(error)})"
    return None


def _has_netrc_key(host: str) -> bool:
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
