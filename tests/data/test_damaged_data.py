"""A damaged cache and a source that fails too: nothing wrong is used, the good files survive, the message helps."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest
from data.stand_ins import TEST_LABELS, TRAIN_LABELS, Contents, LoopbackServer, gz, put, send

from selfnorm.data import fetching
from selfnorm.data.cache import DataUnavailable
from selfnorm.data.sources import mirror
from selfnorm.data.splits import load_splits

NAME, OTHER = TEST_LABELS, TRAIN_LABELS


def swap(path: Path) -> None:
    other = path.with_name(OTHER)
    ours, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs), other.write_bytes(ours)


def replace_by_link(path: Path, *, dangling: bool) -> None:
    target = path.parent.parent / "elsewhere"
    target.write_bytes(path.read_bytes()[:-1])
    path.unlink()
    path.symlink_to(target)
    if dangling:
        target.unlink()


def overwrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "truncated": partial(overwrite, change=lambda whole: whole[:5000]),
    "bit-flipped": partial(overwrite, change=lambda whole: whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:]),
    "empty": partial(overwrite, change=lambda whole: b""),
    "one byte longer": partial(overwrite, change=lambda whole: whole + b"\0"),
    "swapped with another": swap,
    "a link to a truncated file": partial(replace_by_link, dangling=False),
    "a link to nothing": partial(replace_by_link, dangling=True),
    "missing": Path.unlink,
}


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow beyond 1000 bytes; Python has SIGXFSZ ignored, so a write fails."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


FAILURES: dict[str, str] = {  # of the server: words of the reason
    "stops half-way": "stopped half-way",
    "answers with a web page": "not a whole gzip file",
    "sends a file of another size": "bytes instead of",
    "sends a file with one bit changed": "has SHA-256",
    "has no such file": "answered 404",
    "works, but the disk is full": "File too large",
}


def set_up(server: LoopbackServer, failure: str, whole: bytes) -> None:
    path = f"/{NAME}.gz"
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    server.answers = {
        "stops half-way": {path: lambda handler: send(handler, gz(whole)[:800], promised=len(gz(whole)))},
        "answers with a web page": {path: b"<html><body>Please log in to this network</body></html>"},
        "sends a file of another size": {path: gz(whole[:-1])},
        "sends a file with one bit changed": {path: gz(flipped)},
        "has no such file": {},
        "works, but the disk is full": {path: gz(whole)},
    }[failure]


@pytest.mark.parametrize("failure", FAILURES)
def test_nothing_wrong_is_used_and_what_is_good_survives(
    failure: str,
    idx_contents: Contents,
    server: LoopbackServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],  # in memory: else what is printed would be a file on the full disk
) -> None:
    monkeypatch.setattr(fetching, "sources_for", lambda dataset, data_dir: [mirror(dataset, server.url)])
    for damage, apply in DAMAGES.items():
        folder = tmp_path / damage / "mnist"
        put(folder, idx_contents)
        apply(folder / NAME)
        damaged = {NAME, OTHER} if damage == "swapped with another" else {NAME}
        set_up(server, failure, idx_contents[NAME])
        server.answers[f"/{OTHER}.gz"] = gz(idx_contents[OTHER])
        with full_disk() if "full" in failure else nullcontext(), pytest.raises(DataUnavailable) as caught:
            load_splits("mnist", data_dir=folder.parent)
        said = str(caught.value)
        assert FAILURES[failure] in said
        assert (damage == "missing") == (f"{folder / NAME}: " not in said)
        assert f"Put these files into {folder} by hand" in said
        assert "dataset=digits" in said
        for name in idx_contents.keys() - damaged:
            assert (folder / name).read_bytes() == idx_contents[name]
        assert not list(folder.glob(".fetch-*"))
        server.answers = {f"/{name}.gz": gz(content) for name, content in idx_contents.items()}
        loaded = load_splits("mnist", data_dir=folder.parent)  # the next try, with a server that works
        assert loaded.test.y_N.tolist() == list(idx_contents[NAME][8:])
