"""One W&B run beside one run folder. Every failure of W&B ends in one warning, never in a failed or hanging job.

In: rows as they go to the tidy files. Out: one dictionary of values per recorded step, against the step metric `step`,
and at the end the summary and the values that `last_values` makes of a finished run's folder.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from selfnorm import config
from selfnorm.runs.files import read_file, write_atomically
from selfnorm.runs.layout import FINISHED, WANDB_ID
from selfnorm.runs.reading import recorded
from selfnorm.tracking.resuming import delete_stale_pieces, steps_of
from selfnorm.tracking.server import first_line, unreachable
from selfnorm.tracking.values import (
    AT_FIRST_SIGHT,
    DETAILS,
    Rows,
    cell_name,
    curve_values,
    flat_config,
    fork_values,
    moment_values,
)

log = logging.getLogger(__name__)
Mode = Literal["online", "offline"]
LastValues = Callable[[Path], dict[str, Any]]

RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")  # what wandb_id may hold; the ids that W&B makes have eight characters
INIT_SECONDS, FINISH_SECONDS, LET_GO_SECONDS = 20.0, 60.0, 15.0
FLUSH_SECONDS = 1


class Mirror:
    """A W&B run that may be offline or lost, and is used the same way in each case."""

    def __init__(
        self, job: config.Job, folder: Path, environment: Mapping[str, Any], last_values: LastValues | None = None
    ) -> None:
        self.job, self.folder, self.environment, self.last_values = job, folder, environment, last_values
        self.run: Any = None
        self.last_step = -1  # of the rows that the W&B run holds: none is logged twice
        self.is_whole = False  # it holds the last values too
        self.piece: Path | None = None  # of an offline run
        self.lost = False
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # no telemetry
        os.environ["WANDB_MODE"] = job.logger.mode  # W&B checks the variable although it is told the mode
        if job.logger.mode == "online" and (problem := unreachable()):
            self._continue_offline(problem)
        else:
            self._begin("online" if job.logger.mode == "online" else "offline")

    def _begin(self, mode: Mode) -> None:
        """Start a piece of the W&B run; earlier pieces may hold rows from before a resume."""
        try:
            run_id = _run_id(self.folder)
            before = delete_stale_pieces(self.folder, run_id)
            self.run = _init(self.job, self.folder, self.environment, mode, run_id)
            if mode == "offline":
                self.last_step, self.piece = before, Path(self.run.dir).parent
            else:
                there = self.run.summary
                self.last_step, self.is_whole = int(there.get("step", -1)), there.get("state") == FINISHED
            self.run.define_metric("step", hidden=True)
            for keys in (*AT_FIRST_SIGHT, *DETAILS):
                self.run.define_metric(keys, step_metric="step", hidden=keys in DETAILS)
        except Exception as error:  # whatever W&B raises, the job goes on: the tidy files are the truth
            self._continue_offline(f"no run could be started {mode} ({first_line(error)})")

    def log(self, at: Mapping[str, int], curves: Rows, moments: Rows, forks: Rows = ()) -> None:
        """Mirror the rows of one recorded step, unless the W&B run has them from before a resume."""
        if self.run is None or at["step"] <= self.last_step:
            return
        try:
            self.run.log({**at, **curve_values(curves), **moment_values(moments), **fork_values(forks)})
            self.last_step = at["step"]
        except Exception as error:
            self._continue_offline(f"log failed ({first_line(error)})")
            self.catch_up()

    def catch_up(self) -> None:
        """Mirror what the tidy files hold and the W&B run does not: rows that were lost with a killed process."""
        if self.run is not None:
            for record in recorded(self.folder):
                self.log(*record)

    def finish(self, summary: Mapping[str, Any], *, exit_code: int) -> None:
        """Log the last values and the summary and end the run; returns within about a minute if the server is gone."""
        if self.run is None:
            return
        try:
            if summary.get("state") == FINISHED and not self.is_whole and (values := self._last_values()):
                self.run.log({"step": self.last_step, **values})
            self.run.summary.update(dict(summary))
            self.run.finish(exit_code=exit_code)
            if self.piece and not self._is_stored(self.piece):  # W&B says nothing of a full disk
                self._warn(f"the rows did not all go into {self.piece}")
        except TimeoutError as error:
            self._warn(f"not all was uploaded ({first_line(error)})")
        except Exception as error:
            self._continue_offline(f"finish failed ({first_line(error)})")
            self.catch_up()
            self.finish(summary, exit_code=exit_code)

    def _is_stored(self, piece: Path) -> bool:
        for _ in range(4):
            steps = steps_of(piece)
            if steps is None or max(steps, default=-1) >= self.last_step:
                return True
            time.sleep(FLUSH_SECONDS)  # its service may still be writing
        return False

    def _last_values(self) -> dict[str, Any]:
        try:
            return self.last_values(self.folder) if self.last_values else {}
        except Exception as error:  # values for W&B alone must not fail the run at its end
            log.info("no last values for W&B: %s", first_line(error))
            return {}

    def _continue_offline(self, problem: str) -> None:
        """Drop a W&B run that broke: the first time start again offline, the second time go on without W&B."""
        self._warn(f"{problem}; {'the job goes on without it' if self.lost else 'logging offline'}")
        self.run = None
        _let_go()
        if not self.lost:
            self.lost = True
            self._begin("offline")

    def _warn(self, problem: str) -> None:
        later = shlex.join(["python", "scripts/upload.py", str(self.folder)])
        log.warning("W&B: %s. Send what is missing later with: %s", problem, later)


def _init(job: config.Job, folder: Path, environment: Mapping[str, Any], mode: Mode, run_id: str) -> Any:
    import wandb

    logging.raiseExceptions = False  # a full disk: a traceback for every line of W&B's debug.log
    return wandb.init(
        project=job.logger.project,  # a W&B sweep's agent overrides project, entity and id
        entity=job.logger.entity,
        id=run_id,
        resume="allow" if mode == "online" else None,
        name=cell_name(job),
        group=job.tag,
        tags=[job.tag, job.dataset.label, job.network],
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
            x_transaction_log_flush_interval=FLUSH_SECONDS,  # a killed run loses its last second, not its last fifteen
        ),
    )


def _run_id(folder: Path) -> str:
    """The W&B id of the run folder, which is chosen once, so that a resumed run goes on in the same W&B run."""
    path = folder / WANDB_ID
    run_id = os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None
    if run_id is None:
        with suppress(FileNotFoundError):
            saved = read_file(path).decode(errors="replace")
            if RUN_ID.fullmatch(saved):
                return saved
    run_id = run_id or uuid4().hex[:12]
    write_atomically(path, run_id)
    return run_id


def _let_go() -> None:
    """Drop the run that W&B still holds in this process, so that the next one (of a sweep, or offline) is a new run."""

    def close() -> None:
        import wandb

        with suppress(Exception):  # its service may be what died
            wandb.teardown(exit_code=1)

    closing = threading.Thread(target=close, daemon=True)
    closing.start()
    closing.join(LET_GO_SECONDS)  # it may wait for a server that is gone
