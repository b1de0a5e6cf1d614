"""The audit: a known weakness fails it, and advisories that cannot be had are said to be missing."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys

from composed import ROOT

SCRIPT = ROOT / "scripts/audit.py"
report = runpy.run_path(str(SCRIPT))["report"]
CLEAN = {"name": "numpy", "version": "2.0", "vulns": []}
WEAK = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "torch", "skip_reason": "not found"}


def test_a_known_weakness_is_named_with_the_version_that_mends_it_and_fails_the_audit() -> None:
    code, text = report(json.dumps({"dependencies": [CLEAN, WEAK, SKIPPED]}), "")
    assert code == 1
    assert text == "old 1.0: PYSEC-2026-1, mended in 1.1\n1 known weaknesses in 2 packages of 3"
    assert report(json.dumps({"dependencies": [CLEAN]}), "") == (0, "0 known weaknesses in 1 packages of 1")


def test_advisories_that_cannot_be_had_are_said_to_be_missing() -> None:
    nothing = report(json.dumps({"dependencies": [SKIPPED]}), "")
    assert nothing == (0, "not audited: no advisories can be had from here for any of 1 packages")
    assert report("", "Traceback\nConnectionError: no route") == (
        0, "not audited: pip-audit had no answer (ConnectionError: no route)"
    )  # fmt: skip


def test_a_lock_file_that_is_not_there_is_one_line() -> None:
    command = [sys.executable, str(SCRIPT), "no.lock"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "'no.lock' is not a file" in done.stderr
