"""How much of the project a reader must know to follow a run from train.py to its first step."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from composed import ROOT

MOST = 30  # files with code, train.py among them
REPORT = """
import runpy, sys
from pytorch_lightning import LightningModule

def report(*arguments):
    ours = [module for name, module in sys.modules.items() if name.split(".")[0] == "selfnorm"]
    print(*(module.__file__ for module in ours), sep="\\n")
    sys.stdout.flush()
    raise KeyboardInterrupt

LightningModule.on_train_batch_start = report
sys.argv = ["train.py", "dataset=digits", "scale=smoke", "logger.mode=disabled", "progress=false", "model.depth=2"]
runpy.run_path(ROOT + "/train.py", run_name="__main__")
"""


def has_code(path: str) -> bool:
    """Whether a module defines anything: the doors of the rooms, `__init__.py`, only pass names on."""
    if path.endswith("__init__.py"):
        return False
    return len(ast.parse(Path(path).read_text()).body) > 1


def test_few_files_are_imported_before_the_first_step(tmp_path: Path) -> None:
    code = REPORT.replace("ROOT", repr(str(ROOT)))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 130, done.stderr
    files = [path for path in done.stdout.splitlines() if has_code(path)]
    assert any(path.endswith("training/module.py") for path in files)
    assert not [path for path in files if path.endswith("afterwards.py") or "/analysis/" in path]
    assert len(files) + 1 <= MOST, "\n".join(files)
