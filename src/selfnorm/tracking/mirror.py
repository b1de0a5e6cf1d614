"""One W&B run beside one run folder. Every failure of W&B ends in one warning, never in a failed or hanging job.

In: rows as they go to the tidy files. Out: one dictionary of values per recorded step, against the step metric `step`,
and at the end pictures and a summary.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from selfnorm import config
from selfnorm.tracking.pictures import final_values
from selfnorm.tracking.resuming import make_way, recorded
from selfnorm.tracking.server import first_line, unreachable
from selfnorm.tracking.values import Rows, cell_name, curve_values, flat_config, moment_values

log = logging.getLogger(__name__)
Mode = Literal["online", "offline"]

RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what a file may say and we pass on; W&B's own are eight characters
INIT_SECONDS, FINISH_SECONDS, LET_GO_SECONDS = 20.0, 60.0, 15.0


class Mirror:
    """A W&B run that may be offline, disabled or lost, and is used the same way in each case."""

    def __init__(self, job: config.Job, folder: Path, environment: Mapping[str, Any]) -> None:
        self.job, self.folder, self.environment = job, folder, environment
        self.run: Any = None
        self.last_step = -1  # of the rows that the W&B run holds: none is logged twice
        self.lost = False
        if job.logger.mode != "disabled":
            os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # no telemetry
            if job.logger.mode == "online" and (problem := unreachable()):
                self._go_on_offline(problem)
            else:
                self._begin("online" if job.logger.mode == "online" else "offline")

    def _begin(self, mode: Mode) -> None:
        """Start a piece of the W&B run; earlier pieces may hold rows from before a resume."""
        try:
            run_id = _run_id(self.folder)
            before = make_way(self.folder, run_id)
            self.run = _init(self.job, self.folder, self.environment, mode, run_id)
            self.last_step = before if mode == "offline" else int(self.run.summary.get("step", -1))
            self.run.define_metric("step", hidden=True)
            self.run.define_metric("*", step_metric="step")
        except Exception as error:  # whatever W&B raises, the job goes on: the tidy files are the truth
            self._go_on_offline(f"no run could be started {mode} ({first_line(error)})")

    def log(self, at: Mapping[str, int], curves: Rows, moments: Rows) -> None:
        """Mirror the rows of one recorded step, unless the W&B run has them from before a resume."""
        if self.run is None or at["step"] <= self.last_step:
            return
        try:
            self.run.log({**at, **curve_values(curves), **moment_values(moments)})
            self.last_step = at["step"]
        except Exception as error:
            self._go_on_offline(f"log failed ({first_line(error)})")
            self.catch_up()

    def catch_up(self) -> None:
        """Mirror what the tidy files hold and the W&B run does not: rows that were lost with a killed process."""
        if self.run is not None:
            for record in recorded(self.folder):
                self.log(*record)

    def finish(self, summary: Mapping[str, Any], *, exit_code: int) -> None:
        """Write pictures and summary and end the run; always returns, in about a minute if the server is gone."""
        if self.run is None:
            return
        try:
            if summary.get("state") == "finished":
                self.run.log({"step": self.last_step, **_pictures(self.folder)})
            self.run.summary.update(dict(summary))
            self.run.finish(exit_code=exit_code)
        except TimeoutError as error:
            self._warn(f"not all was uploaded ({first_line(error)})")
        except Exception as error:
            self._go_on_offline(f"finish failed ({first_line(error)})")
            self.catch_up()
            self.finish(summary, exit_code=exit_code)

    def _go_on_offline(self, problem: str) -> None:
        """Leave a run that broke; once, a new piece takes its place, the second time the job goes on without."""
        self._warn(f"{problem}; {'the job goes on without it' if self.lost else 'logging offline'}")
        self.run = None
        _let_go()
        if not self.lost:
            self.lost = True
            self._begin("offline")

    def _warn(self, problem: str) -> None:
        pieces = self.folder / "wandb" / "*run-*"
        log.warning("W&B: %s. Upload later with: wandb sync --include-online %s", problem, pieces)


def _init(job: config.Job, folder: Path, environment: Mapping[str, Any], mode: Mode, run_id: str) -> Any:
    import wandb

    logging.raiseExceptions = False  # a full disk: a traceback for every line of W&B's debug.log
    return wandb.init(
        project=job.logger.project,  # under the agent of a W&B sweep, its project, entity and id count
        entity=job.logger.entity,
        id=run_id,
        resume="allow" if mode == "online" else None,
        name=cell_name(job),
        group=job.tag,
        tags=[job.tag, job.dataset.name, job.network],
        config={**flat_config(job), "job": job.identity, "environment": dict(environment)},
        dir=str(folder),
        mode=mode,
        settings=wandb.Settings(
            console="off",
            silent=True,
            disable_git=True,
            save_code=False,
            init_timeout=INIT_SECONDS,
            finish_timeout=FINISH_SECONDS,
            finish_timeout_raises=True,
            x_transaction_log_flush_interval=1,  # a killed run loses its last second, not its last fifteen
        ),
    )


def _run_id(folder: Path) -> str:
    """The W&B id of the run folder: made once, kept, so that a resumed run goes on in the same W&B run."""
    path = folder / "wandb_id"
    run_id = os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None
    if run_id is None and path.is_file() and RUN_ID.fullmatch(kept := path.read_text(errors="replace")):
        return kept
    run_id = run_id or uuid4().hex[:12]
    part = folder / ".wandb_id.part"
    part.write_text(run_id)
    part.replace(path)
    return run_id


def _pictures(folder: Path) -> dict[str, Any]:
    try:
        return final_values(folder)
    except Exception as error:  # nothing that is drawn for W&B alone may cost the run its end
        log.info("no pictures for W&B: %s", first_line(error))
        return {}


def _let_go() -> None:
    """Drop whatever run W&B still holds in this process: the next one (of a sweep, or offline) must not go into it."""

    def close() -> None:
        import wandb

        with suppress(Exception):  # its service may be what died
            wandb.teardown(exit_code=1)

    closing = threading.Thread(target=close, daemon=True)
    closing.start()
    closing.join(LET_GO_SECONDS)  # it may wait for a server that is gone
