"""Seeds that diverged: no rate at which one did is a network's best, and none of them is in a mean over seeds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from analysis.made_runs import config, errors, made_moments, write_run
from matplotlib.collections import QuadMesh

from selfnorm.analysis.figures.style import house_style
from selfnorm.analysis.runs import load_runs
from selfnorm.analysis.statistics import FINAL
from selfnorm.review.catalogue import Catalogue
from selfnorm.review.run import make_run
from selfnorm.studies.fixed_point_words import OWN_BEST
from selfnorm.studies.fixed_points import fixed_points
from selfnorm.studies.moments import moments_figure


def test_a_rate_at_which_a_seed_diverged_is_never_a_networks_own_best(tmp_path: Path) -> None:
    for fixed_point, lr, factor, diverges in (
        ([0, 1], 1e-5, 1.0, False),
        ([0, 2], 1e-5, 0.8, False),
        ([0, 2], 3e-5, 0.1, True),  # the lowest error by far, of the seeds that are left
    ):
        curves_RT = factor * errors(np.random.default_rng(3), seeds=6, epochs=60, noise=0.02, rate=0.5)
        if diverges:
            curves_RT[2, 40:] = np.nan
        made = config(activation__fixed_point=fixed_point, optimizer__lr=lr, tag="fixed_points")
        folder = tmp_path / f"selu_{fixed_point[1]}_{lr}" / "d8-00000000"
        write_run(folder, made, curves_RT, diverged={"2": 3120} if diverges else None)
    found = fixed_points(load_runs(tmp_path)).set_index(["lr", "fixed_point", "statistic"])["value"]
    assert found[OWN_BEST, "(0, 2)", FINAL] == pytest.approx(0.8)


def test_diverged_seeds_are_in_no_mean_of_moments(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    moments = made_moments(rng, depth=4, seeds=3, records=5, drift=0.02)
    moments.loc[moments["seed"] == 1, "activation_variance"] *= 100  # finite, and far from the others
    curves_RT = errors(rng, seeds=3, epochs=60, noise=0.05, rate=0.5)
    curves_RT[1, 30:] = np.nan
    write_run(tmp_path / "d4-1", config(depth=4), curves_RT, diverged={"1": 2340}, moments=moments)
    left = moments[moments["seed"] != 1]
    expected = left.pivot_table(index="layer", columns="step", values="activation_variance")

    tables = load_runs(tmp_path)
    with house_style():
        figure = moments_figure(tables, ("SNN", "BN"))
    drawn = [
        mesh.get_array() for axes in figure.axes if "variance" in axes.get_title(loc="left") + axes.get_title()
        for mesh in axes.collections if isinstance(mesh, QuadMesh)
    ]  # fmt: skip
    assert len(drawn) == 1
    np.testing.assert_allclose(np.asarray(drawn[0]).ravel(), expected.to_numpy().ravel(), rtol=1e-9)

    catalogue = Catalogue(tmp_path)
    catalogue.overview()
    shown = make_run(catalogue.folders["d4-1"])["moments"]
    assert shown["in_mean"] == [0, 2]
    np.testing.assert_allclose(np.array(shown["mean"]["activation_variance"]).T, expected.to_numpy(), rtol=1e-3)
