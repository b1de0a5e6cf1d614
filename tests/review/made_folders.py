"""Folders of made runs: small ones, and everything that goes wrong with a folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from analysis.made_runs import config, errors, made_moments, write_run

from selfnorm.runs.layout import FORK_COLUMNS

SCRIPT = "<script>document.title='taken'</script>"


def write_small_run(folder: Path, *, state: str = "finished", seeds: int = 3, **coordinates: object) -> Path:
    """A run of 20 epochs with moments of 4 layers at 5 steps."""
    rng = np.random.default_rng(3)
    made = errors(rng, seeds=seeds, epochs=20, noise=0.05, rate=0.5)
    moments = made_moments(rng, depth=4, seeds=seeds, records=5, drift=0.02)
    return write_run(folder, config(**{"depth": 4, **coordinates}), made, state=state, moments=moments)  # type: ignore[arg-type]


def write_forks(folder: Path) -> pd.DataFrame:
    """Add forks.csv to a run of 3 seeds: 8 copies at 3 steps, which differ in the order alone or not at all."""
    rng = np.random.default_rng(4)
    index = pd.MultiIndex.from_product(
        [(10, 100, 1000), range(3), ("order", "evaluation"), range(8), (5, 10)],
        names=["step", "seed", "source", "fork", "update"],
    )
    table = index.to_frame(index=False)
    noise = np.where(table["source"] == "order", rng.normal(0, 0.01, len(table)), 0.0)
    table = table.assign(epoch=table["step"] // 10, loss=np.exp(noise - table["step"] / 1000))
    table[list(FORK_COLUMNS)].to_csv(folder / "forks.csv", index=False)
    return table


def write_broken_folders(root: Path) -> dict[str, str]:
    """One good run among folders that are none or not whole; returns folder -> words of the reason that it gets."""
    write_small_run(root / "good" / "d4-1")
    (root / "empty").mkdir()
    (root / "notes").mkdir()
    (root / "notes" / "todo.txt").write_text("train more")
    (root / "report").mkdir()
    (root / "report" / "report.md").write_text("# Report")
    (root / "config-only").mkdir()
    (root / "config-only" / "config.yaml").write_text("tag: x\n")
    for name, file, content in (
        ("summary", "summary.json", b'{"state": "finis'),
        ("list", "summary.json", b"[1, 2]"),
        ("words", "summary.json", json.dumps({"state": "finished", "seeds": ["one"]}).encode()),
        ("yaml", "config.yaml", b"tag: [1,\n"),
        ("key", "config.yaml", b"tag: x\n"),
        ("binary", "curves.csv", b"\xff\xfe\x00\x01\n\x00\xff\n"),
        ("text", "curves.csv", b"step,epoch,seed,split,loss,accuracy\n0,0,0,train,oops,0.1\n"),
        ("columns", "curves.csv", b"step,epoch\n0,0\n"),
    ):
        (write_small_run(root / name / "d4-1") / file).write_bytes(content)
    return {
        "empty": "an empty folder",
        "notes": "not a run: neither config.yaml nor summary.json",
        "report": "not a run: a report",
        "config-only": "no summary.json: the run did not get that far",
        "summary/d4-1": "summary.json cannot be read",
        "list/d4-1": "summary.json must hold a mapping, not list",
        "words/d4-1": "is not as a run writes it",
        "yaml/d4-1": "config.yaml cannot be read",
        "key/d4-1": "has no",
        "binary/d4-1": "curves.csv is not a table",
        "text/d4-1": "curves.csv holds text in the column loss",
        "columns/d4-1": "curves.csv lacks the column seed",
    }
