"""SELU's alpha and lambda, and its fixed point: from whichever was given to all three.

In: the activation part of a configuration as the user wrote it. Out: the same, complete. Imports no torch.
"""

from __future__ import annotations

from typing import Any

# Klambauer et al. (2017), Eq. 14: the constants that make (0, 1) the fixed point.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_LAMBDA = 1.0507009873554804934193349852946
PAPERS_FIXED_POINT = [0, 1]
LARGEST_MEAN, VARIANCES = 1e3, (1e-6, 1e6)  # beyond them single precision trains nothing


def complete_selu(part: dict[str, Any]) -> dict[str, Any]:
    """`part` with alpha and lambda for its fixed point, or with the fixed point (0, 1) where it has the paper's two.

    Raises ValueError where no SELU has the fixed point, and for constants that contradict it.
    """
    asked, constants = part.get("fixed_point"), {name: part.get(name) for name in ("alpha", "lambda")}
    papers = {"alpha": SELU_ALPHA, "lambda": SELU_LAMBDA}
    if asked is None:
        constants = {name: papers[name] if given is None else given for name, given in constants.items()}
        return {**part, **constants, "fixed_point": PAPERS_FIXED_POINT if constants == papers else None}
    if not (isinstance(asked, list) and len(asked) == 2 and all(type(value) in (int, float) for value in asked)):
        return {**part, **papers}  # the schema will say what is wrong with it
    needed = papers if asked == PAPERS_FIXED_POINT else _solve(asked)
    for name, given in constants.items():
        if given not in (None, needed[name]):
            why = f"activation.fixed_point={asked} needs {needed[name]!r}"
            raise ValueError(f"activation.{name}={given}: {why}; leave one of the two out")
    return {**part, **needed}


def _solve(fixed_point: list[float]) -> dict[str, float]:
    from selfnorm.theory.solver import selu_for_fixed_point  # scipy: only who asks waits for it

    mu, nu = fixed_point
    if abs(mu) > LARGEST_MEAN or not VARIANCES[0] <= nu <= VARIANCES[1]:
        legal = f"mean -{LARGEST_MEAN:g} to {LARGEST_MEAN:g}, variance {VARIANCES[0]:g} to {VARIANCES[1]:g}"
        raise ValueError(f"activation.fixed_point={fixed_point}: use {legal}")
    try:
        alpha, lambda_ = selu_for_fixed_point(mu, nu)
    except ValueError as error:
        raise ValueError(f"activation.fixed_point={fixed_point}: {error}") from None
    return {"alpha": alpha, "lambda": lambda_}
