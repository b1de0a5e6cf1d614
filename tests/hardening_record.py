"""Counts what the hardening tests try, and writes it down: `pytest tests/hardening --record docs/hardening.md`.

In: calls of the `tried` fixture. Out: a section for each category, a row for each thing tried. The counts travel in
the reports, so they are the same under pytest-xdist; only tests that passed count; nothing is written if one fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Category -> how many attempts the committed table must at least hold (tests/hardening/test_record.py checks it).
PROMISED = {
    "Command lines": 200,
    "Data": 20,
    "Run folders": 20,
    "Checkpoints and weights": 5,
    "Readers": 1000,
    "Numbers": 10,
    "Security": 10,
    "Crashes": 100,
}
HEAD = """# What was tried to break it

Written by the tests themselves with `make soak`. Each row counts attempts of tests that passed.
"""
Row = tuple[str, str, str]  # category, what was tried, what happened
Tried = Callable[..., None]


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Tried:
    """Counts an attempt: `tried(category, what, outcome, times=1)`; a category is one of PROMISED."""

    def count(category: str, what: str, outcome: str, *, times: int = 1) -> None:
        assert category in PROMISED, f"{category!r}: legal are {', '.join(PROMISED)}"
        request.node.user_properties.append(("tried", [category, what, outcome, times]))

    return count


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", type=Path, help="write what the hardening tests tried into this file")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "soak: minutes of random kills (make soak)")
    if config.getoption("--record") and not hasattr(config, "workerinput"):  # the parent of xdist's workers
        config.pluginmanager.register(Recorder(config.getoption("--record")))


class Recorder:
    """Collects the counts from the reports of all workers and writes them at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.times: Counter[Row] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            for name, value in report.user_properties:
                if name == "tried":
                    category, what, outcome, times = value  # type: ignore[misc]
                    self.times[category, what, outcome] += int(times)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == 0:
            now = {category for category, _, _ in self.times}
            before = read_table(self.path.read_text()) if self.path.exists() else Counter()
            kept = Counter({row: times for row, times in before.items() if row[0] not in now})
            self.path.write_text(as_table(kept + self.times))


def as_table(times: Counter[Row]) -> str:
    """The page: categories as in PROMISED, rows in alphabetical order, so that equal counts give equal bytes."""
    text = HEAD
    for category in PROMISED:
        rows = sorted(row for row in times if row[0] == category)
        if rows:
            text += f"\n## {category}\n\n{sum(times[row] for row in rows)} attempts.\n\n"
            text += "| tried | times | what happened |\n| --- | ---: | --- |\n"
            text += "".join(f"| {_cell(row[1])} | {times[row]} | {_cell(row[2])} |\n" for row in rows)
    return text


def read_table(text: str) -> Counter[Row]:
    """The counts of a page that `as_table` wrote."""
    found: Counter[Row] = Counter()
    category = ""
    for line in text.splitlines():
        if line.startswith("## "):
            category = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith(("| tried |", "| --- |")):
            what, times, outcome = (cell.strip() for cell in line.strip("|").split(" | "))
            found[category, what, outcome] = int(times)
    return found


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())


def counts(times: Counter[Row]) -> dict[str, int]:
    """Attempts of each category."""
    total: dict[str, Any] = Counter()
    for (category, _, _), number in times.items():
        total[category] += number
    return dict(total)
