"""What each data set consists of: canonical file names, sizes, SHA-256; and the two errors of this room.

Constants only: imported where torch, numpy or the network need not be. The checksums are those of the
*content* in one layout (uncompressed IDX; the original CIFAR-10 binary files), so they hold whichever source
it came from.
"""

from __future__ import annotations

from dataclasses import dataclass


class DataUnavailable(RuntimeError):
    """No source could supply a data set; the message names each source, why it failed, and what to do."""


class CorruptFile(ValueError):
    """A file or archive is not what it should be: truncated, wrong header, wrong size, value out of range."""


@dataclass(frozen=True)
class CanonicalFile:
    """One file of the cache: its name in `data_dir/<data set>/`, its size in bytes, its SHA-256."""

    name: str
    size: int
    sha256: str


TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
CIFAR_TRAIN_BATCHES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
CIFAR_TEST_BATCH = "test_batch.bin"
CIFAR_RECORD_BYTES = 1 + 3 * 32 * 32  # label, then the red, green and blue plane of 32 x 32 each
CIFAR_BATCH_RECORDS = 10_000


def _idx_files(*sha256: str) -> tuple[CanonicalFile, ...]:
    # 16 bytes of header + 28 * 28 per image; 8 bytes of header + 1 per label
    names_sizes = (
        (TRAIN_IMAGES, 16 + 60_000 * 784),
        (TRAIN_LABELS, 8 + 60_000),
        (TEST_IMAGES, 16 + 10_000 * 784),
        (TEST_LABELS, 8 + 10_000),
    )
    return tuple(CanonicalFile(*pair, digest) for pair, digest in zip(names_sizes, sha256, strict=True))


def _cifar_files(*sha256: str) -> tuple[CanonicalFile, ...]:
    names = (*CIFAR_TRAIN_BATCHES, CIFAR_TEST_BATCH)
    size = CIFAR_BATCH_RECORDS * CIFAR_RECORD_BYTES
    return tuple(CanonicalFile(name, size, digest) for name, digest in zip(names, sha256, strict=True))


# Empty: comes with scikit-learn, nothing to fetch.
FILES: dict[str, tuple[CanonicalFile, ...]] = {
    "mnist": _idx_files(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
    "cifar10": _cifar_files(
        "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    ),
    "fashion_mnist": _idx_files(
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    "digits": (),
}
DATASETS = tuple(FILES)
NUM_CLASSES = 10  # of each of the four
