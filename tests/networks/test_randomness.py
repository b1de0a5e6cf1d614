"""Random streams: each purpose, seed and counter has numbers of its own; no dropout mask is drawn twice in a run."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pandas as pd
import pytest
import torch

from selfnorm import config
from selfnorm.networks.randomness import Masks, Purpose, generator
from selfnorm.training.job import run_job

NUM_DRAWS = 4000


def test_streams_of_different_purposes_seeds_and_counters_are_independent() -> None:
    streams = [(seed, purpose, counter) for seed in (0, 1) for purpose in Purpose for counter in (0, 1)]
    draws = torch.stack([torch.randn(NUM_DRAWS, generator=generator(*stream)) for stream in streams])
    correlations = torch.corrcoef(draws).fill_diagonal_(0)
    assert correlations.abs().max() < 6 / NUM_DRAWS**0.5  # six standard errors: 780 pairs, one false alarm in 10^6


def test_a_stream_repeats() -> None:
    first, second = (torch.randn(5, generator=generator(3, Purpose.ORDER, 7)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("dropout", ["standard", "alpha"])
def test_no_two_forward_passes_of_a_run_share_a_mask(
    dropout: str, make_job: Callable[..., config.Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Purpose, torch.Tensor]] = []
    keep = Masks.keep

    def remembering(self: Masks, like_RBF: torch.Tensor, rate: float) -> torch.Tensor:
        mask_RBF = keep(self, like_RBF, rate)
        drawn.extend((self.purpose, mask_BF) for mask_BF in mask_RBF)
        return mask_RBF

    monkeypatch.setattr(Masks, "keep", remembering)
    # 1280 samples: the training error takes two chunks; two batches of samples for the moments
    network = ("activation=selu", "model.depth=2", "model.width=16", f"dropout={dropout}", "dropout.rate=0.4")
    run_job(make_job(*network, "dataset.train_limit=null", "training.epochs=2", "recording.samples=256"))
    assert {purpose for purpose, _ in drawn} == {
        Purpose.TRAINING_DROPOUT, Purpose.ERROR_DROPOUT, Purpose.PROBE_DROPOUT,
    }  # fmt: skip
    starts = {bytes(mask_BF.flatten()[:1024].numpy()) for _, mask_BF in drawn}
    assert len(starts) == len(drawn)


def test_dropout_of_the_training_error_and_of_the_moments_changes_from_step_to_step(
    make_job: Callable[..., config.Job],
) -> None:
    # At this rate of learning the network stays as it is to rounding: what moves the numbers is the mask
    dropout = ("activation=relu", "dropout=standard", "dropout.rate=0.3", "optimizer.lr=1e-12", "model.depth=2")
    job = make_job(*dropout, "training.epochs=3", "recording.every=1")
    run_job(job)
    for table, column in (("curves.csv", "loss"), ("moments.csv", "activation_variance")):
        rows = _rows(job, table, column)
        for one, other in combinations(rows, 2):
            assert abs(one / other - 1) > 1e-5
    still = make_job(*dropout, "dropout.rate=0", "training.epochs=3")
    run_job(still)
    for loss in (rows := _rows(still, "curves.csv", "loss")):
        assert loss == pytest.approx(rows[0], rel=1e-6)


def _rows(job: config.Job, table: str, column: str) -> list[float]:
    """One number per recorded step: of the first seed's training error, or of its second layer."""
    rows = pd.read_csv(job.folder / table)
    rows = rows[rows["seed"] == job.seeds[0]]
    return rows[rows["split"] == "train" if "split" in rows else rows["layer"] == 2][column].tolist()
