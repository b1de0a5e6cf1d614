"""A page that is open while jobs train: what is new arrives, and the reader stays where he is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from composed import ROOT
from playwright.sync_api import Page
from review.browsing import SNN, VIEWS, rows, visit
from review.serving import served

pytestmark = pytest.mark.slow


def append_a_step(path: Path, step: int) -> None:
    """The last recorded step of a table once more, as a job does that goes on."""
    table = pd.read_csv(path)
    with path.open("a") as file:
        table[table["step"] == table["step"].max()].assign(step=step).to_csv(file, header=False, index=False)


def test_a_growing_run_and_a_new_one_appear_without_a_reload(page: Page, figure1_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    shutil.copytree(figure1_root, root)
    with served(root) as address:
        visit(page, f"{address}/")
        page.evaluate("window.same = true")
        shutil.copytree(root / SNN, root / "figure1" / "new")
        page.wait_for_selector("#runs tbody tr:nth-child(7)", timeout=20_000)
        page.goto(f"{address}/#run?id={SNN}")
        page.wait_for_selector("output:has-text('7800')")
        append_a_step(root / SNN / "moments.csv", 9000)
        page.wait_for_selector("output:has-text('9000')", timeout=20_000)
        assert page.evaluate("window.same") is True


@pytest.mark.parametrize("view", [VIEWS[2], VIEWS[3]])
def test_a_live_update_leaves_the_reader_where_he_is(page: Page, figure1_root: Path, tmp_path: Path, view: str) -> None:
    root = tmp_path / "runs"
    shutil.copytree(figure1_root, root)
    with served(root) as address:
        visit(page, address + "/" + view)
        page.get_by_text("Numbers at this step").click()
        place = page.locator(".numbers").locator("..")  # a table that every update makes anew
        place.focus()
        page.evaluate("window.scrollTo(0, 700)")
        append_a_step(root / SNN / "moments.csv", 9000)
        page.wait_for_selector("output:has-text('9000')", timeout=20_000)
        assert page.evaluate("window.scrollY") == 700
        assert page.evaluate("document.activeElement.matches('.scroll:has(> .numbers)')")


@pytest.mark.parametrize("view", VIEWS[1:])
def test_zoom_and_hidden_lines_outlive_a_live_update_but_not_another_axis(
    page: Page, figure1_root: Path, tmp_path: Path, view: str
) -> None:
    root = tmp_path / "runs"
    shutil.copytree(figure1_root, root)
    drawn = """chart => [chart._fullLayout.xaxis.range, chart._fullLayout.yaxis.range,
                         chart._fullData.map((trace) => trace.visible)]"""
    has_new_step = "chart => chart.data.some((trace) => trace.x.includes(9000))"
    with served(root) as address:
        visit(page, address + "/" + view)
        box = page.locator(".chart .nsewdrag").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.7 * box["height"], steps=4)
        page.mouse.up()
        page.locator(".chart .legendtoggle").first.click()
        until(lambda: "legendonly" in page.eval_on_selector(".chart", drawn)[2])
        before = page.eval_on_selector(".chart", drawn)
        append_a_step(root / SNN / "curves.csv", 9000)
        until(lambda: page.eval_on_selector(".chart", has_new_step))
        assert page.eval_on_selector(".chart", drawn) == before
        page.get_by_label("Error axis").select_option("linear")
        x, y, visible = page.eval_on_selector(".chart", drawn)
        assert (x, visible) == (before[0], before[2])
        assert y != before[1]


def until(true: Callable[[], bool]) -> None:
    """Playwright's own waiting for an expression is `eval`, which the page's policy forbids."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
def test_a_job_is_followed_from_its_first_record_to_its_end(page: Page, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    words = ["dataset=digits", "scale=smoke", "model.depth=8", "dataset.train_limit=null", "training.epochs=400"]
    command = [sys.executable, ROOT / "train.py", *words, f"runs_dir={root}", "logger.mode=disabled", "progress=false"]
    steps = """(() => {
      const titles = [...document.querySelectorAll("#runs thead th")].map((title) => title.innerText.trim());
      return Number(document.querySelector("#runs tbody tr")?.cells[titles.indexOf("steps")]?.innerText);
    })()"""
    with served(root) as address:
        visit(page, f"{address}/")
        assert len(rows(page)) == 1
        assert "No run here yet" in rows(page)[0]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as job:
            page.wait_for_selector("#runs .state.running", timeout=60_000)
            until(lambda: page.evaluate(steps) > 0)
            early = page.evaluate(steps)
            until(lambda: page.evaluate(steps) > early)
            page.locator("#runs tbody a").first.click()
            page.wait_for_selector("output:has-text('0')")
            page.evaluate("window.scrollTo(0, 400)")
            shown = page.locator("output").inner_text()
            until(lambda: page.locator("output").inner_text() != shown)
            assert job.poll() is None
            assert page.evaluate("window.scrollY") == 400
        page.wait_for_selector(".state.finished", timeout=20_000)
        (summary,) = root.rglob("summary.json")
        end = json.loads(summary.read_text())
        page.wait_for_selector(f"output:has-text('{end['steps']}')")
        last = dict(row.split("\t", 1) for row in rows(page, ".statistics"))["training error, last step"]
        assert float(re.split(" ± ", last)[0]) == pytest.approx(end["train_loss"]["mean"], rel=6e-3)
