"""Time and memory of the paper's whole Figure 1 on GPUs, from counted operations and bytes: a plan, not a measurement.

In: the jobs of +sweep=figure1 at paper scale. Out: a row per cell, and the hours on one and on eight GPUs.
A pass takes the longest of its products at the device's peak, its bytes at the device's bandwidth, and its launches.

Legend: R seeds, B batch, N samples, P weights of one network, U hidden units of one network.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from selfnorm import config
from selfnorm.data.catalogue import NUM_CLASSES
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.networks.phase import Phase
from selfnorm.training.module import cross_entropy
from selfnorm.training.passes import CHUNK
from selfnorm.training.sweep import NUM_INPUTS


@dataclass(frozen=True)
class Gpu:
    """flops: per second by precision, dense; bandwidth: bytes per second; memory: bytes (NVIDIA's data sheets)."""

    name: str
    flops: dict[str, float]
    bandwidth: float
    memory: float


GPUS = (
    Gpu("A100 80 GB", {"fp32": 19.5e12, "bf16": 312e12}, 2.0e12, 80e9),
    Gpu("H100 80 GB", {"fp32": 67e12, "bf16": 989e12}, 3.35e12, 80e9),
)
LAUNCH = 10e-6  # seconds of the host for one operation of eager PyTorch, forward or backward: assumed
# Bytes per weight and step. fp32: read forward and backward (8), gradient written (4), SGD reads both, writes one (12).
# bf16 adds: the cast (read 4, write 2), half the reads (-4), the gradient written and read in bf16 (4).
WEIGHT_BYTES = {"fp32": 24, "bf16": 30}
UNIT_PASSES = {"none": 8, "batch": 28}  # how often a step reads or writes a (batch, unit) array
ERROR_PASSES = {"none": 4, "batch": 12}


@dataclass(frozen=True)
class Cost:
    """Of one job: operations (multiply and add are two), bytes and launches of a step and of a training-error pass."""

    step_flops: float
    step_bytes: float
    error_flops: float
    error_bytes: float
    launches: int
    memory: float
    steps_per_epoch: int
    epochs: int

    def seconds(self, gpu: Gpu, precision: str, launch: float = LAUNCH) -> float:
        """Of the whole job: steps and training errors."""
        flops = gpu.flops[precision]
        step = max(self.step_flops / flops, self.step_bytes / gpu.bandwidth, self.launches * launch)
        error = max(self.error_flops / flops, self.error_bytes / gpu.bandwidth)
        return self.epochs * (self.steps_per_epoch * step + error)


def cost(job: config.Job, precision: str, launches: int) -> Cost:
    """Of a plain network with the job's width, depth, data and seeds."""
    num_inputs, num_seeds = NUM_INPUTS[job.dataset.name], len(job.seeds)
    width, batch = job.model.width or num_inputs, job.training.batch_size
    samples = job.dataset.train_limit or config.NUM_TRAIN[job.dataset.name]
    weights = weight_counts(num_inputs, width, job.model.depth)
    total, units = sum(weights), width * job.model.depth
    normalization = job.normalization.name
    # Parameters and gradients, the training split, and what the larger of the two passes keeps of its activations
    kept = max(batch * units * (4 if normalization == "none" else 8), CHUNK * width * 8)
    return Cost(
        step_flops=num_seeds * batch * (6 * total - 2 * weights[0]),  # the inputs need no gradient
        step_bytes=num_seeds * (WEIGHT_BYTES[precision] * total + 4 * UNIT_PASSES[normalization] * batch * units),
        error_flops=num_seeds * samples * 2 * total,
        error_bytes=num_seeds * 4 * ERROR_PASSES[normalization] * samples * units,
        launches=launches,
        memory=4 * (num_seeds * (2 * total + kept) + samples * num_inputs),
        steps_per_epoch=samples // batch,
        epochs=job.training.epochs,
    )


def weight_counts(num_inputs: int, width: int, depth: int) -> list[int]:
    """Weights of each layer, output included."""
    return [i * o for i, o in pairwise([num_inputs, *[width] * depth, NUM_CLASSES])]


class _Counter(TorchDispatchMode):
    operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.operations += not func.is_view  # a view launches nothing
        return func(*args, **(kwargs or {}))


def count_launches(job: config.Job) -> int:
    """Operations of one optimizer step that are no views, counted on a narrow network of the same depth."""
    narrow = job.model_copy(update={"model": job.model.model_copy(update={"width": 4})})
    network = ReplicaMLP(narrow, 4, NUM_CLASSES)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, foreach=True)
    x_RBF, y_RB = torch.randn(len(job.seeds), 8, 4), torch.zeros(len(job.seeds), 8, dtype=torch.long)
    with _Counter() as counter:
        cross_entropy(network(x_RBF, Phase(group=8, learning=True)), y_RB).sum().backward()
        optimizer.step()
    return counter.operations


def makespan(seconds: Iterable[float], devices: int) -> float:
    """Until the last device is done, the longest work first to whichever device is free."""
    loads = [0.0] * devices
    for value in sorted(seconds, reverse=True):
        heapq.heappush(loads, heapq.heappop(loads) + value)
    return max(loads)
