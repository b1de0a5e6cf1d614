"""Names of runs: what differs inside a tag is said, what is shared is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from analysis.made_runs import config
from review.made_folders import write_small_run

from selfnorm.analysis.coordinates import coordinates, settings_of
from selfnorm.review.catalogue import Catalogue
from selfnorm.review.names import told_apart, varying
from selfnorm.review.terminal import run_list


def run(id: str, network: str = "SNN", tag: str = "one", **settings: Any) -> dict[str, Any]:
    return {"id": id, "tag": tag, "dataset": "mnist", "depth": 8, "network": network, "settings": settings}


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        ([run("a"), run("b", "BN")], ["SNN", "BN"]),
        ([run("a", lr="1e-5"), run("b", lr="3e-5")], ["SNN, lr 1e-5", "SNN, lr 3e-5"]),
        ([run("a", lr="1e-5"), run("b", lr="1e-5"), run("c", lr="3e-5")], ["SNN (a)", "SNN (b)", "SNN, lr 3e-5"]),
        ([run("d8-aa", lr="1"), run("d8-bb", lr="1")], ["SNN (aa)", "SNN (bb)"]),
        ([run("a", lr="1e-5"), run("b", lr="3e-5", tag="other")], ["SNN", "SNN"]),
        ([run("a", lr="1", width="8"), run("b", lr="2", width="9")], ["SNN, lr 1, width 8", "SNN, lr 2, width 9"]),
        ([run("a"), run("b", loss="mean")], ["SNN", "SNN, loss mean"]),
    ],
    ids=["networks", "rates", "most share one", "equal", "two tags", "two settings", "one has more keys"],
)
def test_a_name_says_what_differs_among_runs_of_one_kind(runs: list[dict[str, Any]], names: list[str]) -> None:
    assert told_apart(runs) == names


def test_settings_are_short_and_leave_out_what_the_name_tells() -> None:
    found = settings_of(coordinates(config(optimizer__lr=3e-5, dropout__name="alpha", dropout__rate=0.05)))
    assert (found["lr"], found["batch size"], found["dropout"], found["dropout rate"]) == (
        "3e-5",
        "128",
        "alpha",
        "0.05",
    )
    assert not {"dataset", "depth", "activation", "normalization"} & found.keys()


def test_the_list_names_runs_and_keeps_the_settings_in_which_any_two_differ(tmp_path: Path) -> None:
    for rate in (1e-5, 3e-5):
        write_small_run(tmp_path / f"d4-{rate:g}", optimizer__lr=rate)
    overview = Catalogue(tmp_path).overview()
    assert [row["name"] for row in overview["runs"]] == ["SNN, lr 1e-5", "SNN, lr 3e-5"]
    assert [row["settings"] for row in overview["runs"]] == [{"lr": "1e-5"}, {"lr": "3e-5"}]
    assert "SNN, lr 3e-5" in run_list(overview, {})
    assert varying(overview["runs"]) == {"lr"}
    row = overview["runs"][0]
    assert (row["lr"], row["width"], row["progress"]) == (1e-5, 128, 0.2)  # 20 of 100 epochs
    assert row["test_accuracy"] == pytest.approx(0.901)  # the mean of 0.9, 0.901 and 0.902
