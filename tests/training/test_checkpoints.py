"""A checkpoint executes nothing and goes on only in the run that wrote it, whole; else one line says what is wrong."""

from __future__ import annotations

import io
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from composed import compose_job
from safetensors.torch import load_file

from selfnorm import config
from selfnorm.runs.layout import CHECKPOINT
from selfnorm.training import job as job_module
from selfnorm.training.checkpoints import CheckpointRefused
from selfnorm.training.command import attempt
from selfnorm.training.job import run_job

State = dict[str, Any]
Capsys = pytest.CaptureFixture[str]


def compose(runs_dir: Path, *overrides: str) -> config.Job:
    return compose_job("dataset=digits", "scale=smoke", "model.depth=2", "logger.mode=disabled", "progress=false",
                       "training.checkpoint_seconds=0", f"runs_dir={runs_dir}", *overrides)  # fmt: skip


class StopBeforeTheEnd(pl.Callback):
    def on_train_epoch_start(self, trainer: pl.Trainer, module: Any) -> None:
        if trainer.current_epoch == 1:
            raise RuntimeError("stopped by the test")


TABLES = ("curves.csv", "moments.csv")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of `compose`'s job without overrides, after its first epoch of two."""
    job = compose(tmp_path_factory.mktemp("stopped"))
    make = job_module.make_trainer
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job_module, "make_trainer", lambda job, calls: make(job, [*calls, StopBeforeTheEnd()]))
        with pytest.raises(RuntimeError, match="stopped by the test"):
            run_job(job)
    return job.folder


@pytest.fixture
def checkpoint(stopped: Path) -> bytes:
    return (stopped / CHECKPOINT).read_bytes()


def put(job: config.Job, content: bytes, tables: Path | None = None) -> Path:
    job.folder.mkdir(parents=True)
    (job.folder / CHECKPOINT).write_bytes(content)
    for name in TABLES if tables else ():
        shutil.copy(tables / name, job.folder)
    return job.folder / CHECKPOINT


def refused(job: config.Job, content: bytes) -> str:
    """The line that the checkpoint is refused with; it stays where it is and nothing is trained."""
    path = put(job, content)
    with pytest.raises(CheckpointRefused) as caught:
        run_job(job)
    assert attempt(job) == 2
    assert path.read_bytes() == content
    assert not (job.folder / "curves.csv").exists()
    said = str(caught.value)
    assert said.isprintable()
    assert "delete checkpoint.ckpt to start this run afresh" in said
    return said


def edited(checkpoint: bytes, edit: Callable[[State], object]) -> bytes:
    state: State = torch.load(io.BytesIO(checkpoint), weights_only=True)
    edit(state)
    content = io.BytesIO()
    torch.save(state, content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("override", "difference"),
    [
        ("optimizer.lr=0.001", "optimizer.lr=1e-05 there, 0.001 here"),
        ("seeds=[0,2]", "seeds=[0, 1] there, [0, 2] here"),
        ("optimizer=adam", "optimizer.name=sgd there, adam here"),
        ("model.width=31", "model.width=32 there, 31 here"),
        ("activation=relu", "activation.name=selu there, relu here"),
        ("training.epochs=3", "training.epochs=2 there, 3 here"),
        ("tag=other", "tag=default there, other here"),
    ],
)
def test_a_checkpoint_of_another_configuration_is_refused_with_the_difference(
    override: str, difference: str, checkpoint: bytes, tmp_path: Path
) -> None:
    assert difference in refused(compose(tmp_path, override), checkpoint)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch taken",)


@pytest.mark.parametrize("where", ["state_dict", "callbacks", "loops"])
def test_a_checkpoint_that_would_run_a_program_is_refused(
    where: str, checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = edited(checkpoint, lambda state: state[where].update(bomb=Bomb()))
    refused(compose(tmp_path / "runs"), content)
    assert not (tmp_path / "taken").exists()
    torch.load(io.BytesIO(content), weights_only=False)
    assert (tmp_path / "taken").exists()  # so it was live


EDITS: dict[str, Callable[[State], object]] = {
    "no record of its configuration": lambda state: state["callbacks"].pop("Checkpointer"),
    "a weight missing": lambda state: state["state_dict"].popitem(),
    "a weight of another shape": lambda state: state["state_dict"].update(
        {"network.output.bias_R1O": torch.zeros(2, 1, 3)}
    ),
    "no optimizer": lambda state: state.pop("optimizer_states"),
    "no count of its steps": lambda state: state.pop("loops"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_checkpoint_with_a_part_missing_is_refused(edit: str, checkpoint: bytes, tmp_path: Path) -> None:
    refused(compose(tmp_path), edited(checkpoint, EDITS[edit]))


def test_a_checkpoint_that_is_cut_off_is_refused(checkpoint: bytes, tmp_path: Path) -> None:
    draw = random.Random(0)
    for number in range(10):
        refused(compose(tmp_path / str(number)), checkpoint[: draw.randrange(len(checkpoint))])


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "a row less": lambda table: b"".join(table.splitlines(keepends=True)[:1] + table.splitlines(keepends=True)[2:]),
    "a line that is no row": lambda table: table + b"hello,world\n",
    "bytes that are no text": lambda table: table + b"\xff\xfe\n",
    "a digit changed": lambda table: table.replace(b"\n0,0,0,", b"\n0,0,1,", 1),
    "no line at all": lambda table: b"",
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_run_whose_table_was_changed_after_the_checkpoint_does_not_go_on(
    change: str, name: str, stopped: Path, checkpoint: bytes, tmp_path: Path, capsys: Capsys
) -> None:
    job = compose(tmp_path)
    put(job, checkpoint, stopped)
    table = job.folder / name
    table.write_bytes(changed := CHANGES[change](table.read_bytes()))
    assert attempt(job) == 2
    said = capsys.readouterr().err
    assert f"{name} in {job.folder} changed since {CHECKPOINT} was written; put back" in said
    assert said.count("\n") == 1
    assert table.read_bytes() == changed
    table.unlink()
    assert attempt(job) == 2
    (job.folder / CHECKPOINT).unlink()
    assert attempt(job) == 0  # as it says


def test_a_flipped_bit_in_a_checkpoint_changes_no_number(stopped: Path, checkpoint: bytes, tmp_path: Path) -> None:
    undisturbed = compose(tmp_path / "undisturbed")
    run_job(undisturbed)
    draw = random.Random(0)
    for number in range(20):
        content = bytearray(checkpoint)
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        job = compose(tmp_path / str(number))
        put(job, bytes(content), stopped)
        try:
            run_job(job)
        except CheckpointRefused:
            continue
        else:  # a bit between the parts of the file, which mean nothing
            ours, theirs = (load_file(job.folder / "network.safetensors") for job in (job, undisturbed))
            assert all(ours[name].equal(theirs[name]) for name in ours)
