"""A proof's data as Markdown: the tables of docs/theory/theorems.md and of the terminal.

In: what `proof.as_data` returns. Out: text.
"""

from typing import Any

HEADER = """# The paper's theorems, checked by machine

Made by `python scripts/prove.py`. Every line is decided by ball arithmetic with branch and bound: *proven* with the
certified extremum of the quantity over the whole range, or *refuted* with a point that breaks it. Lower and upper
bounds are rounded outwards: the true extremum lies between them. The SELU is the one with the fixed point (0, 1).

mu, nu: mean and variance of a layer's activations; mu~, nu~: the same one layer on; omega, tau: sum of a unit's
weights and of their squares; sigma: largest singular value of the Jacobian of (mu, nu) -> (mu~, nu~).
"""

THEOREM_3 = """Theorem 3 is stated from nu = 0.02 in the paper's main text, from nu = 0.05 in its appendix, where it is
proven: it holds from 0.02.
"""


def markdown(data: dict[str, Any]) -> str:
    """The whole document."""
    parts = [
        HEADER,
        "## The paper's statements\n",
        verdict_table(data["paper"]),
        THEOREM_3,
        "## Theorem 1\n",
        _theorem_1(data),
        "## Printed values\n",
        _table(
            ["value", "printed", "lower", "upper", "agrees"],
            [[v["name"], v["printed"], v["lower"], v["upper"], _yes(v["agrees"])] for v in data["printed_values"]],
        ),
        "## Beyond the paper: how far the statements reach\n",
        "True up to one number, false from the next on; everything else as in the paper's statement.\n",
        verdict_table(data["reach"]),
        "## Beyond the paper: from how far away\n",
        _beyond(data),
        f"All as expected: {_yes(data['as_expected'])}. {data['seconds']} s in all, one process.\n",
    ]
    return "\n".join(parts)


def verdict_table(verdicts: list[dict[str, Any]]) -> str:
    """One row a statement."""
    rows = []
    for v in verdicts:
        at = ", ".join(f"{name} = {value:g}" for name, value in v["attained_at"].items())
        region = v["region"].replace("|", r"\|")
        outcome = f"**{v['outcome']}**" + (f" ({v['note']})" if v["note"] else "")
        claim = f"{v['statement']} for {region}"
        bounds = [v["extremum"], v["lower"], v["upper"]]
        rows.append([v["name"], claim, outcome, *bounds, at, str(v["boxes"]), f"{v['seconds']:.3f}"])
    head = ["", "statement", "outcome", "extremum", "lower", "upper", "attained at", "boxes", "seconds"]
    return _table(head, rows)


def _theorem_1(data: dict[str, Any]) -> str:
    outcome = "proven" if data["theorem_1"]["proven"] else "not proven"
    where = "inside" if data["theorem_1"]["fixed_points_as_printed"] else "not inside"
    rows = [
        [
            name.replace("_", " "),
            e["printed"],
            e["lower"],
            e["upper"],
            f"omega = {e['omega']:g}, tau = {e['tau']:g}",
        ]
        for name, e in data["fixed_points"].items()
    ]
    return "\n".join(
        [
            f"**{outcome}.** The image of the domain lies in the domain (by the certified extrema above, not the",
            "printed bounds) and the map contracts it (Lemma 12): by Banach's theorem there is, for every",
            "(omega, tau), exactly one fixed point, and it attracts the whole domain. Over all (omega, tau) the fixed",
            f"points lie {where} the region that the paper prints; their exact extremes are\n",
            _table(["", "paper", "lower", "upper", "attained at"], rows),
        ]
    )


def _beyond(data: dict[str, Any]) -> str:
    basin, arrival = data["one_fixed_point_attracts"], data["layers_until_inside"]
    outcome = "**proven**" if basin["proven"] else "**not proven**"
    end = arrival["witness_end"]
    return "\n".join(
        [
            f"- The same (omega, tau) in every layer, {basin['weights']}: for each of them",
            f"  exactly one fixed point attracts every start with {basin['start']}: {outcome}, with",
            f"  {basin['cells']} cells of (omega, tau) and {basin['images']} images of boxes in {basin['seconds']} s.",
            f"  The fixed points lie within {basin['fixed_points_within']}.",
            "- (omega, tau) different in every layer, within Theorem 1's range: every start with",
            f"  {arrival['start']} is inside Theorem 1's domain after **{arrival['sufficient']} layers**, and stays;",
            f"  after {arrival['insufficient']} layers a start at mu = {arrival['witness']['mu']:g},"
            f" nu = {arrival['witness']['nu']:g} can still be outside, at mu = {end['mu']}, nu = {end['nu']}"
            f" ({arrival['seconds']} s).\n",
        ]
    )


def _yes(value: bool) -> str:
    return "yes" if value else "**no**"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]]
    return "\n".join(lines) + "\n"
