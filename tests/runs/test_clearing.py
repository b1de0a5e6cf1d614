"""overwrite=true: the old run is gone whole or left as it was, and links are removed as links."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from selfnorm import config
from selfnorm.training.command import attempt

Make = Callable[..., config.Job]


@pytest.fixture
def again(make_job: Make, tmp_path: Path) -> config.Job:
    """A run that is there and is asked for once more."""
    job = make_job("model.depth=2", "model.width=8")
    assert attempt(job) == 0
    return job.model_copy(update={"overwrite": True})


def test_links_in_the_old_run_are_removed_as_links(again: config.Job, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/mine").touch()
    (again.folder / "wandb").symlink_to(tmp_path / "elsewhere")
    (again.folder / "dangling").symlink_to("nowhere")
    assert attempt(again) == 0
    assert sorted(os.listdir(again.folder)) == [
        ".lock", "config.yaml", "curves.csv", "environment.json", "moments.csv", "network.safetensors", "summary.json",
    ]  # fmt: skip
    assert os.listdir(tmp_path / "elsewhere") == ["mine"]


def test_an_old_run_that_cannot_be_removed_is_left_as_it_was(
    again: config.Job, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.read_bytes() for path in again.folder.iterdir()}
    rename = Path.rename

    def refuse_one(self: Path, target: Any) -> Path:
        if self.name == "moments.csv":
            raise PermissionError(13, "Permission denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_one)
    assert attempt(again) == 2
    said = capfd.readouterr().err.splitlines()[-1]
    assert said.endswith("moments.csv cannot be removed (permission denied): the old run is left as it was")
    assert {path.name: path.read_bytes() for path in again.folder.iterdir()} == before
