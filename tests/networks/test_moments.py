"""Layer moments against numpy in float64: whole, in parts, of any shape, over two processes, and merged."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import kurtosis
from tools.two_processes import in_two_processes

from selfnorm.networks.moments import LayerBatch, LayerMoments, measure_layer, unit_moments

R, L, B, U = 2, 3, 96, 8
SHIFT = 1e6  # mean 1e6, standard deviation 1: E[x^2] - E[x]^2 would have no digit left, even its sign


def layers(seed: int) -> list[torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    return [torch.randn(R, B, U, generator=source) + SHIFT * (1 + layer) for layer in range(L)]


Z, A, SLOPES, GRADIENTS = layers(0), layers(1), layers(2), [g - SHIFT * (1 + i) for i, g in enumerate(layers(3))]
SLOPES = [slope - SHIFT * (1 + i) for i, slope in enumerate(SLOPES)]


def batch(part: slice) -> Iterator[LayerBatch]:
    for layer in zip(Z, A, SLOPES, GRADIENTS, strict=True):
        yield measure_layer(*(tensor[:, part] for tensor in layer))


def reference() -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for name, tensors in (("preactivation", Z), ("activation", A)):
        x_RLBU = np.stack([x.numpy().astype(np.float64) for x in tensors], axis=1)
        found[f"{name}_mean"] = x_RLBU.mean((2, 3))
        found[f"{name}_variance"] = x_RLBU.var((2, 3))
        found[f"{name}_unit_mean_sd"] = x_RLBU.mean(2).std(2)
        found[f"{name}_unit_variance_sd"] = x_RLBU.var(2).std(2)
        found[f"{name}_kurtosis"] = kurtosis(x_RLBU.reshape(R, L, -1), axis=2, fisher=False)
        found[f"{name}_cosine"] = np.array([[mean_cosine(x_BU) for x_BU in x_LBU] for x_LBU in x_RLBU])
    found["saturated"] = np.stack([(np.abs(s.numpy()) < 0.05).mean((1, 2)) for s in SLOPES], axis=1)
    found["gradient_second_moment"] = np.stack(
        [(g.numpy().astype(np.float64) ** 2).mean((1, 2)) for g in GRADIENTS], axis=1
    )
    return found


def mean_cosine(x_BU: np.ndarray) -> float:
    """The mean cosine over all pairs of samples, one pair at a time."""
    directions = x_BU / np.linalg.norm(x_BU, axis=1, keepdims=True)
    return float(np.mean([a @ b for a, b in combinations(directions, 2)]))


def assert_reference(found: dict[str, torch.Tensor]) -> None:
    expected = reference()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # float64 of values near 1e6: deviations are exact to 1e-10, variances to about 1e-9
        np.testing.assert_allclose(found[name].numpy(), value, rtol=1e-7, err_msg=name)


@pytest.mark.parametrize("sizes", [(B,), (32, 64), (1, 1, 94), (32, 32, 32)])
def test_moments_are_numpys_in_any_parts(sizes: tuple[int, ...]) -> None:
    metric, start = LayerMoments([U] * L, R), 0
    for size in sizes:
        metric.update(batch(slice(start, start + size)))
        start += size
    assert_reference(metric.compute())


def _moments_of_a_share(rank: int) -> dict[str, list[list[float]]]:
    metric = LayerMoments([U] * L, R)
    for part in ([slice(0, 32)], [slice(32, 40), slice(40, B)])[rank]:
        metric.update(batch(part))
    return {name: value.tolist() for name, value in metric.compute().items()}


@pytest.mark.slow
def test_moments_are_numpys_over_two_processes_with_unequal_shares() -> None:
    for found in in_two_processes(_moments_of_a_share):
        assert_reference({name: torch.tensor(value, dtype=torch.float64) for name, value in found.items()})


def test_an_empty_batch_changes_nothing() -> None:
    metric = LayerMoments([U] * L, R)
    for part in (slice(0, 0), slice(0, B), slice(0, 0)):
        metric.update(batch(part))
    assert_reference(metric.compute())


def test_without_samples_there_is_no_number() -> None:
    metric = LayerMoments([U] * L, R)
    metric.update(batch(slice(0, 0)))
    assert all(value.isnan().all() for value in metric.compute().values())


def test_forward_gives_the_batchs_moments_and_goes_on_counting() -> None:
    metric, alone = LayerMoments([U] * L, R), LayerMoments([U] * L, R)
    first = metric(list(batch(slice(0, 32))))
    alone.update(batch(slice(0, 32)))
    torch.testing.assert_close(first, alone.compute(), rtol=0, atol=0)
    metric(list(batch(slice(32, 40))))
    metric.update(batch(slice(40, B)))
    assert_reference(metric.compute())


def test_four_metrics_merge_into_the_moments_of_all() -> None:
    shares = [LayerMoments([U] * L, R) for _ in range(4)]
    for metric, part in zip(shares, (slice(0, 32), slice(32, 33), slice(33, 33), slice(33, B)), strict=True):
        metric.update(batch(part))
    for other in shares[1:]:
        shares[0].merge_state(other)
    assert_reference(shares[0].compute())


@pytest.mark.parametrize(
    ("shape", "unit_axis", "unit_dim"),
    [((5, 7), 1, None), ((5, 6, 7), 2, None), ((5, 7, 6), 1, 2), ((5, 7, 3, 4), 1, None), ((5, 3, 4, 7), 3, -1)],
    ids=["features", "tokens", "channels, length", "channels, height, width", "channels last"],
)
def test_layers_may_have_any_shape(shape: tuple[int, ...], unit_axis: int, unit_dim: int | None) -> None:
    source = torch.Generator().manual_seed(4)
    x = torch.randn(1, *shape, generator=source) + torch.arange(shape[0]).view(1, -1, *[1] * (len(shape) - 1))
    y_RBU = torch.randn(1, 5, 3, generator=source)
    metric = LayerMoments([7, 3])  # layers of different widths and counts
    metric.update([measure_layer(x, x, x, x, unit_dim=unit_dim), measure_layer(y_RBU, y_RBU, y_RBU, y_RBU)])
    found = metric.compute()
    x_SU = np.moveaxis(x[0].double().numpy(), unit_axis, -1).reshape(-1, 7)
    expected = {"mean": x_SU.mean(), "variance": x_SU.var(), "unit_mean_sd": x_SU.mean(0).std()}
    expected["unit_variance_sd"] = x_SU.var(0).std()
    expected |= {"kurtosis": kurtosis(x_SU, axis=None, fisher=False), "cosine": mean_cosine(x_SU)}
    for name, value in expected.items():
        assert found[f"activation_{name}"][0, 0].item() == pytest.approx(value, rel=1e-12)
    assert found["gradient_second_moment"][0, 0].item() == pytest.approx((x_SU**2).mean(), rel=1e-12)
    assert found["activation_mean"][0, 1].item() == pytest.approx(y_RBU.double().mean().item(), rel=1e-12)


def test_a_gaussian_layer_has_kurtosis_3_and_independent_samples_no_common_direction() -> None:
    z_RBU = torch.randn(1, 400, 100, generator=torch.Generator().manual_seed(5))
    metric = LayerMoments([100])
    metric.update([measure_layer(z_RBU, z_RBU.relu(), z_RBU, z_RBU)])
    found = metric.compute()
    error = (24 / 40_000) ** 0.5  # standard error of the kurtosis of a Gaussian
    assert found["preactivation_kurtosis"].item() == pytest.approx(3, abs=4 * error)
    # 79,800 pairs, each of standard deviation 1/10; ReLU's cosine is E[f]^2 / E[f^2] = 1 / pi
    assert found["preactivation_cosine"].item() == pytest.approx(0, abs=4 * 0.1 / 79_800**0.5)
    assert found["activation_cosine"].item() == pytest.approx(1 / np.pi, abs=0.01)


def test_moments_leave_what_they_measure_as_it_is() -> None:
    x_RBU = Z[0].double()  # no conversion to work on
    unit_moments(x_RBU)
    assert torch.equal(x_RBU, Z[0].double())


# Resident MiB that the moments of 32 layers add: each works on one copy of 0.5 MiB in float64, 64 in turn
GROWTH = """
import resource
import torch
from selfnorm.networks.moments import LayerMoments, measure_layer
from selfnorm.training.machine import keep_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

keep_freed_memory()
layers = [torch.randn(4, 128, 128) for _ in range(32)]
LayerMoments([128], 4).update([measure_layer(*layers[:1] * 4)])  # code is loaded, threads started
metric = LayerMoments([128] * 32, 4)
before = resident()
metric.update(measure_layer(x, x, x, x) for x in layers)
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from Linux's /proc")
def test_memory_of_the_moments_does_not_grow_with_the_layers() -> None:
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, timeout=100, check=True)
    assert float(done.stdout) < 20
