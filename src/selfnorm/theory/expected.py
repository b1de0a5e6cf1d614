"""The layers' moments before training as the theory expects them, from a run's configuration alone.

In: the configuration, as a mapping. Out: by column of the recorded moments, a curve over the layers for each map. The
inputs are taken as standardized (mean 0, variance 1), weights as drawn: omega = 0, tau = the initialization's gain;
constants that are trained count with their first values.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from selfnorm.theory.activations import Activation, activation
from selfnorm.theory.chain import IDENTITY, Chain, Normalizer, chain, dynamic_function, rezero_chain
from selfnorm.theory.dropout import NO_DROPOUT, Dropout, alpha_dropout, standard_dropout
from selfnorm.theory.prediction import paper_path
from selfnorm.theory.selu import Selu
from selfnorm.theory.stability import drift, normalizing_gain
from selfnorm.theory.tabulated import from_table

MAPS = {"second_moment": "theory: random weights", "paper": "theory: the paper's map"}


UNNORMALIZED = ("none", "weight", "centred")  # normalizations of the weights leave a chain as it is
NORMALIZERS: dict[str, Normalizer] = dict.fromkeys((*UNNORMALIZED, "dyt", "derf"), "none")
NORMALIZERS |= {"layer": "sample", "rms": "sample", "batch before": "batch before", "batch after": "batch after"}


def expected(config: dict[str, Any], table: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return `curves`: column -> map -> value by layer; `fixed_point` (mu, nu) or None; `note`, or why no curve.

    table: of a user's own activation, as the run has written it down (see `tabulated`).
    """
    chosen, block = config["activation"], config["model"].get("block", "plain")
    document: dict[str, Any] = {"titles": MAPS, "curves": {}, "fixed_point": chosen.get("fixed_point")}
    if block not in ("plain", "rezero"):
        return document | {"note": f"No theory curve: the maps are for plain layers, not {block} blocks."}
    first = " and the first values of the trained constants" if chosen.get("learn") else ""
    note = f"Theory: standardized inputs, weights as drawn before training{first}; training moves the layers away."
    try:
        f = _activation(chosen, table)
        tau = _tau(config, f)
        if chosen["name"] == "custom" and (sentence := drift(f, tau=tau, depth=config["model"]["depth"])):
            note = f"{note} {sentence[0].upper()}{sentence[1:]}."
        return document | {"curves": _curves(config, f, tau), "note": note}
    except ValueError as error:
        return document | {"note": f"No theory curve: {error}."}


def expected_chain(config: Mapping[str, Any], table: Mapping[str, Any] | None = None, *, c: float = 0.0) -> Chain:
    """Return the chain of layers that a configuration describes; c: the cosine of two inputs.

    Standardized inputs have cosine 0 on average.
    Raises ValueError for blocks that are no chain.
    """
    if (block := config["model"].get("block", "plain")) not in ("plain", "rezero"):
        raise ValueError(f"the maps are for plain layers, not {block} blocks")
    f = _activation(config["activation"], table)
    return _chain(config, f, _tau(config, f), c)


def _chain(config: Mapping[str, Any], f: Activation, tau: float, c: float = 0.0) -> Chain:
    inputs, between = _dropouts(config["dropout"], f, config["activation"].get("fixed_point") or (0.0, 1.0))
    normalization, depth = config["normalization"], config["model"]["depth"]
    mean, variance = (float(value) for value in inputs.moments(0.0, 1.0))
    q = variance + mean**2
    if config["model"].get("block") == "rezero":
        if normalization["name"] not in UNNORMALIZED:
            raise ValueError(f"the maps are for rezero blocks without {normalization['name']} normalization")
        return rezero_chain(f, depth=depth, tau=tau, dropout=between)
    name = normalization["name"]
    normalizer = NORMALIZERS.get("batch " + normalization.get("position", "after") if name == "batch" else name)
    if normalizer == "none" and config["model"].get("initialization") == "lsuv":
        normalizer = "sample"  # the weights do before training what the normalization would
    if normalizer is None:
        raise ValueError(f"there is no map of {name} normalization")
    squash = dynamic_function(name, normalization["alpha"]) if name in ("dyt", "derf") else IDENTITY
    return chain(f, depth=depth, tau=tau, q=q, c=c, normalizer=normalizer, squash=squash, dropout=between)


def _activation(chosen: Mapping[str, Any], table: Mapping[str, Any] | None) -> Activation:
    if chosen["name"] == "custom":
        return from_table(table)
    constants = {key: value for key, value in chosen.items() if key not in ("name", "fixed_point", "learn")}
    if "lambda" in constants:
        constants["lambda_"] = constants.pop("lambda")
    return activation(chosen["name"], **constants)


def _tau(config: Mapping[str, Any], f: Activation) -> float:
    """Return n Var[w] as the pipeline draws weights: 1 for SELU, which is made for it, else 1 / E f(z)^2."""
    if config["model"].get("initialization") == "torch":
        return 1 / 3  # uniform within n^(-1/2); the biases' share, 1 / 3n, is left out
    if (gain := config["model"]["gain"]) is not None:
        return float(gain)
    return 1.0 if config["activation"]["name"] == "selu" else normalizing_gain(f)


def _curves(config: dict[str, Any], f: Activation, tau: float) -> dict[str, dict[str, list[float]]]:
    """Return each map's path as columns of the recorded moments; the paper's is for layers without normalization."""
    depth = config["model"]["depth"]
    curves = {
        column: {"second_moment": values.tolist()}
        for column, values in _chain(config, f, tau)._asdict().items()
        if column != "chi"
    }
    curves["preactivation_mean"] = {"second_moment": [0.0] * depth}
    if config["normalization"]["name"] in UNNORMALIZED and config["model"].get("block", "plain") == "plain":
        inputs, between = _dropouts(config["dropout"], f, config["activation"].get("fixed_point") or (0.0, 1.0))
        m0, v0 = (float(value) for value in inputs.moments(0.0, 1.0))
        path = paper_path(f, m0, v0, depth=depth, tau=tau, dropout=between)
        # a pre-activation's variance follows from the layer below
        _, v = between.moments(path.mean[:-1], path.variance[:-1])
        columns = {"activation_mean": path.mean, "activation_variance": path.variance}
        columns |= {"preactivation_mean": np.zeros(depth), "preactivation_variance": tau * np.append(v0, v)}
        for column, values in columns.items():
            curves[column]["paper"] = values.tolist()
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
