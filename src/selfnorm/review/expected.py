"""What the theory expects of a run's layers before training, from its configuration alone.

In: config.yaml. Out: by column of moments.csv, a curve over the layers for each map. The inputs are taken as
standardized (mean 0, variance 1), weights as drawn: omega = 0, tau = the initialization's gain; constants that are
trained count with their first values.

Legend: mu, nu mean and variance; tau sum of a unit's squared weights.
"""

from typing import Any

import numpy as np

from selfnorm.review.compact import numbers
from selfnorm.theory.activations import Activation, activation
from selfnorm.theory.dropout import NO_DROPOUT, Dropout, alpha_dropout, standard_dropout
from selfnorm.theory.prediction import LayerMoments, paper_path, second_moment_path
from selfnorm.theory.selu import Selu

MAPS = {"second_moment": "theory: random weights", "paper": "theory: the paper's map"}


def expected(config: dict[str, Any]) -> dict[str, Any]:
    """`curves`: column -> map -> value by layer; `fixed_point` (mu, nu) or None; `note` where there is no theory."""
    part, model = config.get("activation") or {}, config.get("model") or {}
    nothing: dict[str, Any] = {"titles": MAPS, "curves": {}, "fixed_point": part.get("fixed_point")}
    normalization = (config.get("normalization") or {}).get("name", "none")
    if normalization != "none":
        return nothing | {"note": f"No theory curve: the maps are for layers without {normalization} normalization."}
    if model.get("block", "plain") != "plain":
        return nothing | {"note": f"No theory curve: the maps are for plain layers, not {model['block']} blocks."}
    try:
        return nothing | {"curves": _curves(config, part, model), "note": _note(part)}
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        return nothing | {"note": f"No theory curve: {error}."}


def _note(part: dict[str, Any]) -> str:
    first = " and the first values of the trained constants" if part.get("learn") else ""
    return f"Theory: standardized inputs, weights as drawn before training{first}; training moves the layers away."


def _curves(config: dict[str, Any], part: dict[str, Any], model: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    f, depth = _activation(part), int(model["depth"])
    tau = float(model["gain"]) if model.get("gain") is not None else _initial_gain(part["name"], f)
    inputs, between = _dropouts(config.get("dropout") or {}, f, part.get("fixed_point") or (0.0, 1.0))
    m0, v0 = (float(value) for value in inputs.moments(0.0, 1.0))
    paths = {
        "second_moment": second_moment_path(f, v0 + m0**2, depth=depth, tau=tau, dropout=between),
        "paper": paper_path(f, m0, v0, depth=depth, tau=tau, dropout=between),
    }
    curves: dict[str, dict[str, list[float]]] = {}
    for name, path in paths.items():
        for column, values in _columns(name, path, (m0, v0), tau, between).items():
            curves.setdefault(column, {})[name] = numbers(values)
    return curves


def _columns(
    name: str, path: LayerMoments, first: tuple[float, float], tau: float, between: Dropout
) -> dict[str, np.ndarray]:
    """The path as columns of moments.csv; a pre-activation's moments follow from the layer below."""
    m, v = between.moments(path.mean[:-1], path.variance[:-1])
    m, v = np.append(first[0], m), np.append(first[1], v)
    y = tau * (v + m**2) if name == "second_moment" else tau * v
    return {
        "activation_mean": path.mean,
        "activation_variance": path.variance,
        "preactivation_mean": np.zeros(len(path.mean)),
        "preactivation_variance": y,
    }


def _activation(part: dict[str, Any]) -> Activation:
    constants = {"alpha": "alpha", "lambda": "lambda_", "slope": "slope"}
    given = {name: float(part[key]) for key, name in constants.items() if part.get(key) is not None}
    return activation(part["name"], **given)


def _initial_gain(name: str, f: Activation) -> float:
    """1 / E f(z)^2, z ~ N(0, 1), as the pipeline draws weights for all but SELU, which is made for 1."""
    return 1.0 if name == "selu" else 1 / float(f.second_moment(np.array(0.0), np.array(1.0)))


def _dropouts(part: dict[str, Any], f: Activation, fixed_point: Any) -> tuple[Dropout, Dropout]:
    """Of the inputs and after every layer."""
    name = part.get("name", "none")
    if name == "none":
        return NO_DROPOUT, NO_DROPOUT
    rates = float(part.get("input_rate") or 0.0), float(part.get("rate") or 0.0)
    if name == "alpha" and isinstance(f, Selu):
        mu, nu = map(float, fixed_point)
        return alpha_dropout(f, rates[0]), alpha_dropout(f, rates[1], mu=mu, nu=nu)
    return standard_dropout(rates[0]), standard_dropout(rates[1])
