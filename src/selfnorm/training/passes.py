"""Passes over data that measure and do not learn: the error of a split, and the moments of every layer.

Legend: R replica, B batch, F features, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from selfnorm.data.splits import Split
from selfnorm.networks.mlp import LayerTrace, ReplicaMLP
from selfnorm.networks.phase import EVALUATION, Phase
from selfnorm.networks.randomness import Masks, Purpose
from selfnorm.training.metrics import Error, LayerMoments, ReplicaError
from selfnorm.training.module import ReplicaClassifier, cross_entropy

CHUNK = 1024  # samples per matrix product: large enough for full speed, small enough for little memory


def training_error(module: ReplicaClassifier, split: Split) -> Error:
    """The quantity of Figure 1: mean cross-entropy over the training set in stored order.

    Authors' code: training mode, each evaluated batch normalized by its own statistics, last partial batch dropped.
    With training.error_mode=eval: running statistics, no dropout, all samples.
    """
    training, limit = module.job.training, module.job.recording.error_samples
    split = Split(split.x_NF[:limit], split.y_N[:limit])
    asked = training.error_batch_size or training.batch_size
    group = len(split.y_N) if asked == "all" else min(asked, len(split.y_N))
    if training.error_mode == "eval":
        return _error(module, split, group=None)
    num_samples = len(split.y_N) // group * group
    return _error(module, Split(split.x_NF[:num_samples], split.y_N[:num_samples]), group=group)


def evaluation_error(module: ReplicaClassifier, split: Split) -> Error:
    """Mean cross-entropy and accuracy of a held-out split: running statistics, no dropout."""
    return _error(module, split, group=None)


@torch.no_grad()
def _error(module: ReplicaClassifier, split: Split, *, group: int | None) -> Error:
    trainer, seeds = module.trainer, module.job.seeds
    metric = ReplicaError(len(seeds)).to(split.x_NF.device)
    chunk = CHUNK if group is None else max(1, CHUNK // group) * group
    starts = range(0, len(split.y_N), chunk)
    with trainer.precision_plugin.forward_context():  # around all chunks: weights are cast once
        for start in starts[trainer.global_rank :: trainer.world_size]:
            x_RBF = split.x_NF[start : start + chunk].expand(len(seeds), -1, -1)
            y_RB = split.y_N[start : start + chunk].expand(len(seeds), -1)
            phase = EVALUATION
            if group is not None:
                phase = Phase(group, masks=_masks(module, Purpose.ERROR_DROPOUT, start))
            logits_RBC = module.network(x_RBF, phase)
            metric.update(cross_entropy(logits_RBC, y_RB), logits_RBC, y_RB)
    # torchmetrics makes scalars of results with one element, which those of a single seed are
    return Error(*(values_R.view(len(seeds)) for values_R in metric.compute()))


def layer_moments(module: ReplicaClassifier, split: Split) -> dict[str, Tensor]:
    """`LayerMoments` over the first (up to) recording.samples training samples, in training mode, in whole batches.

    With the constants of each layer's SELU, where they are trained.
    """
    trainer, job = module.trainer, module.job
    network: ReplicaMLP = module.network
    metric = LayerMoments(len(job.seeds), job.model.depth, network.output.weight_RIO.shape[1]).to(split.x_NF.device)
    num_samples = min(job.recording.samples, len(split.y_N))
    group = min(job.training.batch_size, num_samples)
    starts = range(0, num_samples - group + 1, group)
    for start in starts[trainer.global_rank :: trainer.world_size]:
        x_RBF = split.x_NF[start : start + group].expand(len(job.seeds), -1, -1)
        y_RB = split.y_N[start : start + group].expand(len(job.seeds), -1)
        phase = Phase(group, masks=_masks(module, Purpose.PROBE_DROPOUT, start))
        metric.update(*_traced(module, x_RBF, y_RB, phase))
    shape = (len(job.seeds), job.model.depth)  # see _error
    return {name: values_RL.view(shape) for name, values_RL in metric.compute().items()} | network.learned_constants


def _traced(
    module: ReplicaClassifier, x_RBF: Tensor, y_RB: Tensor, phase: Phase
) -> tuple[list[LayerTrace], list[Tensor], Sequence[Tensor]]:
    """Every hidden layer's z and a, f'(z), and the gradient of the summed loss with respect to z, for one batch.

    A function of its own, so that one batch's graph is gone before the next one's is built.
    """
    traces: list[LayerTrace] = []
    with torch.enable_grad(), module.trainer.precision_plugin.forward_context():
        loss = cross_entropy(module.network(x_RBF, phase, traces), y_RB).sum()
        slopes = [_slope(trace) for trace in traces]
        gradients = torch.autograd.grad(loss, [trace.z_RBF for trace in traces])
    return [LayerTrace(*(tensor.detach() for tensor in trace)) for trace in traces], slopes, gradients


def _slope(trace: LayerTrace) -> Tensor:
    """f'(z) of one layer, (R, B, U), from the graph that computed a = f(z)."""
    (slope_RBU,) = torch.autograd.grad(trace.a_RBF, trace.z_RBF, torch.ones_like(trace.a_RBF), retain_graph=True)
    return slope_RBU


def _masks(module: ReplicaClassifier, purpose: Purpose, start: int) -> Masks | None:
    if module.job.dropout.name == "none":
        return None
    return Masks(module.job.seeds, purpose, (module.trainer.global_step, start))
