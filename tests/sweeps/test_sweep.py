"""A sweep: its cells, its progress, what it skips, and how it names what failed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from command import train
from composed import ROOT, compose_job

from selfnorm.sweeps.progress import work

FAST = ("dataset=digits", "scale=smoke", "logger.mode=disabled", "progress=false")


@pytest.mark.slow
def test_a_sweep_names_failed_cells_goes_on_and_skips_what_is_finished(tmp_path: Path) -> None:
    cells = ("-m", "+experiment=relu_deep", "optimizer.lr=1e9,1e-5", "model.depth=4", f"runs_dir={tmp_path}")
    first = train(*cells, *FAST)
    assert first.returncode == 3
    assert "[1/2] digits relu d4" in first.stderr
    assert "[2/2] digits relu d4" in first.stderr
    assert "1 of 2 cells are finished" in first.stderr
    (failed,) = re.findall(r"^failed: (.*)$", first.stderr, flags=re.MULTILINE)
    assert "/relu/d4-" in failed
    second = train(*cells, *FAST)
    assert second.returncode == 3
    assert second.stderr.count("finished already") == 1


def test_figure1_has_the_papers_twelve_cells_and_six_seeds() -> None:
    sweep = yaml.safe_load((ROOT / "conf/sweep/figure1.yaml").read_text())
    assert sweep["hydra"]["sweeper"]["params"] == {
        "dataset": "mnist,cifar10", "+experiment": "selu_deep,batchnorm_deep", "model.depth": "8,16,32",
    }  # fmt: skip
    assert len(compose_job("+sweep=figure1").seeds) == 6


def test_work_counts_weights_samples_epochs_and_seeds() -> None:
    job = compose_job("dataset=digits", "scale=smoke", "model.depth=3")  # 512 samples, 2 epochs, 2 seeds, width 32
    assert work(job) == (64 * 32 + 2 * 32 * 32 + 32 * 10) * 512 * 2 * 2
