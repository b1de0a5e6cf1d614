"""SELU's alpha and lambda, and its fixed point: the missing ones are computed from the given ones.

In: the activation's keys as the user wrote them. Out: the same keys, complete. Imports no torch.
"""

from __future__ import annotations

from typing import Any

# Klambauer et al. (2017), Eq. 14: the constants that make (0, 1) the fixed point.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_LAMBDA = 1.0507009873554804934193349852946
PAPERS_FIXED_POINT = [0, 1]
LARGEST_MEAN, VARIANCES = 1e3, (1e-6, 1e6)  # beyond them single precision trains nothing


def complete_selu(keys: dict[str, Any]) -> dict[str, Any]:
    """Add alpha and lambda for the fixed point, or the fixed point (0, 1) for the paper's alpha and lambda.

    Raises ValueError where no SELU has the fixed point, and for constants that contradict it.
    """
    point, constants = keys.get("fixed_point"), {name: keys.get(name) for name in ("alpha", "lambda")}
    papers = {"alpha": SELU_ALPHA, "lambda": SELU_LAMBDA}
    if point is None:
        constants = {name: papers[name] if value is None else value for name, value in constants.items()}
        return {**keys, **constants, "fixed_point": PAPERS_FIXED_POINT if constants == papers else None}
    if not (isinstance(point, list) and len(point) == 2 and all(type(value) in (int, float) for value in point)):
        return {**keys, **papers}  # the schema says what is wrong with the point
    needed = papers if point == PAPERS_FIXED_POINT else _solve(point)
    for name, value in constants.items():
        if value not in (None, needed[name]):
            why = f"activation.fixed_point={point} needs {needed[name]!r}"
            raise ValueError(f"activation.{name}={value}: {why}; leave one of the two out")
    return {**keys, **needed}


def _solve(fixed_point: list[float]) -> dict[str, float]:
    from selfnorm.theory.solver import selu_for_fixed_point  # scipy: slow to import, and most jobs need no solution

    mu, nu = fixed_point
    if abs(mu) > LARGEST_MEAN or not VARIANCES[0] <= nu <= VARIANCES[1]:
        legal = f"mean -{LARGEST_MEAN:g} to {LARGEST_MEAN:g}, variance {VARIANCES[0]:g} to {VARIANCES[1]:g}"
        raise ValueError(f"activation.fixed_point={fixed_point}: use {legal}")
    try:
        alpha, lambda_ = selu_for_fixed_point(mu, nu)
    except ValueError as error:
        raise ValueError(f"activation.fixed_point={fixed_point}: {error}") from None
    return {"alpha": alpha, "lambda": lambda_}
