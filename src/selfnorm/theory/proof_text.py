"""A proof as Markdown, the text of docs/theory/theorems.md, and its numbers as decimals.

In: a `Proof`. Out: text. Bounds are printed as decimals rounded outwards: what is printed is proven.
"""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from flint import arb

from selfnorm.theory.basin_of_attraction import START, hull
from selfnorm.theory.markdown import table
from selfnorm.theory.proof import PRINTED_REGION, Proof
from selfnorm.theory.statements import LEMMA_12
from selfnorm.theory.theorems import Verdict

HEADER = """# The paper's theorems, checked by machine

Made by `python scripts/prove.py`. Every line is decided by ball arithmetic with branch and bound: *proven* with the
certified extremum of the quantity over the whole range, or *refuted* with a point that breaks it. Lower and upper
bounds are rounded outwards: the true extremum lies between them. The SELU is the one with the fixed point (0, 1).

mu, nu: mean and variance of a layer's activations; mu~, nu~: the same one layer on; omega, tau: sum of a unit's
weights and of their squares; sigma: largest singular value of the Jacobian of (mu, nu) -> (mu~, nu~).
"""

MISPRINTS = """\
Two bounds that the paper prints are wrong in their last digit: the lower limits of mu~ in Lemma 9 and Lemma 13.
Theorem 1 does not rest on either: it is proven below from the certified extrema.

Theorem 3 is stated from nu = 0.02 in the paper's main text, from nu = 0.05 in its appendix, where it is
proven: it holds from 0.02.
"""


def markdown(proof: Proof) -> str:
    """Return the whole document."""
    values = [[v.name, v.printed, *enclosure(v.value, v.value), _yes(v.agrees)] for v in proof.values]
    sections = [
        HEADER,
        "## The paper's statements\n",
        _verdict_table(proof.paper),
        MISPRINTS,
        "## Theorem 1\n",
        _theorem_1(proof),
        "## Printed values\n",
        table(["value", "printed", "lower", "upper", "agrees"], values),
        "## Beyond the paper: gradients\n",
        _gradients(proof),
        "## Beyond the paper: how far the statements reach\n",
        "True up to one number, false from the next on; everything else as in the paper's statement.\n",
        _verdict_table(proof.limits),
        "## Beyond the paper: from how far away\n",
        _beyond(proof),
        f"All as expected: {_yes(proof.as_expected)}.\n",
    ]
    return "\n".join(sections)


def rounded(value: arb, rounding: Callable[[Fraction], int], digits: int = 12) -> str:
    """Return the number as a decimal text, rigorously rounded down (floor) or up (ceil)."""
    mantissa, exponent = (value.lower() if rounding is floor else value.upper()).man_exp()
    units = rounding(Fraction(int(mantissa)) * Fraction(2) ** int(exponent) * 10**digits)
    return f"{Decimal(units).scaleb(-digits):f}"


def enclosure(lower: arb, upper: arb) -> list[str]:
    return [rounded(lower, floor), rounded(upper, ceil)]


def _verdict_table(verdicts: list[Verdict]) -> str:
    rows = []
    for v in verdicts:
        statement, extremum = v.statement, v.extremum
        outcome = f"**{v.outcome}**" + (f" ({statement.note})" if statement.note else "")
        kind = "maximum" if statement.sense == "<" else "minimum"
        bounds = enclosure(extremum.lower, extremum.upper)
        at = ", ".join(f"{name} = {float(value):g}" for name, value in v.at.items())
        rows.append([statement.name, f"{statement} for {statement.region}", outcome, kind, *bounds, at])
    return table(["", "statement", "outcome", "extremum", "lower", "upper", "attained at"], rows)


def _theorem_1(proof: Proof) -> str:
    outcome = "proven" if proof.theorem_1 else "not proven"
    where = "inside" if proof.fixed_points_as_printed else "not inside"
    rows = [
        [name, PRINTED_REGION[name], *enclosure(e.lower, e.upper), f"omega = {e.omega:g}, tau = {e.tau:g}"]
        for name, e in proof.extremes.items()
    ]
    return f"""**{outcome}.** The image of the domain lies in the domain (by the certified extrema above, not the
printed bounds) and the map contracts it (Lemma 12): by Banach's theorem there is, for every
(omega, tau), exactly one fixed point, and it attracts the whole domain. Over all (omega, tau) the fixed
points lie {where} the region that the paper prints; their extremes, to 1e-9, are

{table(["", "paper", "lower", "upper", "attained at"], rows)}"""


def _gradients(proof: Proof) -> str:
    return f"""\
At the fixed point (0, 1), with omega = 0 and tau = 1, a layer multiplies the mean square of a back-propagated
gradient by chi = E selu'(z)^2 = {float(proof.chi):.10f}. Alpha dropout multiplies it by
1 / (1 + rate (lambda alpha)^2): at the rate {float(proof.neutral_rate):.7f} the two cancel.
"""


def _beyond(proof: Proof) -> str:
    basin, arrival = proof.basin, proof.arrival
    mu, nu = (f"{float(value):g}" for value in arrival.witness)
    end = "mu = {}, nu = {}".format(*(rounded(value, floor, 6) for value in arrival.witness_end))
    return f"""- The same (omega, tau) in every layer, {LEMMA_12.weights}: for each of them
  exactly one fixed point attracts every start with {START}: **{"proven" if basin.proven else "not proven"}**.
  The fixed points lie within {hull(*basin.fixed_points)}.
- (omega, tau) different in every layer, within Theorem 1's range: every start with
  {START} is inside Theorem 1's domain after **{arrival.sufficient} layers**, and stays;
  after {arrival.insufficient} layers a start at mu = {mu}, nu = {nu} can still be outside, at {end}.
"""


def _yes(value: bool) -> str:
    return "yes" if value else "**no**"
