"""The three maps for one network of plain layers: what to lay over the moments that it shows.

In: the network's weights, and moments of its inputs. Out: `LayerMoments` of each map.

Legend: omega, tau mean over a layer's units of the sum of their weights and of their squares.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from selfnorm.theory.activations import Activation
from selfnorm.theory.dropout import NO_DROPOUT, Dropout
from selfnorm.theory.prediction import LayerMoments, paper_path, per_unit_path, second_moment_path
from selfnorm.theory.quadrature import Array


class Inputs(NamedTuple):
    """Mean and variance of each component over the samples, and of each sample over its components."""

    mean: Array  # (component,)
    variance: Array
    sample_mean: Array  # (sample,)
    sample_variance: Array

    @classmethod
    def of(cls, x: Array) -> "Inputs":
        """Of samples (sample, component)."""
        return cls(x.mean(axis=0), x.var(axis=0), x.mean(axis=1), x.var(axis=1))


class Network(NamedTuple):
    """weights (out, in), biases (out,) and activations of the hidden layers; dropout of the inputs and after each."""

    weights: Sequence[Array]
    biases: Sequence[Array]
    activations: Sequence[Activation]
    input_dropout: Dropout = NO_DROPOUT
    dropout: Dropout = NO_DROPOUT


def overlay(network: Network, inputs: Inputs) -> dict[str, LayerMoments]:
    """`paper`, `second_moment` and `per_unit` for the network.

    The paper's map, in which all units are alike, takes each layer's mean omega and tau and starts from mean and
    variance over all components and samples; the second-moment map takes tau and starts from each sample's mean
    square; the per-unit map takes every weight and bias and starts from each component.
    """
    omega = [float(weight.sum(axis=1).mean()) for weight in network.weights]
    tau = [float(np.square(weight).sum(axis=1).mean()) for weight in network.weights]
    mean, variance = network.input_dropout.moments(inputs.mean, inputs.variance)
    sample_mean, sample_variance = network.input_dropout.moments(inputs.sample_mean, inputs.sample_variance)
    squares = sample_variance + sample_mean**2
    depth, f = len(network.weights), network.activations
    nu = float(variance.mean() + mean.var())
    return {
        "paper": paper_path(f, float(mean.mean()), nu, depth=depth, omega=omega, tau=tau, dropout=network.dropout),
        "second_moment": second_moment_path(f, squares, depth=depth, tau=tau, dropout=network.dropout),
        "per_unit": per_unit_path(f, network.weights, mean, variance, biases=network.biases, dropout=network.dropout),
    }
