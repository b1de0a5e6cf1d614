"""Runs every statement and puts the verdicts together: Theorem 1, what lies beyond the paper, is all as expected?

In: nothing. Out: a `Proof`, and as plain data (strings, numbers) for JSON; `proof_text` makes tables of it.
Bounds are printed as decimals rounded outwards: what is printed is proven.

Legend: mu, nu mean and variance of the activations; omega, tau sum of a unit's weights and of their squares.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any

from flint import arb, ctx, fmpq

from selfnorm.theory.arrival import Arrival, layers_until_inside
from selfnorm.theory.balls import PRECISION, selu_balls, selu_constants
from selfnorm.theory.basin import START, Basin, domain, one_fixed_point_attracts
from selfnorm.theory.fixed_region import Extreme, fixed_point_extremes
from selfnorm.theory.reach import REACH
from selfnorm.theory.statements import CONTRACTION, IMAGE, LEMMA_12, PAPER, THEOREM_1, rational
from selfnorm.theory.theorems import Verdict, decide

# Paper: Theorem 1, where it says the fixed points are.
PRINTED_REGION = {"mu_min": "-0.03106", "mu_max": "0.06773", "nu_min": "0.80009", "nu_max": "1.48617"}


@dataclass(frozen=True)
class PrintedValue:
    """A number printed in the paper beside its enclosure."""

    name: str
    printed: str
    value: arb

    @property
    def agrees(self) -> bool:
        """Whether the value rounds to the printed digits."""
        unit = fmpq(1, 10 ** len(self.printed.split(".")[1]))
        return bool(abs(self.value - rational(self.printed)) <= unit / 2)


@dataclass(frozen=True)
class Proof:
    paper: list[Verdict]
    reach: list[Verdict]
    values: list[PrintedValue]
    extremes: dict[str, Extreme]
    basin: Basin
    arrival: Arrival
    seconds: float

    @property
    def theorem_1(self) -> bool:
        """By Banach's theorem: the map takes the convex domain into itself, and contracts it.

        The domain contains the image by the certified extrema, whatever the paper's printed bounds on it; the
        fixed points lie where the paper says.
        """
        verdicts = {verdict.statement: verdict for verdict in self.paper}
        low_mu, high_mu, low_nu, high_nu = (
            verdicts[statement].extremum for statement in IMAGE if statement.name != "Lemma 13, corrected"
        )
        state, _ = domain(THEOREM_1)
        into_itself = low_mu.lower >= state.mu[0] and high_mu.upper <= state.mu[1]
        into_itself &= low_nu.lower >= state.nu[0] and high_nu.upper <= state.nu[1]
        return bool(verdicts[CONTRACTION].outcome == "proven" and into_itself and self.fixed_points_as_printed)

    @property
    def fixed_points_as_printed(self) -> bool:
        return all(
            extreme.outer > rational(PRINTED_REGION[name])
            if name.endswith("min")
            else extreme.outer < rational(PRINTED_REGION[name])
            for name, extreme in self.extremes.items()
        )

    @property
    def as_expected(self) -> bool:
        statements = all(verdict.as_expected for verdict in self.paper + self.reach)
        beyond = self.basin.proven and self.arrival.sufficient == self.arrival.insufficient + 1
        return statements and self.theorem_1 and beyond and all(value.agrees for value in self.values)


def prove_all() -> Proof:
    """Everything, in a few seconds."""
    start = time.perf_counter()
    return Proof(
        paper=[decide(statement) for statement in PAPER],
        reach=[decide(statement) for statement in REACH],
        values=_printed_values(),
        extremes=fixed_point_extremes(THEOREM_1),
        basin=one_fixed_point_attracts(domain(LEMMA_12)[1]),
        arrival=layers_until_inside(THEOREM_1),
        seconds=time.perf_counter() - start,
    )


def _printed_values() -> list[PrintedValue]:
    with ctx.workprec(PRECISION):
        alpha, lambda_ = selu_constants()
        m = selu_balls(arb(0), arb(1))
        norm = (m.mean_y.value * m.mean_y.value + m.variance_y.value * m.variance_y.value).sqrt()
    return [
        PrintedValue("alpha for (0, 1)", "1.6733", alpha),
        PrintedValue("lambda for (0, 1)", "1.0507", lambda_),
        PrintedValue("spectral norm of the Jacobian at (0, 1), omega = 0, tau = 1", "0.7877", norm),
    ]


def decimal(value: arb | fmpq, rounding: Callable[[Fraction], int], digits: int = 12) -> str:
    """The number as a decimal text, rounded down (floor) or up (ceil) rigorously."""
    if isinstance(value, fmpq):
        fraction = Fraction(int(value.p), int(value.q))
    else:
        mantissa, exponent = (value.lower() if rounding is floor else value.upper()).man_exp()
        fraction = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    scaled = rounding(fraction * 10**digits)
    return f"{'-' if scaled < 0 else ''}{abs(scaled) // 10**digits}.{abs(scaled) % 10**digits:0{digits}d}"


def number(value: fmpq) -> float:
    """The rational as a number to read, to nine digits."""
    return round(int(value.p) / int(value.q), 9)


def as_data(proof: Proof) -> dict[str, Any]:
    """The proof as dictionaries of texts, numbers and booleans."""
    arrival, (x_end, y_end) = proof.arrival, proof.arrival.witness_end
    return {
        "as_expected": proof.as_expected,
        "seconds": round(proof.seconds, 2),
        "theorem_1": {"proven": proof.theorem_1, "fixed_points_as_printed": proof.fixed_points_as_printed},
        "fixed_points": {name: _extreme(name, extreme) for name, extreme in proof.extremes.items()},
        "printed_values": [
            {"name": v.name, "printed": v.printed, "agrees": v.agrees} | _enclosure(v.value, v.value)
            for v in proof.values
        ],
        "paper": [_verdict(verdict) for verdict in proof.paper],
        "reach": [_verdict(verdict) for verdict in proof.reach],
        "one_fixed_point_attracts": {
            "proven": proof.basin.proven,
            "start": str(START),
            "weights": LEMMA_12.weights,
            "fixed_points_within": str(proof.basin.hull),
            "cells": proof.basin.num_cells,
            "images": proof.basin.num_images,
            "seconds": round(proof.basin.seconds, 2),
        },
        "layers_until_inside": {
            "start": str(START),
            "region": str(THEOREM_1),
            "sufficient": arrival.sufficient,
            "insufficient": arrival.insufficient,
            "witness": {name: number(value) for name, value in zip(("mu", "nu"), arrival.witness, strict=True)},
            "witness_end": {"mu": decimal(x_end, floor, 6), "nu": decimal(y_end, floor, 6)},
            "seconds": round(arrival.seconds, 2),
        },
    }


def _enclosure(lower: arb, upper: arb) -> dict[str, str]:
    return {"lower": decimal(lower, floor), "upper": decimal(upper, ceil)}


def _extreme(name: str, extreme: Extreme) -> dict[str, Any]:
    ends = (extreme.outer, extreme.inner) if name.endswith("min") else (extreme.inner, extreme.outer)
    return {
        "printed": PRINTED_REGION[name],
        **_enclosure(*ends),
        "omega": round(extreme.omega, 6),
        "tau": round(extreme.tau, 6),
        "boxes": extreme.num_boxes,
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    statement = verdict.statement
    return {
        "name": statement.name,
        "statement": f"{statement.measure.symbol} {statement.sense} {statement.bound}",
        "region": str(statement.region),
        "outcome": verdict.outcome,
        "as_expected": verdict.as_expected,
        "extremum": "maximum" if statement.sense == "<" else "minimum",
        **_enclosure(verdict.extremum.lower, verdict.extremum.upper),
        "attained_at": {name: number(value) for name, value in verdict.at.items()},
        "boxes": verdict.extremum.num_boxes,
        "seconds": round(verdict.seconds, 3),
        "note": statement.note,
    }
