"""Fixtures of the data room: small canonical files in place of the real ones, and a loopback server."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from stand_ins import Contents, LoopbackServer, canonical, idx_bytes

from selfnorm.data import catalogue, transfer


@pytest.fixture
def idx_contents(monkeypatch: pytest.MonkeyPatch) -> Contents:
    """The four files of `mnist` with as many images as the real ones, of 2 x 2 pixels; declared canonical."""
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, size=(70_000, 2, 2))
    images[:60_000, 0, 1] = 7  # a feature that is constant in training, and not in the test split
    labels = rng.integers(0, 10, size=70_000)
    contents = {
        catalogue.TRAIN_IMAGES: idx_bytes(images[:60_000]),
        catalogue.TRAIN_LABELS: idx_bytes(labels[:60_000]),
        catalogue.TEST_IMAGES: idx_bytes(images[60_000:]),
        catalogue.TEST_LABELS: idx_bytes(labels[60_000:]),
    }
    monkeypatch.setitem(catalogue.FILES, "mnist", canonical(contents))
    return contents


@pytest.fixture
def cifar_contents(monkeypatch: pytest.MonkeyPatch) -> Contents:
    """The six files of `cifar10` with 7 records each, batch b labelled b throughout; declared canonical."""
    rng = np.random.default_rng(2)
    contents = {}
    for batch, name in enumerate((*catalogue.CIFAR_TRAIN_BATCHES, catalogue.CIFAR_TEST_BATCH), 1):
        records = rng.integers(0, 256, size=(7, catalogue.CIFAR_RECORD_BYTES), dtype=np.uint8)
        records[:, 0] = batch
        contents[name] = records.tobytes()
    monkeypatch.setitem(catalogue.FILES, "cifar10", canonical(contents))
    return contents


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackServer]:
    """Plain http on the loopback, which only these tests allow, with a short time-out."""
    monkeypatch.setattr(transfer, "TLS_SCHEMES", ("http",))
    monkeypatch.setattr(transfer, "ANSWER_TIMEOUT_S", 0.5)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with LoopbackServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.release.set()
        running.shutdown()
        thread.join()
