"""Beyond the paper, the whole proof, and the command that prints it."""

import re
import runpy
import sys
import time
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from pathlib import Path

import numpy as np
import pytest
from flint import arb, fmpq

from selfnorm.theory import proof
from selfnorm.theory.basin_of_attraction import START, State, Weights, contracts, hull, one_fixed_point_attracts
from selfnorm.theory.dropout import alpha_dropout
from selfnorm.theory.figures import map_figure, rendered, selu_figure
from selfnorm.theory.moment_map import gradient_gain, layer_map
from selfnorm.theory.proof import prove_all
from selfnorm.theory.proof_text import enclosure, markdown, rounded
from selfnorm.theory.selu import Selu
from selfnorm.theory.statements import CONTRACTS, interval

SCRIPTS = Path(__file__).parents[2] / "scripts"
PICTURES = ("map", "selu", "existence", "correlation")


@pytest.fixture(scope="module")
def proven():
    return prove_all()


def test_everything_expected_is_proven(proven) -> None:
    assert proven.as_expected
    assert proven.theorem_1


def test_gradients_keep_their_size_at_the_neutral_rate_of_alpha_dropout(proven) -> None:
    chi, rate = float(proven.chi), float(proven.neutral_rate)
    assert chi == pytest.approx(gradient_gain(Selu(), 0.0, 1.0), rel=1e-14)  # the float closed form: to rounding
    assert alpha_dropout(Selu(), rate).gain * chi == pytest.approx(1, rel=1e-14)
    assert f"chi = E selu'(z)^2 = {1.0715749925}." in markdown(proven)
    assert "rate 0.0231566 the two cancel" in markdown(proven)


def test_random_starts_go_to_one_fixed_point_inside_the_proven_hull(proven) -> None:
    assert proven.basin.proven
    rng = np.random.default_rng(0)
    for omega, tau in zip(rng.uniform(-0.1, 0.1, 5), [0.8, 0.95, 1.05, 1.15, 1.25], strict=True):
        mu, nu = rng.uniform(-1, 1, 300), np.exp(rng.uniform(np.log(0.02), np.log(16), 300))
        for _ in range(400):
            mu, nu = layer_map(Selu(), mu, nu, omega=omega, tau=tau)
        assert np.ptp(mu) < 1e-9
        assert np.ptp(nu) < 1e-9
        (mu0, mu1), (nu0, nu1) = ([int(end.p) / int(end.q) for end in s] for s in hull(*proven.basin.fixed_points))
        assert mu0 <= mu.min() <= mu1
        assert nu0 <= nu.min() <= nu1


def test_weights_too_small_to_hold_the_variance_are_not_called_attracting() -> None:
    # near nu = 0 a layer multiplies the variance by about 2 tau < 1
    basin = one_fixed_point_attracts(Weights(interval("0", "0"), interval("0.3", "0.31")), max_depth=1)
    assert not basin.proven
    assert basin.open_cells


@pytest.mark.parametrize(
    ("omega", "lowest_nu"), [(("0.9", "1"), "0.02"), (("-0.1", "0.1"), "0.0001")], ids=["repelling", "nearly 0"]
)
def test_a_range_whose_image_cannot_be_bounded_is_left_open_and_soon(omega, lowest_nu) -> None:
    weights = Weights(interval(*omega), interval("0.8", "1.25"))
    begin = time.perf_counter()
    basin = one_fixed_point_attracts(weights, start=State(interval("-1", "1"), interval(lowest_nu, "16")))
    assert not basin.proven
    assert basin.open_cells == [weights]
    assert time.perf_counter() - begin < 20  # five searches of a second


def test_contraction_is_claimed_only_where_it_holds() -> None:
    near = State(interval("-0.01", "0.01"), interval("0.99", "1.01"))
    assert contracts(near, Weights(interval("0", "0"), interval("1", "1")))
    # one sum of weights for all units: the spectral radius at (0, 1) is 1.077
    assert not contracts(near, Weights(interval("1", "1"), interval("1", "1")))
    assert not contracts(START, Weights(interval("0", "0"), interval("1", "1")))


def inside(mu, nu):
    return (np.abs(mu) <= 0.1) & (nu >= 0.8) & (nu <= 1.5)


