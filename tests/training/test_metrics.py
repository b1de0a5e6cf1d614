"""The metrics against numpy in float64: whole, in parts, and over two processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from torchmetrics.functional.classification import multiclass_accuracy

from selfnorm.networks.mlp import LayerTrace
from selfnorm.training.metrics import LayerMoments, ReplicaError, unit_moments
from selfnorm.training.module import cross_entropy

R, L, B, U = 2, 3, 96, 8
SHIFT = 1e6  # mean 1e6, standard deviation 1: E[x^2] - E[x]^2 would have no digit left, even its sign


def layers(seed: int) -> list[torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    return [torch.randn(R, B, U, generator=source) + SHIFT * (1 + layer) for layer in range(L)]


Z, A, SLOPES, GRADIENTS = layers(0), layers(1), layers(2), [g - SHIFT * (1 + i) for i, g in enumerate(layers(3))]
SLOPES = [slope - SHIFT * (1 + i) for i, slope in enumerate(SLOPES)]


def update(metric: LayerMoments, part: slice) -> None:
    traces = [LayerTrace(z[:, part], a[:, part]) for z, a in zip(Z, A, strict=True)]
    metric.update(traces, [s[:, part] for s in SLOPES], [g[:, part] for g in GRADIENTS])


def reference() -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, tensors in (("preactivation", Z), ("activation", A)):
        x_RLBU = np.stack([x.numpy().astype(np.float64) for x in tensors], axis=1)
        found[f"{name}_mean"] = x_RLBU.mean((2, 3))
        found[f"{name}_variance"] = x_RLBU.var((2, 3))
        found[f"{name}_unit_mean_sd"] = x_RLBU.mean(2).std(2)
        found[f"{name}_unit_variance_sd"] = x_RLBU.var(2).std(2)
    found["saturated"] = np.stack([(np.abs(s.numpy()) < 0.05).mean((1, 2)) for s in SLOPES], axis=1)
    found["gradient_second_moment"] = np.stack(
        [(g.numpy().astype(np.float64) ** 2).mean((1, 2)) for g in GRADIENTS], axis=1
    )
    return found


def assert_reference(found: dict[str, torch.Tensor]) -> None:
    expected = reference()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # float64 of values near 1e6: deviations are exact to 1e-10, variances to about 1e-9
        np.testing.assert_allclose(found[name].numpy(), value, rtol=1e-7, err_msg=name)


@pytest.mark.parametrize("sizes", [(B,), (32, 64), (1, 1, 94), (32, 32, 32)])
def test_moments_are_numpys_in_any_parts(sizes: tuple[int, ...]) -> None:
    metric, start = LayerMoments(R, L, U), 0
    for size in sizes:
        update(metric, slice(start, start + size))
        start += size
    assert_reference(metric.compute())


def _in_process(rank: int, port: int, results: mp.SimpleQueue) -> None:
    torch.distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    metric = LayerMoments(R, L, U)
    for part in ([slice(0, 32)], [slice(32, 40), slice(40, B)])[rank]:
        update(metric, part)
    found = metric.compute()
    results.put((rank, {name: value.numpy().tolist() for name, value in found.items()}))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def test_moments_are_numpys_over_two_processes_with_unequal_shares(unused_port: int) -> None:
    results = mp.get_context("spawn").SimpleQueue()
    mp.spawn(_in_process, args=(unused_port, results), nprocs=2)
    for _ in range(2):
        _, found = results.get()
        assert_reference({name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()})


def test_a_process_without_samples_changes_nothing() -> None:
    metric = LayerMoments(R, L, U)
    update(metric, slice(0, B))
    empty = LayerMoments(R, L, U)
    for name in ("count", "mean_2RLU", "m2_2RLU"):  # as torchmetrics stacks gathered states
        setattr(metric, name, torch.stack([getattr(empty, name), getattr(metric, name)]))
    assert_reference(metric.compute())


def test_error_is_torchmetrics_accuracy_and_the_mean_cross_entropy() -> None:
    source = torch.Generator().manual_seed(0)
    logits_RBC = torch.randn(R, B, 10, generator=source)
    y_RB = torch.randint(0, 10, (R, B), generator=source)
    metric = ReplicaError(R)
    for part in (slice(0, 30), slice(30, B)):
        logits, y = logits_RBC[:, part], y_RB[:, part]
        metric.update(cross_entropy(logits, y), logits, y)
    loss_R, accuracy_R = metric.compute()
    for r in range(R):
        expected = multiclass_accuracy(logits_RBC[r], y_RB[r], num_classes=10, average="micro")
        assert accuracy_R[r].item() == pytest.approx(expected.item())
        log_probability_BC = logits_RBC[r].double().log_softmax(1).numpy()
        nll = -log_probability_BC[np.arange(B), y_RB[r].numpy()].mean()
        assert loss_R[r].item() == pytest.approx(nll, rel=1e-6)  # fp32 cross-entropies, summed in float64


def test_a_nan_replica_has_no_accuracy_and_no_saturation() -> None:
    logits_RBC = torch.zeros(R, B, 10)
    logits_RBC[0] = torch.nan
    y_RB = torch.zeros(R, B, dtype=torch.int64)
    metric = ReplicaError(R)
    metric.update(cross_entropy(logits_RBC, y_RB), logits_RBC, y_RB)
    loss_R, accuracy_R = metric.compute()
    assert loss_R.isnan().tolist() == accuracy_R.isnan().tolist() == [True, False]


def test_moments_leave_what_they_measure_as_it_is() -> None:
    x_RBU = Z[0].double()  # no conversion to work on
    unit_moments(x_RBU)
    assert torch.equal(x_RBU, Z[0].double())


# Resident MiB that the moments of 32 layers add: each works on one copy of 0.5 MiB in float64, 64 in turn
GROWTH = """
import resource
import torch
from selfnorm.networks.mlp import LayerTrace
from selfnorm.training.memory import keep_freed_memory
from selfnorm.training.metrics import LayerMoments

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

keep_freed_memory()
layers = [torch.randn(4, 128, 128) for _ in range(32)]
arguments = [LayerTrace(x, x) for x in layers], layers, layers
LayerMoments(4, 1, 128).update(*(part[:1] for part in arguments))  # code is loaded, threads started
metric = LayerMoments(4, 32, 128)
before = resident()
metric.update(*arguments)
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from Linux's /proc")
def test_memory_of_the_moments_does_not_grow_with_the_layers() -> None:
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, timeout=100, check=True)
    assert float(done.stdout) < 20
