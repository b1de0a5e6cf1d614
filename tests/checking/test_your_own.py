"""The examples of docs/your-own.md run in their order and print what it says, numbers to within a twentieth."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from composed import ROOT

DOCUMENT = (ROOT / "docs/your-own.md").read_text(encoding="utf-8")
NETWORK, _, QUESTION = DOCUMENT.partition("## Your network")[2].partition("## Your question")
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", NETWORK, re.S)
NUMBER = re.compile(r"(?<![\w.`])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def printed(code: str, names: dict[str, object]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(code, names)
    return out.getvalue()


@pytest.mark.filterwarnings("ignore")  # of Lightning, about the machine
def test_the_examples_print_what_the_document_says() -> None:
    names: dict[str, object] = {}
    assert len(BLOCKS) == 3
    for code, expected in BLOCKS:
        found = printed(code, names)
        spaces = re.compile(" +")
        assert spaces.sub(" ", NUMBER.sub("#", found)) == spaces.sub(" ", NUMBER.sub("#", expected))
        for a, b in zip(NUMBER.findall(found), NUMBER.findall(expected), strict=True):
            assert float(a) == pytest.approx(float(b), rel=0.05, abs=0.002)


@pytest.mark.slow
def test_the_walk_through_ends_with_the_table_that_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", QUESTION, re.S)
    exec(code, {})
    shown = ""
    for command in re.findall(r"^    python (.*)", QUESTION, re.M):
        script, *arguments = shlex.split(command)
        environment = os.environ | {"WANDB_MODE": "disabled"}
        line = [sys.executable, str(ROOT / script), *arguments]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stderr
        shown += done.stdout
    rows = [line for line in QUESTION.splitlines() if line.startswith("| cancer-")]
    assert len(rows) == 2
    for row in rows:
        (found,) = (line for line in shown.splitlines() if line.split("|")[1:4] == row.split("|")[1:4])
        ratio, documented = (float(NUMBER.findall(line.split("|")[5])[0]) for line in (found, row))
        assert ratio == pytest.approx(documented, rel=0.05)
    assert (tmp_path / "cancer.html").is_file()
