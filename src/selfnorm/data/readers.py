"""Readers of the four formats: a path goes in; uint8 features (N, F) and int64 labels (N,) come out.

Whatever is wrong with a file, CorruptFile (a ValueError) is the only error besides OSError, and memory stays
bounded by the size of the file (or of one fixed-size sheet), whatever its header promises.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from selfnorm.data.catalogue import CIFAR_RECORD_BYTES, NUM_CLASSES, CorruptFile

UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]
SHEET_WIDTH, SHEET_HEIGHT = 32 * 32, 10_000  # pixels: one CIFAR image per row
ALL = slice(None)
MAX_LABELS_BYTES = 1 << 20  # 50 000 labels as JSON are 100 kB


def read_idx_images(path: Path, samples: slice = ALL) -> UInt8:
    """Images of an IDX file, flattened row by row: (N, rows * columns), 0 to 255; no others are read."""
    values = _read_idx(path, samples, num_dimensions=3)
    return values.reshape(len(values), -1)


def read_idx_labels(path: Path, samples: slice = ALL) -> Int64:
    """Labels of an IDX file, each checked to be a class: (N,)."""
    return _checked_labels(_read_idx(path, samples, num_dimensions=1), path)


def _read_idx(path: Path, samples: slice, *, num_dimensions: int) -> UInt8:
    """IDX: bytes 0, 0, type (8: unsigned byte), number of dimensions; big-endian 32-bit sizes; the values."""
    size = path.stat().st_size
    header_bytes = 4 + 4 * num_dimensions
    with path.open("rb") as file:
        header = file.read(header_bytes)
        if len(header) < header_bytes:
            raise CorruptFile(f"{path}: {size} bytes are too few for an IDX header of {header_bytes}")
        if header[:4] != bytes((0, 0, 8, num_dimensions)):
            raise CorruptFile(
                f"{path}: begins with {header[:4].hex()} instead of 000008{num_dimensions:02x} (IDX, bytes)"
            )
        shape = tuple(int.from_bytes(header[i : i + 4], "big") for i in range(4, header_bytes, 4))
        num_values = 1
        for length in shape:
            num_values *= length  # Python integers: three sizes of 2^32 - 1 do not overflow
        # Before anything is allocated: a header can promise 2^31 images.
        if num_values == 0 or size != header_bytes + num_values:
            raise CorruptFile(f"{path}: header promises shape {shape}, which does not fit {size} bytes")
        start, stop, _ = samples.indices(shape[0])
        sample_bytes = num_values // shape[0]
        count = max(0, stop - start) * sample_bytes
        values = np.fromfile(file, dtype=np.uint8, count=count, offset=start * sample_bytes)
    if values.size != count:
        raise CorruptFile(f"{path}: shrank while it was read")
    return values.reshape(-1, *shape[1:])


def read_cifar_batch(path: Path) -> tuple[UInt8, Int64]:
    """CIFAR-10 binary file: features (N, 3072: red, green, blue plane of 32 x 32 each) and labels (N,)."""
    size = path.stat().st_size
    if size == 0 or size % CIFAR_RECORD_BYTES:
        raise CorruptFile(f"{path}: {size} bytes are not a whole number of records of {CIFAR_RECORD_BYTES} bytes")
    records = np.fromfile(path, dtype=np.uint8, count=size)
    if records.size != size:
        raise CorruptFile(f"{path}: shrank while it was read")
    records = records.reshape(-1, CIFAR_RECORD_BYTES)
    return records[:, 1:], _checked_labels(records[:, 0], path)


def read_cifar_sheet(path: Path) -> UInt8:
    """CIFAR-10 PNG sheet (a row is one image, pixels in row-major order): (10 000, 3072), by planes."""
    from PIL import Image

    _check_png_header(path)
    try:
        with Image.open(path, formats=["PNG"]) as image:
            pixels = np.asarray(image)
    # Pillow documents no closed set of errors for a damaged file (OSError, SyntaxError, zlib.error ...).
    except Exception as error:
        raise CorruptFile(f"{path}: not a readable PNG ({error})") from error
    if pixels.shape != (SHEET_HEIGHT, SHEET_WIDTH, 3) or pixels.dtype != np.uint8:
        raise CorruptFile(f"{path}: decodes to {pixels.shape} of {pixels.dtype}")
    return pixels.transpose(0, 2, 1).reshape(SHEET_HEIGHT, 3 * SHEET_WIDTH)


def _check_png_header(path: Path) -> None:
    # Read by hand before Pillow sees the file: no other size is ever decoded, whatever it would inflate to.
    with path.open("rb") as file:
        header = file.read(26)
    # signature; chunk of 13 bytes; IHDR; width, height; 8 bits; colour type 2 = RGB
    expected = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR"
    expected += SHEET_WIDTH.to_bytes(4, "big") + SHEET_HEIGHT.to_bytes(4, "big") + bytes((8, 2))
    if header != expected:
        raise CorruptFile(f"{path}: not an RGB PNG of {SHEET_WIDTH} x {SHEET_HEIGHT} pixels")


def read_json_labels(path: Path, *, num_labels: int) -> UInt8:
    """A JSON list of `num_labels` class numbers: (num_labels,)."""
    size = path.stat().st_size
    if size > MAX_LABELS_BYTES:
        raise CorruptFile(f"{path}: {size} bytes are too many for a list of {num_labels} labels")
    try:
        labels = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise CorruptFile(f"{path}: not JSON ({error})") from error
    if not isinstance(labels, list) or len(labels) != num_labels:
        raise CorruptFile(f"{path}: not a list of {num_labels} labels")
    if not all(type(label) is int and 0 <= label < NUM_CLASSES for label in labels):  # type: True is no label
        raise CorruptFile(f"{path}: labels must be integers from 0 to {NUM_CLASSES - 1}")
    return np.array(labels, dtype=np.uint8)


def read_digits() -> tuple[UInt8, Int64]:
    """scikit-learn's bundled digits: features (1797, 64), 0 to 16; labels (1797,). No download."""
    from sklearn.datasets import load_digits  # a second of imports that only this data set needs

    features, labels = load_digits(return_X_y=True)
    return features.astype(np.uint8), labels.astype(np.int64)


def _checked_labels(labels: UInt8, path: Path) -> Int64:
    if labels.max() >= NUM_CLASSES:
        raise CorruptFile(f"{path}: label {labels.max()} is not a class from 0 to {NUM_CLASSES - 1}")
    return labels.astype(np.int64)
