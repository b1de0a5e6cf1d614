"""Runs many command lines quickly, each in a process of its own: a server that has imported everything forks for each.

In, on stdin: the modules to import, then one JSON object a line (script, arguments, cwd, fate, kill). Out, on stdout:
exit code and what it wrote to its two streams. A program of its own, so that a fork never inherits pytest's threads.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

ROOT = Path(__file__).parents[2]
SECONDS = 120  # a command that hangs is an error


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class ForkServer:
    """`with ForkServer("hydra") as server: server.run("train.py", ["model.depth=0"], cwd)`."""

    def __init__(self, *modules: str) -> None:
        self.modules = modules

    def __enter__(self) -> ForkServer:
        self.process = subprocess.Popen(
            [sys.executable, __file__, *self.modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=30)

    def run(
        self,
        script: str,
        arguments: Sequence[str],
        cwd: Path,
        *,
        fate: Sequence[Any] = (),
        kill: tuple[float, int] | None = None,
    ) -> Ended:
        """fate: a function of `fates` and its arguments; kill: after so many seconds (if it lives) this signal."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([script, list(arguments), str(cwd), list(fate), kill]) + "\n")
        self.process.stdin.flush()
        return Ended(*json.loads(self.process.stdout.readline()))


def _serve() -> None:
    for module in sys.argv[1:]:
        importlib.import_module(module)
    for line in sys.stdin:
        script, arguments, cwd, fate, kill = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                _become(script, arguments, cwd, fate, out, err)
            if kill is not None:
                time.sleep(kill[0])
                os.kill(child, kill[1])  # nobody has waited for it, so its number is still its own
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            for stream in (out, err):
                stream.seek(0)
            texts = [stream.read().decode(errors="replace") for stream in (out, err)]
        print(json.dumps([code, *texts]), flush=True)


def _become(script: str, arguments: list[str], cwd: str, fate: list[Any], out: IO[bytes], err: IO[bytes]) -> Any:
    """The rest of this process's life: the script, as `python script arguments` in `cwd` would run it."""
    import fates

    signal.alarm(SECONDS)  # kills: exit code -14
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    os.chdir(cwd)
    sys.dont_write_bytecode = True
    sys.argv = [str(ROOT / script), *arguments]
    sys.path[0] = str((ROOT / script).parent)
    try:
        if fate:
            getattr(fates, fate[0])(*fate[1:])
        runpy.run_path(sys.argv[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    sys.setprofile(None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    _serve()
