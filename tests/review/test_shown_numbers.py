"""The numbers on the page, in charts and tables, against those in the files."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from analysis.made_runs import config, write_run
from playwright.sync_api import Page
from review.browsing import BN, MAP, SNN, VIEWS, hover, rows, visit
from review.made_folders import write_forks, write_small_run
from review.serving import served

from selfnorm.analysis.comparison import describe_cells
from selfnorm.analysis.runs import load_runs
from selfnorm.review.catalogue import Catalogue
from selfnorm.theory.expected import MAPS, expected

pytestmark = pytest.mark.slow


def test_each_split_of_the_error_has_one_legend_entry_of_its_own_name(page: Page, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("axis", ["log", "linear"])
def test_hovering_figure_1_says_the_mean_over_seeds_in_the_file(
    page: Page, address: str, figure1_root: Path, axis: str
) -> None:
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
) -> None:
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


def test_two_runs_stand_side_by_side_with_what_differs(page: Page, address: str) -> None:
    visit(page, address + VIEWS[3])
    assert page.locator(".maps .heatmaplayer image").count() == 2
    difference = [row.split() for row in rows(page, ".difference")]
    assert ["activation.name", "selu", "relu"] in difference
    assert ["normalization.name", "none", "batch"] in difference
    assert not any(row[0] == "model.depth" for row in difference)
    page.get_by_role("button", name="Swap").click()
    page.wait_for_selector(".difference td:has-text('relu') + td:has-text('selu')")


def test_the_profile_draws_the_step_of_the_slider_and_both_curves_of_the_theory(
    page: Page, address: str, figure1_root: Path
) -> None:
    table = pd.read_csv(figure1_root / SNN / "moments.csv")
    steps = table["step"].unique()
    theory = expected(yaml.safe_load((figure1_root / SNN / "config.yaml").read_text()))["curves"]["activation_variance"]
    visit(page, address + VIEWS[2])
    for at in (len(steps) - 1, 2):
        page.locator("#step").fill(str(at))
        drawn = page.eval_on_selector(".profile", "chart => chart.data.map(({name, x, y}) => [name, [...x], [...y]])")
        here = table[table["step"] == steps[at]].groupby("layer")["activation_variance"].mean()
        (name, values, layers), *curves = drawn
        assert name == f"measured, step {steps[at]}"
        assert layers == list(range(1, 33))
        assert values == pytest.approx(here.tolist(), rel=1e-4)
        assert {name: x for name, x, _ in curves} == {MAPS[key]: theory[key] for key in MAPS}
        assert page.locator(".profile .scatterlayer .trace path.js-line").count() == 3


INTERVALS = ("fluctuation", "final_error", "test_error")


def test_every_interval_is_value_low_and_high_in_this_order(page: Page, address: str, figure1_root: Path) -> None:
    described = describe_cells(load_runs(figure1_root)).set_index("cell")
    texts = dict.fromkeys(described.index, "")
    visit(page, address)
    for row in page.locator("#runs tbody tr").all():
        texts[str(row.get_attribute("data-id"))] += row.inner_text()
    for cell, text in texts.items():
        assert intervals(text) == [pytest.approx(of(described, cell, "fluctuation"), rel=6e-3)]
    visit(page, f"{address}#figure")
    for cell, row in zip(described.index, rows(page, "#variance"), strict=True):
        assert intervals(row) == [pytest.approx(of(described, cell, key), rel=6e-3) for key in INTERVALS]
    visit(page, address + VIEWS[2])
    shown = intervals(page.locator(".statistics").inner_text())
    assert shown == [pytest.approx(of(described, SNN, key), rel=6e-3) for key in INTERVALS]


def of(described: pd.DataFrame, cell: str, key: str) -> list[float]:
    return described.loc[cell, [key, f"{key}_low", f"{key}_high"]].astype(float).tolist()


def intervals(text: str) -> list[list[float]]:
    """Every `value (low to high)` of a text."""
    return [[float(number) for number in found] for found in re.findall(r"(\S+)\s\((\S+) to (\S+)\)", text)]


@pytest.mark.parametrize("view", [VIEWS[1], VIEWS[2]])
def test_bands_are_one_standard_deviation_of_log_error_around_the_mean(
    page: Page, address: str, figure1_root: Path, view: str
) -> None:
    curves = pd.read_csv(figure1_root / SNN / "curves.csv").query("split == 'train'")
    logs = np.log(curves.pivot_table(index="step", columns="seed", values="loss"))
    mean, sd = logs.mean(axis=1), logs.std(axis=1, ddof=1)
    visit(page, address + view)
    group = SNN if view == VIEWS[1] else "mean"
    drawn = page.eval_on_selector(
        ".chart",
        """(chart, group) => chart.data.filter((trace) => trace.legendgroup === group)
             .map(({ y, fill, fillcolor }) => [fill ?? "none", fillcolor ?? "", [...y]])""",
        group,
    )
    fills, colours, values = zip(*drawn, strict=True)
    assert fills[:2] == ("none", "tonexty")
    assert float(colours[1].rstrip(")").split(",")[-1]) >= 0.15
    assert values[0] == pytest.approx(np.exp(mean + sd).tolist(), rel=1e-4)
    assert values[1] == pytest.approx(np.exp(mean - sd).tolist(), rel=1e-4)
    assert values[-1] == pytest.approx(np.exp(mean).tolist(), rel=1e-4)
    bands = page.locator(".chart").first.locator(".fills path.js-fill")
    assert bands.count() == (6 if view == VIEWS[1] else 1)
    if view == VIEWS[1]:
        page.get_by_label("bands").uncheck()
        assert bands.count() == 0


@pytest.mark.parametrize(("first", "last"), [(2.3, 1.9), (2.3, 0.8), (2.3, 0.01), (1.0, 1e-6)])
def test_a_logarithmic_axis_has_ticks_to_read_off_however_short_it_is(
    page: Page, tmp_path: Path, first: float, last: float
) -> None:
    write_run(tmp_path / "d4-1", config(depth=4), np.geomspace([first] * 3, [last] * 3, 20, axis=1))
    with served(tmp_path) as address:
        visit(page, f"{address}/#figure")
        ticks = page.locator(".chart .ytick text").all_text_contents()
    assert 3 <= len(ticks) <= 12
    assert all(float(tick.replace("−", "-")) > 0 for tick in ticks)
    assert sum(last <= float(tick.replace("−", "-")) <= first for tick in ticks) >= 2


def test_the_forks_of_a_run_are_a_line_per_source_and_say_where_a_spread_is_a_bound(page: Page, tmp_path: Path) -> None:
    write_forks(write_small_run(tmp_path / "forked" / "d4-1"))
    write_small_run(tmp_path / "plain" / "d4-1")
    with served(tmp_path) as address:
        visit(page, f"{address}/#run?id=forked/d4-1")
        chart = "[aria-label^='Spread between forks']"
        traces = page.eval_on_selector(
            chart, "chart => chart.data.filter((t) => t.name).map((t) => [t.name, [...t.x], t.marker.symbol[0]])"
        )
        steps = [10, 100, 1000]
        assert traces == [["evaluation alone", steps, "triangle-down-open"], ["batch order", steps, "circle"]]
        assert page.eval_on_selector(chart, "chart => chart._fullLayout.yaxis.type") == "log"
        visit(page, f"{address}/#run?id=plain/d4-1")
        assert page.locator(chart).count() == 0
        assert page.locator(".chart:visible").count() == 3  # error, heat map and profile


def test_a_run_whose_every_seed_diverged_shows_its_time_and_the_points_before(page: Page, tmp_path: Path) -> None:
    made = np.full((3, 2), np.nan)
    made[:, 0] = 2.0, 2.2, 2.4
    write_run(tmp_path / "d4-1", config(depth=4), made, state="diverged", diverged=dict.fromkeys("012", 78))
    with served(tmp_path) as address:
        visit(page, f"{address}/")
        shown = dict(zip(page.locator("#runs thead th").all_inner_texts(), rows(page)[0].split("\t"), strict=True))
        assert (shown["n"], shown["steps"], shown["time"]) == ("0 of 3", "78", "13 s")
        visit(page, f"{address}/#run")
        train = "chart => chart.data.filter((t) => t.legendgroup === 'train').map((t) => [t.mode, t.y[0]])"
        assert page.eval_on_selector(".chart", train) == [["markers", 2.0], ["markers", 2.2], ["markers", 2.4]]
        assert page.locator(".chart").first.locator(".scatterlayer .points path").count() == 6  # and validation


def test_the_time_of_a_run_without_an_end_is_that_to_its_last_record(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "d4-1", state="running")
    summary = json.loads((folder / "summary.json").read_text())
    del summary["seconds"]
    (folder / "summary.json").write_text(json.dumps(summary))
    os.utime(folder / "config.yaml", (1000, 1000))
    os.utime(folder / "curves.csv", (1090, 1090))
    (row,) = Catalogue(tmp_path).overview()["runs"]
    assert (row["state"], row["seconds"]) == ("crashed", 90)
