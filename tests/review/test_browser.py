"""The page in a headless Chromium: what a reader sees, reaches by keyboard and is told by the pointer."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from analysis.made_runs import write_figure1
from composed import ROOT
from playwright.sync_api import Browser, Page
from review.browsing import SNN, VIEWS, page_of, rows, visit
from review.made_folders import write_broken_folders, write_small_run
from review.serving import served

from selfnorm.review.catalogue import Catalogue
from selfnorm.review.export import export_html
from selfnorm.review.published import unpack

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_loads_without_errors_and_fits_the_width(
    browser: Browser, address: str, width: int, scheme: Any
) -> None:
    with page_of(browser, viewport={"width": width, "height": 900}, color_scheme=scheme) as page:
        for view in VIEWS:
            visit(page, address + view)
            assert "bad" not in (page.locator("#status").get_attribute("class") or "")
            assert page.evaluate("document.documentElement.scrollWidth") == width
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", ground))) > 127) == (scheme == "light")


@pytest.fixture
def rated_root(tmp_path: Path) -> Path:
    """Two SNNs of one tag that differ in their learning rate, and a BN."""
    for name, changes in {"a": {"optimizer__lr": 1e-5}, "b": {"optimizer__lr": 3e-5}, "c": {"network": "BN"}}.items():
        write_small_run(tmp_path / "runs" / name, **changes)
    return tmp_path / "runs"


def test_a_search_takes_words_and_settings(page: Page, rated_root: Path) -> None:
    with served(rated_root) as address:
        visit(page, address)
        for words, found in {"snn 4": 2, "snn lr=1e-5": 1, "lr=0.00003": 1, "batch_size=128": 3, "lr=7": 0}.items():
            page.get_by_label("Search").fill(words)
            assert sum("MNIST" in row for row in rows(page)) == found, words


def test_the_address_shows_a_colleague_the_same_list(page: Page, rated_root: Path) -> None:
    with served(rated_root) as address:
        visit(page, address)
        assert page.title() == "Runs · selfnorm"
        page.get_by_label("Search").fill("snn")
        page.get_by_role("button", name="depth").click()
        page.locator("#columns summary").click()
        page.locator("[data-column=lr]").check()
        page.locator("[data-column=tag]").uncheck()
        link, there = page.url, rows(page)
        assert "q=snn" in link
        assert "sort=depth" in link
        visit(page, link)
        assert rows(page) == there
        assert page.get_by_label("Search").input_value() == "snn"
        heads = page.locator("#runs thead th").all_inner_texts()
        assert any("learning rate" in head for head in heads)
        assert not any(head.startswith("tag") for head in heads)
        page.get_by_role("link", name="SNN, lr 3e-5").click()
        page.wait_for_selector("h2:has-text('SNN, lr 3e-5')")
        assert page.title() == "MNIST, SNN, lr 3e-5, 4 layers · selfnorm"
        page.go_back()
        page.wait_for_selector("#runs")
        assert rows(page) == there


def test_a_run_that_crashed_says_why_and_how_to_go_on(page: Page, tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "runs/d4-1", state="running")  # and no process holds its lock
    environment = json.loads((folder / "environment.json").read_text())
    command = "python train.py +experiment=selu_deep"
    (folder / "environment.json").write_text(json.dumps(environment | {"command": command}))
    with served(tmp_path / "runs") as address:
        visit(page, f"{address}#run?id=d4-1")
        told = page.locator("main .note", has_text="crashed: its process is gone").inner_text()
        assert f"The same command goes on: {command}" in told


def test_a_published_study_shows_no_date(page: Page, tmp_path: Path) -> None:
    unpack(ROOT / "docs/results/digits", tmp_path / "runs")
    with served(tmp_path / "runs") as address:
        visit(page, address)
        assert "1970" not in page.locator("#runs").inner_text()


def test_the_words_of_the_list_are_explained_on_demand(page: Page, address: str) -> None:
    visit(page, address)
    assert not page.locator("#words dl").is_visible()
    page.locator("#words summary").click()
    assert "0.01 is 1 %" in page.locator("#words dl").inner_text()


def test_the_figures_axes_are_in_its_address(page: Page, address: str) -> None:
    visit(page, address + "#figure")
    page.get_by_label("Error axis").select_option("linear")
    assert "axis=linear" in page.url
    assert "tag=figure1" in page.url
    visit(page, page.url)
    assert page.get_by_label("Error axis").input_value() == "linear"
    assert page.title() == "Figure 1, figure1 · selfnorm"


def test_on_a_phone_the_training_error_is_on_the_screen(browser: Browser, address: str) -> None:
    with page_of(browser, viewport={"width": 400, "height": 800}) as page:
        visit(page, address)
        head = page.locator("#runs thead th", has_text="training error").bounding_box()
        assert head is not None
        assert head["x"] + head["width"] <= 400


def test_filters_and_search_keep_the_runs_that_match(page: Page, address: str) -> None:
    visit(page, address)
    assert len(rows(page)) == 6
    page.get_by_role("combobox", name="Network").select_option("BN")
    assert len(rows(page)) == 3
    page.get_by_role("combobox", name="Depth").select_option("32")
    (found,) = rows(page)
    assert re.split(r"\s+", found)[:2] == ["finished", "BN"]
    assert re.search(r"MNIST\s+32", found)
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Search").fill("snn")
    assert len(rows(page)) == 3
    page.get_by_label("Search").fill("no such run")
    assert rows(page) == ["No run matches the filter."]


@pytest.fixture(scope="module")
def varied_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four runs that differ in all that a filter asks for."""
    root = tmp_path_factory.mktemp("varied")
    write_small_run(root / "a", tag="one", dataset="mnist")
    write_small_run(root / "b", tag="two", dataset="mnist", state="failed")
    write_small_run(root / "c", tag="two", dataset="digits", depth=8)
    write_small_run(root / "d", tag="three", dataset="cifar10", network="BN", state="diverged")
    return root


