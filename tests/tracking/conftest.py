"""A process whose W&B state is fresh, and one that talks to a fake server."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest
import wandb
from tracking.fake_wandb import KEY, FakeWandb

with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):  # its own, of pydantic, at import
    import wandb_workspaces.reports.v2  # noqa: F401


@pytest.fixture(autouse=True)
def fresh_wandb(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """W&B reads the environment once per process; each test has its own."""
    for name in ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_PROJECT", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWandb]:
    with FakeWandb() as fake:
        monkeypatch.setenv("WANDB_BASE_URL", fake.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.delenv("WANDB_MODE", raising=False)
        yield fake
        wandb.teardown()  # before the server goes: it would be waited for
