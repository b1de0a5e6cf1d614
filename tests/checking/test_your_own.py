"""The examples of docs/your-own.md run in their order and print what it says, numbers to within a twentieth."""

from __future__ import annotations

import contextlib
import io
import re

import pytest
from composed import ROOT

DOCUMENT = (ROOT / "docs/your-own.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", DOCUMENT.partition("## Your network")[2], re.S)
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
