"""The page in a headless Chromium: what a reader sees, reaches by keyboard and is told by the pointer."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from composed import ROOT
from playwright.sync_api import Browser, Page
from review.browsing import chromium, page_of, started, visit
from review.conftest import served, write_broken_folders, write_small_run

from selfnorm.review.catalogue import Catalogue
from selfnorm.review.export import export_html

SNN, BN = (f"figure1/mnist/{network}/d32-00000000" for network in ("SNN", "BN"))
MAP = "section[aria-label='Moments'] .chart:not(.profile)"
VIEWS = ("", "#figure", f"#run?id={SNN}", f"#compare?a={SNN}&b={BN}")


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


def rows(page: Page, table: str = "#runs") -> list[str]:
    return page.locator(f"{table} tbody tr").all_inner_texts()


def hover(page: Page, chart: str, x: float, y: float) -> str:
    """Point at data coordinates of a chart; returns what the hover label says."""
    page.locator(chart).scroll_into_view_if_needed()
    place: Any = page.eval_on_selector(
        chart,
        """(chart, [x, y]) => {
          const { xaxis, yaxis } = chart._fullLayout, box = chart.getBoundingClientRect();
          return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
        }""",
        [x, y],
    )
    page.mouse.move(place[0] - 3, place[1])
    page.mouse.move(place[0], place[1])
    page.wait_for_selector(f"{chart} .hoverlayer .hovertext")
    return " ".join(page.locator(f"{chart} .hovertext tspan").all_text_contents())


def append_a_step(path: Path, step: int) -> None:
    """The last recorded step of a table once more, as a job does that goes on."""
    table = pd.read_csv(path)
    with path.open("a") as file:
        table[table["step"] == table["step"].max()].assign(step=step).to_csv(file, header=False, index=False)


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_loads_without_errors_and_fits_the_width(browser: Browser, address: str, width: int, scheme: Any):
    with page_of(browser, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        for view in VIEWS:
            visit(page, address + view)
            assert "bad" not in (page.locator("#status").get_attribute("class") or "")
            assert page.evaluate("document.documentElement.scrollWidth") == width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", ground))) > 127) == (scheme == "light")


def test_filters_and_search_keep_the_runs_that_match(page: Page, address: str):
    visit(page, address)
    assert len(rows(page)) == 6
    page.get_by_label("Network").select_option("BN")
    assert len(rows(page)) == 3
    page.get_by_label("Depth").select_option("32")
    assert [re.split(r"\s+", row)[:4] for row in rows(page)] == [["finished", "MNIST", "BN", "32"]]
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Search").fill("snn")
    assert len(rows(page)) == 3
    page.get_by_label("Search").fill("no such run")
    assert rows(page) == ["No run matches the filter."]


def test_the_keyboard_reaches_every_control_and_moves_the_slider(page: Page, address: str):
    visit(page, address + VIEWS[2])
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.outerHTML"))
    wanted = page.eval_on_selector_all(
        "nav a, main a, main select, main input, main button, main summary",
        "all => all.filter((one) => one.checkVisibility()).map((one) => one.outerHTML)",
    )
    assert [one for one in wanted if one not in reached] == []
    page.locator("#step").focus()
    before = page.locator("output").inner_text()
    page.keyboard.press("ArrowLeft")
    assert int(page.locator("output").inner_text()) < int(before)


@pytest.mark.parametrize("axis", ["log", "linear"])
def test_hovering_figure_1_says_the_mean_over_seeds_in_the_file(
    page: Page, address: str, figure1_root: Path, axis: str
):
    curves = pd.read_csv(figure1_root / BN / "curves.csv")
    step = int(curves["step"].unique()[20])
    here = curves[(curves["split"] == "train") & (curves["step"] == step)]
    mean = float(np.exp(np.log(here["loss"]).mean()))
    visit(page, f"{address}#figure")
    page.get_by_label("Error axis").select_option(axis)
    said = hover(page, ".chart", step, mean)
    assert "BN, 32 layers" in said
    assert f"step {step}" in said
    assert float(re.search(r"error ([\d.]+)", said)[1]) == pytest.approx(mean, rel=1e-4)  # type: ignore[index]


def test_the_heat_map_of_32_layers_says_the_files_numbers_and_the_slider_its_steps(
    page: Page, address: str, figure1_root: Path
):
    table = pd.read_csv(figure1_root / SNN / "moments.csv")
    steps = table["step"].unique().tolist()
    visit(page, address + VIEWS[2])
    titles = {"activation_variance": "activation: variance", "preactivation_mean": "pre-activation: mean"}
    for column, title in titles.items():
        page.locator("label:has-text('Moment') select").select_option(column)
        shape = page.eval_on_selector(MAP, "map => [map.data[0].z.length, map.data[0].z[0].length]")
        assert shape == [32, len(steps)]
        value = table[(table["step"] == steps[3]) & (table["layer"] == 20)][column].mean()
        said = hover(page, MAP, 3, 20)
        assert f"step {steps[3]}" in said
        assert "layer 20" in said
        assert f"{title} " in said
        found = float(said.rsplit(" ", 1)[1].replace("−", "-"))
        assert found == pytest.approx(value, rel=6e-4)
    page.locator("#step").fill("2")
    page.get_by_text("Numbers at this step").click()
    numbers = [row.split() for row in rows(page, ".numbers")]
    mean = table[table["step"] == steps[2]].groupby("layer")["preactivation_mean"].mean()
    assert page.locator("output").inner_text() == str(steps[2])
    assert [int(row[0]) for row in numbers] == list(range(1, 33))
    assert [float(row[1]) for row in numbers] == pytest.approx(mean.tolist(), rel=6e-4)
    assert {float(row[2]) for row in numbers} == {0.0}  # the theory beside it: centred weights


def test_each_split_of_the_error_has_one_legend_entry_of_its_own_name(page: Page, tmp_path: Path):
    path = write_small_run(tmp_path / "d4-1") / "curves.csv"
    curves = pd.read_csv(path)
    last = curves[(curves["step"] == curves["step"].max()) & (curves["split"] == "validation")]
    pd.concat([curves, last.assign(split="test")]).to_csv(path, index=False)
    with served(tmp_path) as address:
        visit(page, f"{address}/#run")
        traces = page.eval_on_selector(".chart", "chart => chart.data.map(({name, mode, y}) => [name, mode, y.length])")
        legend = page.locator(".chart").first.locator(".legendtext").all_text_contents()
    for split, mode, records in (("train", "lines", 21), ("validation", "lines", 21), ("test", "markers", 1)):
        assert legend.count(f"{split}, each seed") == 1
        assert [f"{split}, each seed", mode, records] in traces
    assert len(legend) == 4  # and the mean


def test_two_runs_stand_side_by_side_with_what_differs(page: Page, address: str):
    visit(page, address + VIEWS[3])
    assert page.locator(".maps .heatmaplayer image").count() == 2
    difference = [row.split() for row in rows(page, ".difference")]
    assert ["activation.name", "selu", "relu"] in difference
    assert ["normalization.name", "none", "batch"] in difference
    assert not any(row[0] == "model.depth" for row in difference)
    page.get_by_role("button", name="Swap").click()
    page.wait_for_selector(".difference td:has-text('relu') + td:has-text('selu')")


def test_a_growing_run_and_a_new_one_appear_without_a_reload(page: Page, figure1_root: Path, tmp_path: Path):
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
def test_a_live_update_leaves_the_reader_where_he_is(page: Page, figure1_root: Path, tmp_path: Path, view: str):
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


def test_the_bar_over_a_chart_moves_zooms_and_saves_and_sends_nothing_anywhere(page: Page, address: str):
    visit(page, f"{address}#figure")
    page.locator(".chart").first.hover()
    names = page.eval_on_selector_all(".modebar-btn", "all => all.map((one) => one.dataset.title)")
    assert names == ["Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"]
    ground = "getComputedStyle(document.querySelector('.modebar-group')).backgroundColor"
    assert page.evaluate(ground) == "rgba(0, 0, 0, 0)"


def test_folders_that_are_no_runs_are_listed_with_their_reason(page: Page, tmp_path: Path):
    reasons = write_broken_folders(tmp_path)
    with served(tmp_path) as address:
        visit(page, f"{address}/")
        assert len(rows(page)) == 1
        assert {row.split("\t")[0] for row in rows(page, "#problems")} == set(reasons)


def test_an_empty_root_is_said_in_every_view(page: Page, tmp_path: Path):
    with served(tmp_path) as address:
        for view in ("", "#figure", "#run", "#compare"):
            visit(page, f"{address}/{view}")
            assert "No run here yet" in page.locator("main").inner_text()


@pytest.mark.parametrize("kind", ["served", "exported"])
def test_hostile_names_are_shown_as_text(page: Page, hostile_root: Path, tmp_path: Path, kind: str):
    def look(address: str) -> None:
        ids = [row["id"] for row in Catalogue(hostile_root).overview()["runs"]]
        for view in ("", "#figure", f"#run?id={ids[0]}", f"#compare?a={ids[0]}&b={ids[1]}"):
            visit(page, address + view)
            shown = (
                page.locator(".chart").first.text_content() if view == "#figure" else page.locator("main").inner_text()
            )
            assert ("<u>mnist<u>" if view == "#figure" else "<script>") in (shown or "")
            assert page.title() == "selfnorm: review of runs"
            assert page.locator("main").locator("b, i, u, img, script").count() == 0

    if kind == "served":
        with served(hostile_root) as address:
            look(f"{address}/")
    else:
        (tmp_path / "review.html").write_text(export_html(Catalogue(hostile_root)), "utf-8")
        look(f"file://{tmp_path}/review.html")


def test_the_export_of_24_runs_opens_from_disk_without_a_network_in_3_seconds(browser: Browser, large_export: Path):
    with page_of(browser, offline=True) as page:
        start = time.monotonic()
        visit(page, f"file://{large_export}")
        assert time.monotonic() - start < 3
        assert len(rows(page)) == 24
        page.get_by_role("link", name="Figure 1").click()
        page.wait_for_selector(".chart .scatterlayer .trace")
        page.goto(f"file://{large_export}#run?id=00")
        page.wait_for_selector(".maps .heatmaplayer image")


PICTURES = {  # name -> view, width and height, colours
    "overview": ("", (1280, 470), "light"),
    "figure": ("#figure", (1280, 1080), "light"),
    "run": ("#run?id={id}", (1280, 1150), "dark"),
    "narrow": ("#run?id={id}", (400, 1500), "light"),
}


@pytest.mark.skipif("SELFNORM_PICTURES" not in os.environ, reason="SELFNORM_PICTURES=runs rebuilds docs/review")
def test_pictures_of_the_readme(browser: Browser):
    """SELFNORM_PICTURES=runs pytest -n 0 tests/review -k pictures, after make figure1 DATASETS=digits."""
    root, folder = Path(os.environ["SELFNORM_PICTURES"]), ROOT / "docs" / "review"
    folder.mkdir(exist_ok=True)
    shown = [row for row in Catalogue(root).overview()["runs"] if row["network"] == "SNN" and row["n"] > 2]
    deepest = max(shown, key=lambda row: row["depth"])["id"]
    with served(root) as address:
        for name, (view, (width, height), scheme) in PICTURES.items():
            with page_of(browser, viewport={"width": width, "height": height}, color_scheme=scheme) as page:
                visit(page, f"{address}/{view.format(id=deepest)}")
                page.screenshot(path=folder / f"{name}.png")
            assert (folder / f"{name}.png").stat().st_size < 300_000
