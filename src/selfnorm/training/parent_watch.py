"""Stop a worker when its parent dies: a parent that is killed with `kill -9` cannot tell it.

Otherwise the worker would train on with nobody to take the result, and hold the run that the same command wants to go
on with. Imports no torch.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import cache

LOOK_SECONDS = 0.5  # from one look at the parent to the next
GRACE_SECONDS = 5.0  # to write the last files of a run before the next SIGTERM


@cache  # once, for however many cells a worker trains
def stop_with(parent: int) -> None:
    """Start to watch: send this process a SIGTERM when the process that started it is no longer `parent`, a pid."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    while True:  # the first ends a run in training, with a checkpoint; the next a worker that is left without work
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
