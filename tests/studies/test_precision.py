"""Two precisions of the same cells are compared over the seeds and steps that both have."""

from pathlib import Path

import numpy as np
import pytest
from analysis.made_runs import config, errors, write_run

from selfnorm.analysis.runs import load_runs
from selfnorm.studies.precision import compare_precisions


def write(root: Path, errors_RT: np.ndarray) -> None:
    write_run(root / "t/mnist/selu/d8-00000000", config(tag="t"), errors_RT)


def test_known_differences_are_found_over_what_both_have(tmp_path: Path) -> None:
    errors_RT = errors(np.random.default_rng(0), seeds=3, epochs=200, noise=0.05, rate=0.5)
    write(tmp_path / "single", errors_RT[:, :101])
    write(tmp_path / "half", np.vstack([errors_RT * 1.01, errors_RT[:1]]))  # 1 % higher, longer, one seed more
    (row,) = compare_precisions(load_runs(tmp_path / "single"), load_runs(tmp_path / "half")).to_dict("records")
    assert (row["n"], row["largest difference of the error"]) == (3, "1.00%")
    single, half = (float(value) for value in row["fluctuation: fp32, bf16"].split(", "))
    assert single == half == pytest.approx(0.05, rel=0.15)  # 3 x 80 differences: about 6 % standard error


def test_nothing_in_common_is_said(tmp_path: Path) -> None:
    errors_RT = errors(np.random.default_rng(0), seeds=2, epochs=20, noise=0.05, rate=0.5)
    write(tmp_path / "single", errors_RT)
    write_run(tmp_path / "half/t/mnist/x/d16-00000000", config(depth=16, network="BN", tag="t"), errors_RT)
    with pytest.raises(ValueError, match="no cell in common"):
        compare_precisions(load_runs(tmp_path / "single"), load_runs(tmp_path / "half"))
