"""Roots of made runs (a small Figure 1, hostile names, a large one), the browser, and a page in it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from analysis.made_runs import config, errors, made_moments, write_figure1, write_run
from playwright.sync_api import Browser, Page
from review.browsing import chromium, page_of, started
from review.made_folders import SCRIPT
from review.serving import served

from selfnorm.review.catalogue import Catalogue
from selfnorm.review.export import export_html


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