@pytest.mark.parametrize(
    ("label", "key"),
    [("Data set", "dataset"), ("Depth", "depth"), ("Network", "network"), ("Tag", "tag"), ("State", "state")],
)
def test_each_filter_offers_what_there_is_and_keeps_its_runs_alone(
    page: Page, varied_root: Path, label: str, key: str
) -> None:
    with served(varied_root) as address:
        visit(page, f"{address}/")
        there = Catalogue(varied_root).overview()["runs"]
        select = page.locator(f"label:has(span:text-is('{label}')) select")
        values = select.locator("option").evaluate_all("all => all.map((one) => one.value)")
        assert values[0] == ""
        assert sorted(values[1:]) == sorted({str(row[key]) for row in there})
        assert len(values) > 2
        for value in values:
            select.select_option(value)
            shown = page.eval_on_selector_all("#runs tbody tr", "all => all.map((one) => one.dataset.id)")
            assert sorted(shown) == [row["id"] for row in there if value in ("", str(row[key]))]


def test_a_runs_links_lead_to_its_files_as_they_are(page: Page, address: str, figure1_root: Path) -> None:
    visit(page, address + VIEWS[2])
    links = {link.inner_text(): link for link in page.locator("a[href^='/file']").all()}
    assert list(links) == ["config.yaml", "curves.csv", "moments.csv", "summary.json", "environment.json"]
    for name, link in links.items():
        with page.context.expect_page() as opened:
            link.click()
        opened.value.wait_for_load_state()
        assert opened.value.locator("pre").inner_text() == (figure1_root / SNN / name).read_text()


def test_the_keyboard_reaches_every_control_and_moves_the_slider(page: Page, address: str) -> None:
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


def test_the_bar_over_a_chart_moves_zooms_and_saves_and_sends_nothing_anywhere(page: Page, address: str) -> None:
    visit(page, f"{address}#figure")
    page.locator(".chart").first.hover()
    names = page.eval_on_selector_all(".modebar-btn", "all => all.map((one) => one.dataset.title)")
    assert names == ["Download plot as a PNG", "Zoom", "Pan", "Zoom in", "Zoom out", "Reset axes"]
    ground = "getComputedStyle(document.querySelector('.modebar-group')).backgroundColor"
    assert page.evaluate(ground) == "rgba(0, 0, 0, 0)"


def test_folders_that_are_no_runs_are_listed_with_their_reason(page: Page, tmp_path: Path) -> None:
    reasons = write_broken_folders(tmp_path)
    with served(tmp_path) as address:
        visit(page, f"{address}/")
        assert len(rows(page)) == 1
        assert {row.split("\t")[0] for row in rows(page, "#problems")} == set(reasons)


@pytest.fixture(scope="module")
def two_datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("two") / "runs"
    write_figure1(root, datasets=("mnist", "cifar10"), epochs=30, records=3)
    return root


