"""Killed, stopped or out of disk at a place of our choosing: the same command goes on and nothing differs afterwards.

Real processes (forked from one that has imported everything) and real signals; random moments are in test_soak.py.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tools.fork_server import ForkServer
from tracking.read_back import read_one
from training.crashing import MODULES, Files, check_finishes, files, half_files, train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# where: (file, function, which calls of it); files.py's `replace` moves config, environment, summary, the two tables
# and then, after each epoch, the checkpoint; its `append` writes curves (odd calls) and moments (even calls)
PLACES = {
    "before any file is there": ("training/job.py", "_train_and_record", (1,)),
    "while config.yaml, environment.json and summary.json are written": ("runs/files.py", "replace", (1, 2, 3)),
    "while the tables are begun": ("runs/files.py", "replace", (4, 5)),
    "in a training step, before and after the first checkpoint": ("training/module.py", "training_step", (2, 7, 30)),
    "in the training-error pass": ("training/passes.py", "training_error", (1, 2, 9)),
    "while moments are taken": ("training/passes.py", "layer_moments", (1, 5)),
    "before rows go to curves.csv": ("runs/files.py", "append", (1, 3, 21)),
    "between the rows of curves.csv and of moments.csv": ("runs/files.py", "append", (2, 8)),
    "before a checkpoint is written": ("training/checkpoints.py", "save_checkpoint", (1, 6)),
    "before a checkpoint that is written replaces the last": ("runs/files.py", "replace", (6, 7, 15)),
    "in the last measurement": ("training/recording.py", "on_train_end", (1,)),
    "in finish, before the weights are written": ("safetensors/torch.py", "save", (1,)),
    "in finish, before the summary": ("training/recording.py", "summary", (1,)),
    "in finish, between the summary and the removal of the checkpoint": ("pathlib.py", "unlink", (1,)),
}  # fmt: skip
IN_FIT = ("in a training step, before and after the first checkpoint", "in the training-error pass",
          "between the rows of curves.csv and of moments.csv", "before a checkpoint is written")  # fmt: skip


class Half(NamedTuple):
    """A file that a write is cut off in, after so many bytes."""

    name: str
    num_bytes: int
    overrides: tuple[str, ...]
    place: tuple[Any, ...]
    undisturbed: Files


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    with ForkServer(*MODULES) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Files:
    cwd = tmp_path_factory.mktemp("undisturbed")
    ended = train(server, cwd)
    assert ended.code == 0, ended
    return files(cwd)


@pytest.mark.parametrize("place", PLACES)
def test_a_run_killed_at_a_place_is_finished_by_the_same_command(
    place: str, server: ForkServer, undisturbed: Files, tmp_path: Path
) -> None:
    file, function, calls = PLACES[place]
    for call in calls:
        cwd = tmp_path / str(call)
        cwd.mkdir()
        assert train(server, cwd, fate=("die_in", file, function, call)).code == -signal.SIGKILL
        check_finishes(server, cwd, undisturbed)


@pytest.mark.parametrize("place", IN_FIT)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_a_run_that_is_stopped_says_so_and_goes_on(
    number: signal.Signals, code: int, place: str, server: ForkServer, undisturbed: Files, tmp_path: Path
) -> None:
    file, function, calls = PLACES[place]
    ended = train(server, tmp_path, fate=("die_in", file, function, calls[-1], number))
    assert ended.code == code, ended
    assert ended.err.startswith("interrupted; the same command goes on from the last checkpoint: runs/default/digits/")
    assert ended.err.count("\n") == 1, ended
    check_finishes(server, tmp_path, undisturbed)


NO_CHECKPOINT = "training.checkpoint_seconds=1000"
HALF = {  # a size that this file is the first to pass, overrides that make it so, and since when it is the limit
    "config.yaml": (700, (), ()),
    "curves.csv": (1500, ("recording.every=100", NO_CHECKPOINT), ()),
    "moments.csv": (5000, (NO_CHECKPOINT,), ()),
    "checkpoint.ckpt": (25_000, (), ()),
    "network.safetensors": (20_000, ("recording.every=100", NO_CHECKPOINT), ()),
    "summary.json": (400, (), ("runs/files.py", "write_json", 3)),  # the last, after larger files
}


@pytest.fixture(params=HALF)
def half(request: pytest.FixtureRequest, server: ForkServer, tmp_path_factory: pytest.TempPathFactory) -> Half:
    num_bytes, overrides, place = HALF[request.param]
    cwd = tmp_path_factory.mktemp("calm")
    ended = train(server, cwd, *overrides)
    assert ended.code == 0, ended
    return Half(request.param, num_bytes, overrides, place, files(cwd))


def test_a_half_written_file_is_never_taken_for_a_whole_one(half: Half, server: ForkServer, tmp_path: Path) -> None:
    ended = train(server, tmp_path, *half.overrides, fate=("die_in_the_middle_of_a_write", half.num_bytes, *half.place))
    assert ended.code == -signal.SIGXFSZ, ended
    table = half.name.endswith(".csv")  # the others are written elsewhere and moved
    assert half_files(tmp_path, half.num_bytes) == [half.name if table else f".{half.name}.part"]
    check_finishes(server, tmp_path, half.undisturbed, *half.overrides)


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(half: Half, server: ForkServer, tmp_path: Path) -> None:
    ended = train(server, tmp_path, *half.overrides, fate=("full_disk", half.num_bytes, *half.place))
    assert ended.code == 1, ended
    assert ended.err.count("\n") == 1, ended
    assert f"{half.name}'; make room, and the same command goes on" in ended.err
    assert not list(tmp_path.rglob("*.part"))  # no byte of the scarce space is kept by what failed
    check_finishes(server, tmp_path, half.undisturbed, *half.overrides)


SMALL = ("logger.mode=offline", "recording.every=100", NO_CHECKPOINT, "model.width=4")  # every file but W&B's


@pytest.mark.parametrize(("num_bytes", "code"), [(4000, 1), (6000, 0)], ids=["then the weights'", "W&B's alone"])
def test_no_room_for_wandbs_own_files_is_no_traceback_and_costs_the_run_nothing(
    num_bytes: int, code: int, server: ForkServer, tmp_path: Path
) -> None:
    for name in ("calm", "full"):
        (tmp_path / name).mkdir()
    assert train(server, tmp_path / "calm", *SMALL).code == 0
    ended = train(server, tmp_path / "full", *SMALL, fate=("full_disk", num_bytes))
    assert ended.code == code, ended
    assert (found := list(tmp_path.glob("full/**/run-*.wandb")))
    assert found[0].stat().st_size == num_bytes
    said = ended.err.splitlines()
    assert any("scripts/upload.py" in line for line in said), ended
    if code:
        assert all(line.startswith("W&B: ") for line in said[:-1]), ended
        assert "network.safetensors'; make room, and the same command goes on" in said[-1]
        assert train(server, tmp_path / "full", *SMALL).code == 0
        calm, full = (read_one(next(tmp_path.glob(f"{name}/runs/*/*/*/*"))) for name in ("calm", "full"))
        assert [row["step"] for row in full.rows] == [row["step"] for row in calm.rows]
    calm_files, full_files = (
        {path: content for path, content in files(tmp_path / name).items() if "wandb" not in path}
        for name in ("calm", "full")
    )
    assert full_files == calm_files


def test_a_run_killed_while_it_is_cleared_to_train_again_does_not_count_as_finished(
    server: ForkServer, undisturbed: Files, tmp_path: Path
) -> None:
    for removed in range(1, 6):
        cwd = tmp_path / str(removed)
        cwd.mkdir()
        assert train(server, cwd).code == 0
        ended = train(server, cwd, "overwrite=true", fate=("die_in", "pathlib.py", "rename", 2 * removed))
        assert ended.code == -signal.SIGKILL
        check_finishes(server, cwd, undisturbed)


def test_a_killed_sweep_trains_only_what_is_missing(server: ForkServer, tmp_path: Path) -> None:
    sweep = ("-m", "optimizer.lr=1e-5,1e-4,1e-3")
    calm = tmp_path / "calm"
    calm.mkdir()
    ended = train(server, calm, *sweep)
    assert ended.code == 0, ended
    for call in (1, 18, 40):  # of 17 in a cell: in each of the three
        cwd = tmp_path / str(call)
        cwd.mkdir()
        ended = train(server, cwd, *sweep, fate=("die_in", "training/passes.py", "training_error", call))
        assert ended.code == -signal.SIGKILL
        ended = train(server, cwd, *sweep)
        assert ended.err.count("finished already") == (call - 1) // 17
        assert "3 of 3 cells are finished" in ended.err
        assert files(cwd) == files(calm)
