"""Passes over data that measure and do not learn: the error of a split, and the moments of every layer.

Legend: R replica, B batch, F features, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from selfnorm import config
from selfnorm.data.splits import Split
from selfnorm.networks.layers import EVALUATION, Phase
from selfnorm.networks.mlp import LayerTrace
from selfnorm.networks.moments import LayerMoments, measure_layer
from selfnorm.networks.randomness import Masks, Purpose
from selfnorm.training.module import ReplicaClassifier, cross_entropy

CHUNK = 1024  # samples per matrix product: large enough for full speed, small enough for little memory


class Error(NamedTuple):
    """Mean cross-entropy in nats and fraction of right answers, (R,) each."""

    loss_R: Tensor
    accuracy_R: Tensor


class ReplicaError(Metric):
    """Mean cross-entropy and accuracy per replica, summed in float64."""

    full_state_update = False
    loss_R: Tensor
    correct_R: Tensor
    count: Tensor

    def __init__(self, num_replicas: int) -> None:
        super().__init__()
        self.add_state("loss_R", torch.zeros(num_replicas, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("correct_R", torch.zeros(num_replicas, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, loss_RB: Tensor, logits_RBC: Tensor, y_RB: Tensor) -> None:
        self.loss_R += loss_RB.sum(1, dtype=torch.float64)
        self.correct_R += (logits_RBC.argmax(2) == y_RB).sum(1)
        self.count += y_RB.shape[1]

    def compute(self) -> Error:
        # A diverged replica answers class 0 for NaN logits; that is no accuracy
        accuracy_R = torch.where(self.loss_R.isfinite(), self.correct_R / self.count, torch.nan)
        return Error(self.loss_R / self.count, accuracy_R)


def training_error(module: ReplicaClassifier, split: Split) -> Error:
    """The quantity of Figure 1: mean cross-entropy over the training set in stored order."""
    return _error(module, *error_samples(module.job, split))


def error_samples(job: config.Job, split: Split) -> tuple[Split, int | None]:
    """The training samples that the training error is taken over, and how many of them share batch statistics.

    Authors' code: training mode, each evaluated batch normalized by its own statistics, last partial batch dropped.
    With training.error_mode=eval: running statistics, no dropout, all samples; there is no group then (None).
    """
    training, limit = job.training, job.recording.error_samples
    split = Split(split.x_NF[:limit], split.y_N[:limit])
    if training.error_mode == "eval":
        return split, None
    size = training.error_batch_size or training.batch_size
    group = len(split.y_N) if size == "all" else min(size, len(split.y_N))
    num_samples = len(split.y_N) // group * group
    return Split(split.x_NF[:num_samples], split.y_N[:num_samples]), group


def evaluation_error(module: ReplicaClassifier, split: Split) -> Error:
    """Mean cross-entropy and accuracy of a held-out split: running statistics, no dropout."""
    return _error(module, split, None)


@torch.no_grad()
def _error(module: ReplicaClassifier, split: Split, group: int | None) -> Error:
    trainer, seeds = module.trainer, module.job.seeds
    metric = ReplicaError(len(seeds)).to(split.x_NF.device)
    chunk = CHUNK if group is None else max(1, CHUNK // group) * group
    starts = range(0, len(split.y_N), chunk)
    with trainer.precision_plugin.forward_context():  # around all chunks: weights are cast once
        for start in starts[trainer.global_rank :: trainer.world_size]:
            x_RBF = split.x_NF[start : start + chunk].expand(len(seeds), -1, -1)
            y_RB = split.y_N[start : start + chunk].expand(len(seeds), -1)
            masks = Masks(seeds, Purpose.ERROR_DROPOUT, (trainer.global_step, start))
            phase = EVALUATION if group is None else Phase(group, masks=masks)
            logits_RBC = module.network(x_RBF, phase)
            metric.update(cross_entropy(logits_RBC, y_RB), logits_RBC, y_RB)
    # torchmetrics makes scalars of results with one element, which those of a single seed are
    return Error(*(values_R.view(len(seeds)) for values_R in metric.compute()))


def layer_moments(module: ReplicaClassifier, split: Split) -> dict[str, Tensor]:
    """`LayerMoments` over the first (up to) recording.samples training samples, in training mode, in whole batches.

    The constants of each layer's SELU come with them, where they are trained.
    """
    trainer, job, network = module.trainer, module.job, module.network
    units = [layer.linear.bias_R1O.shape[2] for layer in network.layers]
    metric = LayerMoments(units, len(job.seeds)).to(split.x_NF.device)
    num_samples = min(job.recording.samples, len(split.y_N))
    group = min(job.training.batch_size, num_samples)
    starts = range(0, num_samples - group + 1, group)
    for start in starts[trainer.global_rank :: trainer.world_size]:
        x_RBF = split.x_NF[start : start + group].expand(len(job.seeds), -1, -1)
        y_RB = split.y_N[start : start + group].expand(len(job.seeds), -1)
        phase = Phase(group, masks=Masks(job.seeds, Purpose.PROBE_DROPOUT, (trainer.global_step, start)))
        traced = zip(*_traced(module, x_RBF, y_RB, phase), strict=True)
        metric.update(measure_layer(*trace, slope, gradient) for trace, slope, gradient in traced)
    shape = (len(job.seeds), job.model.depth)  # see _error
    return {name: values_RL.view(shape) for name, values_RL in metric.compute().items()} | network.learned_constants


def _traced(
    module: ReplicaClassifier, x_RBF: Tensor, y_RB: Tensor, phase: Phase
) -> tuple[list[LayerTrace], list[Tensor], Sequence[Tensor]]:
    """Every hidden layer's z and a, f'(z), and the gradient of the summed loss with respect to z, for one batch.

    This is a function so that one batch's graph is freed before the next one's is built.
    """
    traces: list[LayerTrace] = []
    with torch.enable_grad(), module.trainer.precision_plugin.forward_context():
        loss = cross_entropy(module.network(x_RBF, phase, traces), y_RB).sum()
        slopes: list[Tensor] = []  # f'(z), (R, B, U), from the graph that computed a = f(z)
        for z_RBF, a_RBF in traces:
            slopes += torch.autograd.grad(a_RBF, z_RBF, torch.ones_like(a_RBF), retain_graph=True)
        gradients = torch.autograd.grad(loss, [trace.z_RBF for trace in traces])
    return [LayerTrace(*(tensor.detach() for tensor in trace)) for trace in traces], slopes, gradients
