"""What a reader sees: pictures that can be made again to the byte, tables, and messages of bad input."""

import os
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis.made_runs import SCRIPT, config, errors, write_causes, write_claim, write_figure1, write_run
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from selfnorm.analysis.comparison import NETWORKS
from selfnorm.analysis.figures.style import house_style, line, shade
from selfnorm.analysis.results import Tables
from selfnorm.analysis.runs import load_runs
from selfnorm.analysis.words import latex_table, markdown_table
from selfnorm.studies import report
from selfnorm.studies.causes import causes
from selfnorm.studies.figures.causes import causes_figure
from selfnorm.studies.figures.errors import figure1
from selfnorm.studies.figures.forks import forks_figure
from selfnorm.studies.figures.levels import levels_figure
from selfnorm.studies.moments import moments_figure


def run_script(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["report.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert isinstance(stop.value.code, int)
    return stop.value.code


@pytest.mark.slow
def test_a_second_process_rebuilds_every_file_to_the_byte_and_loads_no_torch(
    report_folder: Path, tmp_path: Path
) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['report.py', {str(report_folder)!r}, '--rebuild', '--out', {str(tmp_path)!r}]\n"
        f"try: runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
        "except SystemExit as stop: assert stop.code == 0, stop.code\n"
        "assert not {'torch', 'pytorch_lightning', 'hydra'} & set(sys.modules)\n"
    )
    # Another hash seed and another day: nothing of either may reach the files.
    environment = os.environ | {"PYTHONHASHSEED": "123", "SOURCE_DATE_EPOCH": "1000000000"}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment, stdout=subprocess.PIPE)
    names = sorted(p.name for p in report_folder.iterdir())
    assert names == sorted(p.name for p in tmp_path.iterdir())
    assert {f"figure1.{kind}" for kind in ("pdf", "png", "svg")} <= set(names)
    for name in names:
        assert (report_folder / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_figure1_has_a_log_axis_and_a_line_per_cell(tables: Tables) -> None:
    with house_style():
        (ax,) = figure1(tables, NETWORKS).axes
    assert ax.get_yscale() == "log"
    assert ax.get_xlabel() == "epochs"
    (updates,) = ax.child_axes
    updates.figure.draw_without_rendering()
    assert updates.get_xlabel() == "updates"
    assert np.array(updates.get_xlim()) == pytest.approx(78 * np.array(ax.get_xlim()))
    lines = {str(drawn.get_label()): drawn for drawn in ax.lines}
    assert {name for name in lines if not name.startswith("_")} == {
        f"{n}, {d} layers" for n in ("BN", "SNN") for d in (8, 16, 32)
    }
    curves = tables.curves[(tables.curves["network"] == "BN") & (tables.curves["split"] == "train")]
    curves = curves[curves["depth"] == 32]
    expected = np.exp(np.log(curves["loss"]).groupby(curves["epoch"]).mean())
    np.testing.assert_allclose(lines["BN, 32 layers"].get_xdata(), expected.index, rtol=1e-12)
    np.testing.assert_allclose(lines["BN, 32 layers"].get_ydata(), expected, rtol=1e-12)


@pytest.fixture(scope="module")
def claim_tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    root = tmp_path_factory.mktemp("claim")
    write_claim(root)
    return load_runs(root)


def drawn_lines(ax: Axes) -> dict[str, Line2D]:
    """The lines with a label that hold points."""
    labels = {str(line.get_label()): line for line in ax.lines if len(line.get_xdata())}
    return {label: line for label, line in labels.items() if not label.startswith("_")}


def test_the_level_picture_shows_the_noise_of_each_network_in_per_cent(claim_tables: Tables) -> None:
    with house_style():
        record, fit = levels_figure(claim_tables, NETWORKS).axes
    assert record.get_title() == "MNIST, from epoch to epoch"
    for ax in (record, fit):
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        assert ax.xaxis_inverted()  # training goes to the right
    lines = drawn_lines(record)
    # The noise was made as 9 % and 3 %, white, the same at every level.
    np.testing.assert_allclose(lines["BN, 16 layers"].get_ydata(), 9, rtol=0.3)
    np.testing.assert_allclose(lines["SNN, 16 layers"].get_ydata(), 3, rtol=0.3)


def test_the_forks_picture_shows_the_spread_by_epoch_and_within_one(claim_tables: Tables) -> None:
    with house_style():
        by_epoch, within = forks_figure(claim_tables, NETWORKS).axes
    lines = drawn_lines(by_epoch)
    assert "SNN, 32 layers" not in lines  # it has no forks
    assert list(lines["BN, 16 layers"].get_xdata()) == [1, 10, 30, 100, 200]
    # Eight copies of six seeds: 0.11 in each point.
    np.testing.assert_allclose(lines["BN, 16 layers"].get_ydata(), 5, rtol=0.4)
    np.testing.assert_allclose(lines["SNN, 16 layers"].get_ydata(), 1, rtol=0.4)
    assert "within epoch 201" in within.get_title()


def test_two_data_sets_give_two_panels_with_mnist_on_the_left(tmp_path: Path) -> None:
    write_figure1(tmp_path, seeds=2, epochs=5, records=2)
    with house_style():
        assert [ax.get_title() for ax in figure1(load_runs(tmp_path), NETWORKS).axes] == ["MNIST", "CIFAR-10"]


def test_depths_can_be_told_apart_without_colour() -> None:
    assert len({line(rank) for rank in range(4)}) == 4


def test_bn_is_blue_snn_is_red_and_deeper_is_darker() -> None:
    for rank in range(3):
        red, _, blue = to_rgb(shade("BN", rank, 3))
        assert blue > red
        red, _, blue = to_rgb(shade("SNN", rank, 3))
        assert red > blue
    for network in ("BN", "SNN", "LN"):
        assert sum(shade(network, 0, 3)[:3]) > sum(shade(network, 1, 3)[:3]) > sum(shade(network, 2, 3)[:3])


def test_the_causes_figure_has_a_panel_a_depth_and_a_mark_for_every_spread(tmp_path: Path) -> None:
    write_causes(tmp_path)
    table = causes(load_runs(tmp_path))
    with house_style():
        (ax,) = causes_figure(table, NETWORKS).axes
    assert ax.get_xscale() == "log"
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[0] == "SNN"  # the least perturbed, at the foot
    assert names[-1] == "SNN, alpha dropout 0.05"
    drawn = sum(len(container.lines[0].get_xdata()) for container in ax.containers)
    assert drawn == len(table)


def test_moments_figure_has_a_panel_per_moment_and_network(tables: Tables) -> None:
    with house_style():
        axes = [ax for ax in moments_figure(tables, NETWORKS).axes if ax.get_title()]
    assert [ax.get_title() for ax in axes] == [
        f"MNIST: {network}, {moment} of the activations" for moment in ("mean", "variance") for network in ("SNN", "BN")
    ]
    drawn = axes[3].collections[0].get_array().reshape(32, -1)
    rows = tables.moments[(tables.moments["network"] == "BN") & (tables.moments["depth"] == 32)]
    last = rows[(rows["layer"] == 32) & (rows["step"] == rows["step"].max())]
    assert drawn[-1, -1] == pytest.approx(last["activation_variance"].mean())


def test_moments_figure_has_no_column_without_a_run_and_labels_its_scales(tables: Tables) -> None:
    alone = replace(tables, cells=tables.cells[tables.cells["network"] == "SNN"])
    with house_style():
        figure = moments_figure(alone, NETWORKS)
        figure.draw_without_rendering()
    assert [ax.get_title() for ax in figure.axes if ax.get_title()] == [
        f"MNIST: SNN, {moment} of the activations" for moment in ("mean", "variance")
    ]
    for bar in (ax for ax in figure.axes if not ax.get_title()):
        low, high = bar.get_ylim()
        assert sum(low <= tick <= high for tick in bar.get_yticks()) >= 3


def test_report_names_numbers_and_provenance(report_folder: Path) -> None:
    text = (report_folder / "report.md").read_text()
    for part in (
        "2.13.0",
        "0123abc",
        "BN / SNN, ratio (95 % interval)",
        "scripts/report.py runs --tag figure1 --out results",
    ):
        assert part in text
    assert str(report_folder) not in text + (report_folder / "provenance.json").read_text()
    assert "nan" not in text.lower().replace("nano", "")
    table = (report_folder / "answers.md").read_text().splitlines()
    assert len(table) == 2 + 3
    assert table[0].count("|") == table[2].count("|")
    tex = (report_folder / "answers.tex").read_text()
    assert tex.startswith(r"\begin{tabular}{l")
    assert tex.count(r"\\") == 1 + 3


def test_report_lists_what_was_left_out_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_figure1(tmp_path / "runs", datasets=("mnist",), epochs=12, records=2)
    rng = np.random.default_rng(0)
    made = errors(rng, seeds=6, epochs=12, noise=0.1, rate=0.5)
    write_run(tmp_path / "runs" / "figure1" / "live", config(depth=64), made, state="running")
    write_run(tmp_path / "runs" / "figure1" / "lost", config(depth=128), made, diverged={"4": 300})
    (tmp_path / "runs" / "figure1" / "broken").mkdir()
    (tmp_path / "runs" / "figure1" / "broken" / "summary.json").write_text("{}")
    monkeypatch.setattr(report, "save", lambda *_: [])  # the words are under test, the pictures are slow
    report.make_report(load_runs(tmp_path / "runs"), tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    assert "figure1/live: running, not in the statistics" in text
    assert "figure1/lost: seed 4 diverged at step 300, left out of every number and picture" in text
    assert "figure1/broken: no config.yaml" in text
    assert "causes: no network besides the two was forked: run +sweep=causes" in text


def test_a_report_without_a_run_says_why_each_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = errors(np.random.default_rng(0), seeds=2, epochs=10, noise=0.05, rate=0.5)
    write_run(tmp_path / "runs/unfinished", config(), made, state="interrupted")
    assert run_script(monkeypatch, tmp_path / "runs", "--out", tmp_path / "out") == 2
    assert "no run has ended (states: interrupted)" in capsys.readouterr().err
    made[1, 5] = -1
    write_run(tmp_path / "runs/negative", config(), made)
    assert run_script(monkeypatch, tmp_path / "runs", "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "negative: an error of -1, below 0, is no cross-entropy: run it again" in said
    assert "unfinished: interrupted, not in the statistics" in said
    assert not (tmp_path / "out").exists()


def test_tables_escape_what_markdown_and_latex_read_as_their_own() -> None:
    table = pd.DataFrame({"a_b": ["x|y", "5 % → 6"]})
    assert r"| x\|y |" in markdown_table(table)
    assert r"5 \% $\rightarrow$ 6" in latex_table(table)
    assert r"a\_b" in latex_table(table)


def test_bad_input_is_one_line_and_exit_code_two(
    runs_root: Path, report_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    bad = [
        ((tmp_path / "nowhere", "--out", tmp_path / "o"), "is not a folder"),
        ((tmp_path, "--out", tmp_path / "o"), "train first"),
        ((tmp_path, "--rebuild"), "has no cells.csv"),
        ((runs_root,), "--out is missing"),
        ((runs_root, "--tag", "typo", "--out", tmp_path / "o"), "tags there: figure1"),
        ((report_folder, "--tag", "figure1"), "--tag selects runs"),
        (
            (report_folder, "--out", tmp_path / "o", "--compare", "LN", "SNN"),
            "no run is of that network; there: BN, SNN",
        ),
    ]
    for arguments, message in bad:
        assert run_script(monkeypatch, *arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1


def test_script_says_where_the_report_is(report_folder: Path) -> None:
    lines = (report_folder.parent / "output.txt").read_text().splitlines()
    # Runs without forks have no verdict
    assert lines == [f"wrote {report_folder}/report.md and its pictures; look at the runs with: make review"]
