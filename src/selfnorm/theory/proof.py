"""Run every statement and put the verdicts together: Theorem 1, what lies beyond the paper, is all as expected?

In: nothing. Out: a `Proof`, which `proof_text` writes as Markdown.
"""

from dataclasses import dataclass

from flint import arb, ctx, fmpq

from selfnorm.theory.balls import PRECISION, MomentBalls, selu_constants
from selfnorm.theory.basin_of_attraction import Basin, domain, one_fixed_point_attracts
from selfnorm.theory.fixed_region import Extreme, fixed_point_extremes
from selfnorm.theory.layers_to_domain import Arrival, layers_until_inside
from selfnorm.theory.statements import CONTRACTION, IMAGE, LEMMA_12, LIMITS, PAPER, THEOREM_1, rational
from selfnorm.theory.theorems import Verdict, decide

# Paper: Theorem 1, where it says the fixed points are.
PRINTED_REGION = {"mu min": "-0.03106", "mu max": "0.06773", "nu min": "0.80009", "nu max": "1.48617"}


@dataclass(frozen=True)
class PrintedValue:
    """A number printed in the paper beside its enclosure."""

    name: str
    printed: str
    value: arb

    @property
    def agrees(self) -> bool:
        """True if the value rounds to the printed digits."""
        unit = fmpq(1, 10 ** len(self.printed.split(".")[1]))
        return bool(abs(self.value - rational(self.printed)) <= unit / 2)


@dataclass(frozen=True)
class Proof:
    """All verdicts and enclosures."""

    paper: list[Verdict]
    limits: list[Verdict]
    values: list[PrintedValue]
    extremes: dict[str, Extreme]
    basin: Basin
    arrival: Arrival
    chi: arb  # E selu'(z)^2 at the fixed point (0, 1) for omega = 0, tau = 1
    neutral_rate: arb  # of alpha dropout, where its factor on a gradient's mean square makes up for chi

    @property
    def theorem_1(self) -> bool:
        """Prove Theorem 1 by Banach's: the map takes the convex domain into itself, and contracts it.

        The domain contains the image by the certified extrema, whatever the paper's printed bounds on it; the
        fixed points lie where the paper says.
        """
        verdicts = {verdict.statement: verdict for verdict in self.paper}
        low_mu, high_mu, low_nu, high_nu = (verdicts[statement].extremum for statement in IMAGE)
        state, _ = domain(THEOREM_1)
        into_itself = low_mu.lower >= state.mu[0] and high_mu.upper <= state.mu[1]
        into_itself &= low_nu.lower >= state.nu[0] and high_nu.upper <= state.nu[1]
        return bool(verdicts[CONTRACTION].outcome == "proven" and into_itself and self.fixed_points_as_printed)

    @property
    def fixed_points_as_printed(self) -> bool:
        limits = {name: rational(printed) for name, printed in PRINTED_REGION.items()}
        low = all(limits[name] < self.extremes[name].lower for name in ("mu min", "nu min"))
        return low and all(self.extremes[name].upper < limits[name] for name in ("mu max", "nu max"))

    @property
    def as_expected(self) -> bool:
        statements = all(verdict.as_expected for verdict in self.paper + self.limits)
        beyond = self.basin.proven and self.arrival.sufficient == self.arrival.insufficient + 1
        return statements and self.theorem_1 and beyond and all(value.agrees for value in self.values)


def prove_all() -> Proof:
    """Prove everything, in about ten seconds."""
    chi, neutral_rate = _gradients_at_fixed_point()
    return Proof(
        paper=[decide(statement) for statement in PAPER],
        limits=[decide(statement) for statement in LIMITS],
        values=_printed_values(),
        extremes=fixed_point_extremes(THEOREM_1),
        basin=one_fixed_point_attracts(domain(LEMMA_12)[1]),
        arrival=layers_until_inside(THEOREM_1),
        chi=chi,
        neutral_rate=neutral_rate,
    )


@ctx.workprec(PRECISION)
def _printed_values() -> list[PrintedValue]:
    alpha, lambda_ = selu_constants()
    m = MomentBalls(arb(0), arb(1))
    norm = (m.mean_y.squared() + m.variance_y.squared()).sqrt().value
    return [
        PrintedValue("alpha for (0, 1)", "1.6733", alpha),
        PrintedValue("lambda for (0, 1)", "1.0507", lambda_),
        PrintedValue("spectral norm of the Jacobian at (0, 1), omega = 0, tau = 1", "0.7877", norm),
    ]


@ctx.workprec(PRECISION)
def _gradients_at_fixed_point() -> tuple[arb, arb]:
    """Enclose chi, and the alpha dropout rate r with a^2 (1 - r) = 1 / chi, where a keeps the variance 1.

    Such an a makes the left side 1 / (1 + r (lambda alpha)^2) (paper: Sec. 2).
    """
    alpha, lambda_ = selu_constants()
    chi = MomentBalls(arb(0), arb(1)).slope_squared.value
    return chi, (chi - 1) / (lambda_ * alpha) ** 2
