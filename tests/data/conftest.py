"""Fixtures of the data room: small canonical files in place of the real ones, and a loopback server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from data.stand_ins import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    Contents,
    LoopbackServer,
    canonical,
    idx_bytes,
)

from selfnorm.data import transfer
from selfnorm.data.datasets import CIFAR10, CIFAR_RECORD_BYTES, DATASETS, MNIST


@pytest.fixture
def idx_contents(monkeypatch: pytest.MonkeyPatch) -> Contents:
    """The four files of `mnist` with as many images as the real ones, of 2 x 2 pixels; declared in their place."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, size=(70_000, 2, 2))
    images[:60_000, 0, 1] = 7  # a feature that is constant in training, and not in the test split
    labels = rng.integers(0, 10, size=70_000)
    contents = {
        TRAIN_IMAGES: idx_bytes(images[:60_000]),
        TRAIN_LABELS: idx_bytes(labels[:60_000]),
        TEST_IMAGES: idx_bytes(images[60_000:]),
        TEST_LABELS: idx_bytes(labels[60_000:]),
    }
    monkeypatch.setitem(DATASETS, "mnist", replace(MNIST, num_inputs=4, files=canonical(contents)))
    return contents


@pytest.fixture
def cifar_contents(monkeypatch: pytest.MonkeyPatch) -> Contents:
    """The six files of `cifar10` with 7 records each, batch b labelled b throughout; declared in their place."""
    rng = np.random.default_rng(2)
    contents = {}
    for batch, file in enumerate(CIFAR10.files, 1):
        records = rng.integers(0, 256, size=(7, CIFAR_RECORD_BYTES), dtype=np.uint8)
        records[:, 0] = batch
        contents[file.name] = records.tobytes()
    small = replace(CIFAR10, num_train=28, num_validation=7, num_test=7, files=canonical(contents))
    monkeypatch.setitem(DATASETS, "cifar10", small)
    return contents


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    """Plain http on the loopback, with a short time-out."""
    monkeypatch.setattr(transfer, "ANSWER_TIMEOUT_S", 0.5)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with LoopbackServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.release.set()
        running.shutdown()
        thread.join()
