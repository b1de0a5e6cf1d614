"""Folders of made runs: a small Figure 1, everything that goes wrong with a folder, and names that are hostile."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from analysis.made_runs import config, errors, made_moments, write_figure1, write_run
from playwright.sync_api import Browser, Page
from review.browsing import chromium, page_of, started

from selfnorm.review.catalogue import Catalogue
from selfnorm.review.export import export_html
from selfnorm.review.server import listen, make_app

SCRIPT = "<script>document.title='taken'</script>"


def write_small_run(folder: Path, *, state: str = "finished", seeds: int = 3, **coordinates: object) -> Path:
    """A run of 20 epochs with moments of 4 layers at 5 steps."""
    rng = np.random.default_rng(3)
    made = errors(rng, seeds=seeds, epochs=20, noise=0.05, rate=0.5)
    moments = made_moments(rng, depth=4, seeds=seeds, records=5, drift=0.02)
    return write_run(folder, config(**{"depth": 4, **coordinates}), made, state=state, moments=moments)  # type: ignore[arg-type]


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


@pytest.fixture(scope="session")
def figure1_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six cells, three of them 8, 16 and 32 layers deep for each network; moments have 32 layers at most."""
    root = tmp_path_factory.mktemp("figure1") / "runs"
    root.mkdir()
    write_figure1(root, datasets=("mnist",), epochs=60, records=8)
    return root


@pytest.fixture(scope="session")
def hostile_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Markup wherever a run can carry a name: folder, tag, activation, data set, configuration, reason."""
    root = tmp_path_factory.mktemp("hostile") / "<b>runs<b>"
    for name, tag in (("one", SCRIPT), ("two", "</script><img src=x onerror=\"document.title='taken'\">")):
        made = config(tag=tag, depth=4)
        made["activation"]["name"] = "<i>relu<i>"
        made["dataset"]["name"] = "<u>mnist<u>"
        made["model"]["<a href='javascript:1'>"] = SCRIPT
        rng = np.random.default_rng(3)
        folder = write_run(
            root / f"<img src=x onerror=alert(1)> {name}" / "d4-1", made,
            errors(rng, seeds=3, epochs=20, noise=0.05, rate=0.5), state="failed",
            moments=made_moments(rng, depth=4, seeds=3, records=5, drift=0.02),
        )  # fmt: skip
        summary = json.loads((folder / "summary.json").read_text())
        (folder / "summary.json").write_text(json.dumps(summary | {"reason": SCRIPT}))
    (root / "<script>").mkdir()
    return root


@contextmanager
def served(root: Path) -> Iterator[str]:
    """The page of `root` on a free loopback port; the address, without the last slash."""
    with listen("127.0.0.1", 0) as bound:
        server = uvicorn.Server(uvicorn.Config(make_app(root), log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def large_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 runs of six seeds, 32 layers and 40 recordings of noise, which packs worse than anything measured."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(5)
    table = made_moments(rng, depth=32, seeds=6, records=40, drift=0.02).to_csv(index=False)
    for number in range(24):
        own = config(network="BN" if number % 2 else "SNN", depth=(8, 16, 32)[number % 3], tag=f"tag-{number // 12}")
        run = folder / "runs" / f"{number:02}"
        write_run(run, own, errors(rng, seeds=6, epochs=200, noise=0.05, rate=0.5))
        (run / "moments.csv").write_text(table)
    (folder / "review.html").write_text(export_html(Catalogue(folder / "runs")), "utf-8")
    return folder / "review.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        reason = "no Chromium here: apt-get install chromium"
        if os.environ.get("SELFNORM_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with started(path) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(figure1_root: Path) -> Iterator[str]:
    with served(figure1_root) as address:
        yield f"{address}/"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with page_of(browser) as page:
        yield page
