"""Ctrl-C before there is anything to go on from: one line and exit code 130, wherever it comes."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from composed import ROOT

pytestmark = pytest.mark.slow
IMPORTS = {  # command -> what it imports first, and something in the middle
    "train.py dataset=digits": ("hydra", "pydantic", "torch", "torch._C", "sympy.core.numbers", "pytorch_lightning"),
    "scripts/report.py . --out made": ("selfnorm.studies.report", "pandas"),
    "scripts/prove.py --out made": ("selfnorm.theory.proof", "flint"),
    "scripts/theory.py --out made": ("selfnorm.theory.activation_table", "matplotlib.figure"),
    "scripts/runs.py .": ("selfnorm.review.catalogue",),
    "scripts/export.py . --seed 0": ("selfnorm.networks.export", "torch"),
}


@pytest.mark.parametrize("command", IMPORTS)
def test_an_interrupt_while_modules_are_imported_is_one_line(command: str, tmp_path: Path) -> None:
    script, *arguments = command.split()
    fated = {"PYTHONPATH": str(ROOT / "tests/tools/fated"), "FATE": json.dumps(["die", signal.SIGINT])}
    for module in IMPORTS[command]:
        done = subprocess.run(
            [sys.executable, str(ROOT / script), *arguments],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, env=os.environ | fated | {"AT": module},
        )  # fmt: skip
        said = (done.returncode, done.stdout, done.stderr)
        assert said == (130, "", f"{Path(script).name}: interrupted\n"), module
    assert not list(tmp_path.iterdir())


def test_an_interrupt_is_how_the_page_is_closed(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts/review.py"), str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url, said = server.stdout.readline().split(" ", 1)
        assert said == "(Ctrl-C ends)\n"
        page = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        page.request("GET", "/")
        assert page.getresponse().read()  # it serves
        page.close()
        server.send_signal(signal.SIGINT)
        assert server.communicate(timeout=60) == ("", "")
    assert server.returncode == 0
