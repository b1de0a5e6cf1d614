"""train.py in a process of its own, as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from composed import ROOT

SMOKE = ("dataset=digits", "scale=smoke", "+experiment=selu_deep")


def train(*arguments: str, cwd: Path = ROOT, timeout: float = 280) -> subprocess.CompletedProcess[str]:
    """Run train.py to its end; what it prints is in `stdout` and `stderr`."""
    return subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=timeout, env=os.environ,
    )  # fmt: skip