@pytest.mark.parametrize("width", [1280, 400])
def test_the_charts_of_two_data_sets_lie_inside_their_panels(browser: Browser, two_datasets: Path, width: int) -> None:
    with served(two_datasets) as address, page_of(browser, viewport={"width": width, "height": 900}) as page:
        visit(page, f"{address}/#figure")
        boxes = page.eval_on_selector_all(
            ".panels .chart",
            """all => all.map((chart) => [chart, chart.querySelector(".main-svg")]
                 .map((one) => one.getBoundingClientRect())
                 .map(({ left, right, top, bottom }) => [left, right, top, bottom]))""",
        )
        assert len(boxes) == 2
        for (left, right, top, bottom), (drawn_left, drawn_right, drawn_top, drawn_bottom) in boxes:
            assert left <= drawn_left < drawn_right <= right + 1  # plotly draws whole pixels
            assert top <= drawn_top < drawn_bottom <= bottom + 1
            assert right <= width
        (first, _), (second, _) = boxes
        assert first[1] <= second[0] if width == 1280 else first[3] <= second[2]  # beside, or below each other


def test_an_empty_root_is_said_in_every_view(page: Page, tmp_path: Path) -> None:
    with served(tmp_path) as address:
        for view in ("", "#figure", "#run", "#compare"):
            visit(page, f"{address}/{view}")
            assert "No run here yet" in page.locator("main").inner_text()


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("#run?id=nosuch", "Not here: run nosuch."),
        ("#figure?tag=nosuch", "Not here: tag nosuch."),
        (f"#compare?a={SNN}&b=nosuch", "Not here: run nosuch."),
    ],
)
def test_an_address_of_what_is_not_there_says_so_and_shows_nothing_else(
    page: Page, address: str, view: str, words: str
) -> None:
    visit(page, address + view)
    assert words in page.locator("[role=alert]").inner_text()
    assert page.locator(".chart:visible, table:visible").count() == 0
    page.locator("main select:visible").nth(int("compare" in view)).select_option(
        index=0
    )  # what is there can be chosen
    page.wait_for_selector(".chart .scatterlayer .trace")
    assert page.locator("[role=alert]:visible").all_inner_texts() in ([], [""])


@pytest.mark.parametrize("kind", ["served", "exported"])
def test_hostile_names_are_shown_as_text(page: Page, hostile_root: Path, tmp_path: Path, kind: str) -> None:
    def look(address: str) -> None:
        ids = [row["id"] for row in Catalogue(hostile_root).overview()["runs"]]
        for view in ("", "#figure", f"#run?id={ids[0]}", f"#compare?a={ids[0]}&b={ids[1]}"):
            visit(page, address + view)
            shown = (
                page.locator(".chart").first.text_content() if view == "#figure" else page.locator("main").inner_text()
            )
            assert ("<u>mnist<u>" if view == "#figure" else "<script>") in (shown or "")
            assert page.title() != "taken"
            assert page.locator("main").locator("b, i, u, img, script").count() == 0

    if kind == "served":
        with served(hostile_root) as address:
            look(f"{address}/")
    else:
        (tmp_path / "review.html").write_text(export_html(Catalogue(hostile_root)), "utf-8")
        look(f"file://{tmp_path}/review.html")


def test_the_export_of_24_runs_opens_from_disk_without_a_network_in_3_seconds(
    browser: Browser, large_export: Path
) -> None:
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
    "run": ("#run?id={id}", (1280, 1150), "light"),
    "narrow": ("#run?id={id}", (400, 1500), "light"),
}


@pytest.mark.skipif("SELFNORM_PICTURES" not in os.environ, reason="SELFNORM_PICTURES=1 rebuilds docs/review")
def test_pictures_of_the_readme(browser: Browser, tmp_path: Path) -> None:
    """SELFNORM_PICTURES=1 pytest -n 0 -m slow tests/review -k pictures: the published Figure 1 in the page."""
    root, folder = tmp_path / "figure1", ROOT / "docs" / "review"
    unpack(ROOT / "docs/results/figure1", root)
    shown = [row for row in Catalogue(root).overview()["runs"] if row["network"] == "SNN" and row["n"] > 2]
    deepest = max(shown, key=lambda row: row["depth"])["id"]
    with served(root) as address:
        for name, (view, (width, height), scheme) in PICTURES.items():
            with page_of(browser, viewport={"width": width, "height": height}, color_scheme=scheme) as page:
                visit(page, f"{address}/{view.format(id=deepest)}")
                page.screenshot(path=folder / f"{name}.png")
            assert (folder / f"{name}.png").stat().st_size < 300_000
