"""The layers' moments before training as the theory expects them, from a run's configuration alone.

In: the configuration, as a mapping. Out: by column of the recorded moments, a curve over the layers for each map. The
inputs are taken as standardized (mean 0, variance 1), weights as drawn: omega = 0, tau = the initialization's gain;
constants that are trained count with their first values.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from selfnorm.theory.activations import Activation, activation
from selfnorm.theory.dropout import NO_DROPOUT, Dropout, alpha_dropout, standard_dropout
from selfnorm.theory.prediction import paper_path, second_moment_path
from selfnorm.theory.quadrature import Array
from selfnorm.theory.selu import Selu
from selfnorm.theory.stability import drift, normalizing_gain
from selfnorm.theory.tabulated import from_table

MAPS = {"second_moment": "theory: random weights", "paper": "theory: the paper's map"}


def expected(config: dict[str, Any], table: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return `curves`: column -> map -> value by layer; `fixed_point` (mu, nu) or None; `note`, or why no curve.

    table: of a user's own activation, as the run has written it down (see `tabulated`).
    """
    chosen, normalization = config["activation"], config["normalization"]["name"]
    block = config["model"].get("block", "plain")
    document: dict[str, Any] = {"titles": MAPS, "curves": {}, "fixed_point": chosen.get("fixed_point")}
    if normalization != "none":
        return document | {"note": f"No theory curve: the maps are for layers without {normalization} normalization."}
    if block != "plain":
        return document | {"note": f"No theory curve: the maps are for plain layers, not {block} blocks."}
    first = " and the first values of the trained constants" if chosen.get("learn") else ""
    note = f"Theory: standardized inputs, weights as drawn before training{first}; training moves the layers away."
    try:
        f = _activation(chosen, table)
        tau = _tau(chosen, config["model"]["gain"], f)
        if chosen["name"] == "custom" and (sentence := drift(f, tau=tau, depth=config["model"]["depth"])):
            note = f"{note} {sentence[0].upper()}{sentence[1:]}."
        return document | {"curves": _curves(config, f, tau), "note": note}
    except ValueError as error:
        return document | {"note": f"No theory curve: {error}."}


def _activation(chosen: Mapping[str, Any], table: Mapping[str, Any] | None) -> Activation:
    if chosen["name"] == "custom":
        return from_table(table)
    constants = {key: value for key, value in chosen.items() if key not in ("name", "fixed_point", "learn")}
    if "lambda" in constants:
        constants["lambda_"] = constants.pop("lambda")
    return activation(chosen["name"], **constants)


def _tau(chosen: Mapping[str, Any], gain: float | None, f: Activation) -> float:
    """Return n Var[w] as the pipeline draws weights: 1 for SELU, which is made for it, else 1 / E f(z)^2."""
    if gain is not None:
        return gain
    return 1.0 if chosen["name"] == "selu" else normalizing_gain(f)


def _curves(config: dict[str, Any], f: Activation, tau: float) -> dict[str, dict[str, list[float]]]:
    """Return each map's path as columns of the recorded moments."""
    chosen, depth = config["activation"], config["model"]["depth"]
    inputs, between = _dropouts(config["dropout"], f, chosen.get("fixed_point") or (0.0, 1.0))
    m0, v0 = (float(value) for value in inputs.moments(0.0, 1.0))
    paths = {
        "second_moment": second_moment_path(f, v0 + m0**2, depth=depth, tau=tau, dropout=between),
        "paper": paper_path(f, m0, v0, depth=depth, tau=tau, dropout=between),
    }
    curves: dict[str, dict[str, list[float]]] = {}
    for name, path in paths.items():
        # a pre-activation's moments follow from the layer below
        m, v = between.moments(path.mean[:-1], path.variance[:-1])
        m, v = np.append(m0, m), np.append(v0, v)
        columns: dict[str, Array] = {
            "activation_mean": path.mean,
            "activation_variance": path.variance,
            "preactivation_mean": np.zeros(depth),
            "preactivation_variance": tau * (v + m**2 if name == "second_moment" else v),
        }
        for column, values in columns.items():
            curves.setdefault(column, {})[name] = values.tolist()
    return curves


def _dropouts(chosen: dict[str, Any], f: Activation, fixed_point: tuple[float, float]) -> tuple[Dropout, Dropout]:
    """Return the dropout of the inputs and that after every layer."""
    if chosen["name"] == "none":
        return NO_DROPOUT, NO_DROPOUT
    input_rate, rate = chosen.get("input_rate", 0.0), chosen["rate"]
    if chosen["name"] == "alpha" and isinstance(f, Selu):
        mu, nu = fixed_point
        return alpha_dropout(f, input_rate), alpha_dropout(f, rate, mu=mu, nu=nu)
    return standard_dropout(input_rate), standard_dropout(rate)
