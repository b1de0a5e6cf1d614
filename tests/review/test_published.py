"""A published study in the page: its runs are those of the committed tables."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from composed import ROOT
from tools.fork_server import ForkServer

from selfnorm.analysis.coordinates import coordinates
from selfnorm.analysis.results import Tables, read_results
from selfnorm.analysis.runs import load_runs
from selfnorm.review.catalogue import Catalogue
from selfnorm.review.published import configuration, unpack
from selfnorm.studies.claim import answers

RESULTS = sorted(path.parent for path in (ROOT / "docs/results").glob("*/cells.csv"))


@pytest.mark.parametrize("study", RESULTS, ids=lambda study: study.name)
def test_a_configuration_says_what_the_table_of_cells_says(study: Path) -> None:
    def text(value: Any) -> str:
        return "missing" if not isinstance(value, str) and pd.isna(value) else str(value)

    for cell in read_results(study).cells.to_dict("records"):
        found = coordinates(configuration(cell))
        assert {key: text(value) for key, value in found.items()} == {key: text(cell.get(key)) for key in found}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("published") / "digits"
    unpack(ROOT / "docs/results/digits", root)
    return root


def test_the_list_has_every_run_and_the_answers_are_the_published_ones(unpacked: Path) -> None:
    overview, published = Catalogue(unpacked).overview(), read_results(ROOT / "docs/results/digits")
    assert overview["problems"] == []
    assert {row["id"] for row in overview["runs"]} == set(published.cells["cell"])
    assert {row["state"] for row in overview["runs"]} == {"finished"}
    shown, _ = answers(load_runs(unpacked))
    pd.testing.assert_frame_equal(shown, answers(published)[0])


def test_tables_are_those_that_were_committed(unpacked: Path) -> None:
    def plain(tables: Tables, name: str) -> pd.DataFrame:
        table = getattr(tables, name)
        return table.sort_values(list(table.columns), ignore_index=True)[sorted(table.columns)]

    published = read_results(ROOT / "docs/results/digits")
    for name in ("curves", "forks", "moments"):
        pd.testing.assert_frame_equal(plain(load_runs(unpacked), name), plain(published, name), check_dtype=False)


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside-of-the-study", "a/../../outside"])
def test_a_study_that_names_a_place_elsewhere_writes_nothing_there(name: str, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(ROOT / "docs/results/precision", study)
    cells = pd.read_csv(study / "cells.csv", dtype=str, keep_default_na=False)
    cells.loc[0, "cell"] = name
    cells.to_csv(study / "cells.csv", index=False)
    with pytest.raises(ValueError, match="lies outside of the study; was it edited"):
        unpack(study, tmp_path / "runs")
    assert not list(tmp_path.glob("**/outside*"))
    assert not Path("/tmp/outside-of-the-study").exists()


def test_a_fixed_point_without_numbers_is_one_sentence(tmp_path: Path) -> None:
    cell = read_results(ROOT / "docs/results/precision").cells.query("activation == 'selu'").iloc[0].to_dict()
    with pytest.raises(ValueError, match="fixed_point somewhere has not two numbers"):
        configuration(cell | {"fixed_point": "somewhere"})


def test_the_command_exports_a_published_study(command_server: ForkServer, tmp_path: Path) -> None:
    arguments = [str(ROOT / "docs/results/figure1"), "--export", "page.html"]
    ended = command_server.run("scripts/review.py", arguments, tmp_path)
    assert ended.code == 0, ended
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]  # the unpacked runs are gone
    assert (tmp_path / "page.html").read_bytes() == (ROOT / "docs/review/figure1.html").read_bytes()
    assert (tmp_path / "page.html").stat().st_size < 3e6
