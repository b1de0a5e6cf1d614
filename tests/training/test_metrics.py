"""The training error against torchmetrics and torch: whole, in parts, and where a replica diverged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy

from selfnorm.training.module import cross_entropy
from selfnorm.training.passes import ReplicaError

R, B = 2, 96


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