def test_random_networks_arrive_after_the_proven_number_of_layers_and_not_always_before(proven) -> None:
    arrival, rng, n = proven.arrival, np.random.default_rng(1), 2000
    mu, nu = rng.choice([-1, 0, 1], n), rng.choice([0.02, 16.0], n)
    for _ in range(arrival.sufficient):
        omega, tau = rng.choice([-0.1, 0.1], n), rng.choice([0.95, 1.1], n)
        mu, nu = layer_map(Selu(), mu, nu, omega=omega, tau=tau)
    assert inside(mu, nu).all()
    mu, nu = (int(v.p) / int(v.q) for v in arrival.witness)
    for _ in range(arrival.insufficient):
        candidates = [layer_map(Selu(), mu, nu, omega=omega, tau=0.95) for omega in (-0.1, 0.1)]
        mu, nu = min(candidates, key=lambda moments: moments[1])
    assert not inside(mu, nu)


@pytest.mark.parametrize("value", [fmpq(-1, 3), fmpq(2, 7), fmpq(5), fmpq(0), fmpq(1, 10**7)])
def test_printed_decimals_are_rounded_outwards(value) -> None:
    exact = Fraction(int(value.p), int(value.q))
    assert exact - Fraction(1, 10**6) < Fraction(rounded(arb(value), floor, 6)) <= exact
    assert exact <= Fraction(rounded(arb(value), ceil, 6)) < exact + Fraction(1, 10**6)
    assert "e" not in rounded(arb(value), ceil, 12).lower()
    assert rounded(arb("0.25 +/- 0.1"), floor, 2) == "0.14"  # 0.15 is not a double: its lower end is below


def test_a_witness_that_is_not_a_whole_number_is_written_as_it_is(proven) -> None:
    arrival = replace(proven.arrival, witness=(fmpq(-1, 3), fmpq(1, 50)))
    assert "a start at mu = -0.333333, nu = 0.02 can still" in markdown(replace(proven, arrival=arrival))


def run_script(monkeypatch, name, *arguments):
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    return runpy.run_path(str(SCRIPTS / name), run_name="__main__")


def test_prove_writes_the_table_and_exits_zero(proven, monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(proof, "prove_all", lambda: proven)
    with pytest.raises(SystemExit) as end:
        run_script(monkeypatch, "prove.py", "--out", str(tmp_path))
    assert end.value.code == 0
    text = (tmp_path / "theorems.md").read_text()
    assert text == markdown(proven) == (SCRIPTS.parent / "docs/theory/theorems.md").read_text()
    assert "after **23 layers**" in text
    for verdict in proven.paper + proven.limits:
        assert " | ".join(enclosure(verdict.extremum.lower, verdict.extremum.upper)) in text
    assert "refuted   Lemma 13" in capsys.readouterr().out


def test_prove_exits_nonzero_if_something_expected_is_not_proven(proven, monkeypatch, tmp_path) -> None:
    false_claim = replace(CONTRACTS, bound="0.9")
    broken = replace(proven, paper=[proof.decide(false_claim), *proven.paper])
    monkeypatch.setattr(proof, "prove_all", lambda: broken)
    with pytest.raises(SystemExit) as end:
        run_script(monkeypatch, "prove.py", "--out", str(tmp_path))
    assert end.value.code == 1


@pytest.mark.slow
def test_theory_draws_every_picture_with_the_same_bytes_on_every_run(monkeypatch, tmp_path, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        run_script(monkeypatch, "theory.py", "--out", str(tmp_path))
    assert not ended.value.code
    written = {path.name for path in tmp_path.iterdir()}
    assert "| selu | 1 | (0, 1) | 0.7826 | 1 | 0.7826 | 1.0716 |" in (tmp_path / "activations.md").read_text()
    committed = SCRIPTS.parent / "docs/theory"
    assert (tmp_path / "activations.md").read_text() == (committed / "activations.md").read_text()
    page = (committed / "README.md").read_text()
    assert all(f"({name}.png)" in page for name in PICTURES)
    assert all((committed / link).is_file() for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page))
    assert written - {"activations.md"} == {f"{name}.{kind}" for name in PICTURES for kind in ("png", "svg", "pdf")}
    assert "map.png" in capsys.readouterr().out
    for name, draw in {"map": map_figure, "selu": selu_figure}.items():
        for kind, drawn in rendered(draw()).items():
            assert drawn == (tmp_path / f"{name}.{kind}").read_bytes()
