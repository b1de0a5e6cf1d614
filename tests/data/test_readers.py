"""Readers: known files are read as written; whatever else is in a file, only CorruptFile comes out."""

from __future__ import annotations

import contextlib
import io
import json
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hardening_record import Tried
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from stand_ins import idx_bytes

from selfnorm.data import readers
from selfnorm.data.catalogue import CIFAR_RECORD_BYTES, CorruptFile

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(3, 2, 5), dtype=np.uint8)
LABELS = np.array([0, 9, 4], dtype=np.uint8)
RECORDS = RNG.integers(0, 256, size=(3, CIFAR_RECORD_BYTES), dtype=np.uint8)
RECORDS[:, 0] = LABELS


def png_bytes(pixels: np.ndarray, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("readers") / "file"


@pytest.fixture(scope="module")
def sheet_pixels() -> np.ndarray:
    # A few rows differ, so that order matters; the rest is constant and quick to pack.
    pixels = np.zeros((readers.SHEET_HEIGHT, readers.SHEET_WIDTH, 3), dtype=np.uint8)
    pixels[:5] = RNG.integers(0, 256, size=(5, readers.SHEET_WIDTH, 3))
    return pixels


@pytest.fixture(scope="module")
def sheet(sheet_pixels: np.ndarray) -> bytes:
    return png_bytes(sheet_pixels)


def read_json_labels(path: Path) -> np.ndarray:
    return readers.read_json_labels(path, num_labels=3)


def test_idx_images_are_flattened_in_row_major_order(file: Path) -> None:
    file.write_bytes(idx_bytes(IMAGES))
    images = readers.read_idx_images(file)
    assert images.shape == (3, 10)
    assert images[1, 7] == IMAGES[1, 1, 2]  # row 1, column 2 of 5
    assert images.tobytes() == IMAGES.tobytes()


def test_idx_labels_are_read_as_int64(file: Path) -> None:
    file.write_bytes(idx_bytes(LABELS))
    labels = readers.read_idx_labels(file)
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 9, 4]


def test_cifar_batch_separates_label_and_planes(file: Path) -> None:
    file.write_bytes(RECORDS.tobytes())
    features, labels = readers.read_cifar_batch(file)
    assert labels.tolist() == [0, 9, 4]
    assert features.shape == (3, 3072)
    assert features[2, 1024] == RECORDS[2, 1 + 1024]  # the first green value


def test_cifar_sheet_is_reordered_from_pixels_to_planes(file: Path, sheet: bytes, sheet_pixels: np.ndarray) -> None:
    file.write_bytes(sheet)
    features = readers.read_cifar_sheet(file)
    assert features.shape == (10_000, 3072)
    for colour in range(3):  # a plain loop as the reference
        plane = [sheet_pixels[3, pixel, colour] for pixel in range(1024)]
        assert features[3, 1024 * colour : 1024 * (colour + 1)].tolist() == plane
    assert not features[5:].any()


def test_json_labels_are_read(file: Path) -> None:
    file.write_text("[3, 0, 9]")
    assert read_json_labels(file).tolist() == [3, 0, 9]


def test_digits_are_1797_samples_of_64_integers_up_to_16() -> None:
    features, labels = readers.read_digits()
    assert features.shape == (1797, 64)
    assert (features.min(), features.max()) == (0, 16)
    assert np.bincount(labels).min() > 170


BAD_IDX_IMAGES = {
    "empty": b"",
    "truncated header": idx_bytes(IMAGES)[:15],
    "truncated values": idx_bytes(IMAGES)[:-1],
    "one byte too many": idx_bytes(IMAGES) + b"\0",
    "bit-flipped magic": b"\x01" + idx_bytes(IMAGES)[1:],
    "type of 32-bit integers": b"\0\0\x0c\x03" + idx_bytes(IMAGES)[4:],
    "labels instead": idx_bytes(np.zeros(20)),
    "2^31 images": b"\0\0\x08\x03" + (2**31).to_bytes(4, "big") + 2 * (28).to_bytes(4, "big"),
    "sizes that overflow 64 bits to 0": b"\0\0\x08\x03" + 3 * (2**22).to_bytes(4, "big"),
    "no images": b"\0\0\x08\x03" + bytes(12),
    "a web page": b"<!doctype html><html><body>Not found</body></html>",
}
BAD_IDX_LABELS = {
    "label 10": idx_bytes(np.array([1, 10])),
    "no labels": idx_bytes(np.zeros(0)),
    "images instead": idx_bytes(IMAGES),
}
BAD_CIFAR = {
    "empty": b"",
    "truncated": RECORDS.tobytes()[:-1],
    "label 10": bytes((10,)) + bytes(CIFAR_RECORD_BYTES - 1),
}
BAD_JSON_LABELS = {
    "empty": b"",
    "too few": b"[1, 2]",
    "too many": b"[1, 2, 3, 4]",
    "out of range": b"[1, 2, 10]",
    "negative": b"[1, 2, -1]",
    "a fraction": b"[1, 2, 3.0]",
    "a truth value": b"[1, 2, true]",
    "an object": b'{"0": 1, "1": 2, "2": 3}',
    "not UTF-8": b"[1, 2, \xff]",
    "nested without end": b"[" * 100_000,
    "a number of 5000 digits": b"[1, 2, " + b"1" * 5000 + b"]",
    "larger than any list of labels": b" " * (2 << 20),
}
CASES = [
    pytest.param(read, content, id=f"{read.__name__}: {what}")
    for read, cases in (
        (readers.read_idx_images, BAD_IDX_IMAGES),
        (readers.read_idx_labels, BAD_IDX_LABELS),
        (readers.read_cifar_batch, BAD_CIFAR),
        (read_json_labels, BAD_JSON_LABELS),
    )
    for what, content in cases.items()
]


@pytest.mark.parametrize(("read", "content"), CASES)
def test_malformed_file_is_refused_with_its_name(
    file: Path, read: Callable[[Path], object], content: bytes, tried: Tried
) -> None:
    file.write_bytes(content)
    with pytest.raises(CorruptFile, match=str(file)):
        read(file)
    tried("Readers", f"malformed file for {read.__name__}", "CorruptFile, with the file's name")


def test_header_promising_2_to_31_images_allocates_nothing(file: Path, tried: Tried) -> None:
    file.write_bytes(BAD_IDX_IMAGES["2^31 images"])
    tracemalloc.start()
    with pytest.raises(CorruptFile):
        readers.read_idx_images(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20  # numpy's arrays are traced: the promised ones would be 1.6 TB
    tried("Readers", "header that promises 2^31 images", "refused with less than 1 MB allocated")


@pytest.mark.parametrize("pixels", [(readers.SHEET_HEIGHT - 1, 1024, 3), (readers.SHEET_HEIGHT, 1023, 3), (8, 8, 3)])
def test_sheet_of_another_size_is_refused_before_it_is_decoded(
    file: Path, pixels: tuple[int, ...], monkeypatch: pytest.MonkeyPatch, tried: Tried
) -> None:
    file.write_bytes(png_bytes(np.zeros(pixels, dtype=np.uint8)))
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(CorruptFile, match="not an RGB PNG"):
        readers.read_cifar_sheet(file)
    tried("Readers", "PNG sheet of another size", "refused before it is decoded")


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_sheet_of_another_kind_of_pixel_is_refused(file: Path, sheet_pixels: np.ndarray, mode: str) -> None:
    file.write_bytes(png_bytes(sheet_pixels, mode))
    with pytest.raises(CorruptFile, match="not an RGB PNG"):
        readers.read_cifar_sheet(file)


@pytest.mark.parametrize("kept", [0, 20, 26, 60, 5000])
def test_truncated_sheet_is_refused(file: Path, sheet: bytes, kept: int, tried: Tried) -> None:
    file.write_bytes(sheet[:kept])
    with pytest.raises(CorruptFile):
        readers.read_cifar_sheet(file)
    tried("Readers", "malformed file for read_cifar_sheet", "CorruptFile, with the file's name")


def only_corrupt_file(read: Callable[[Path], object], file: Path, content: bytes, tried: Tried) -> None:
    file.write_bytes(content)
    with contextlib.suppress(CorruptFile):
        read(file)
    tried("Readers", f"fuzzed file for {read.__name__}", "read, or CorruptFile: no other error, no hang")


def damaged(valid: bytes) -> st.SearchStrategy[bytes]:
    """The valid file with some bytes overwritten and its end cut, or anything at all."""
    edits = st.lists(st.tuples(st.integers(0, len(valid) - 1), st.integers(0, 255)), max_size=8)

    def apply(changes: list[tuple[int, int]], end: int) -> bytes:
        content = bytearray(valid)
        for position, value in changes:
            content[position] = value
        return bytes(content[:end])

    return st.builds(apply, edits, st.integers(0, len(valid)) | st.just(len(valid))) | st.binary(max_size=200)


# the health check is for fixtures that an example changes; `tried` counts the examples
COUNTED = [HealthCheck.function_scoped_fixture]
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=COUNTED)


@FUZZ
@given(content=damaged(idx_bytes(IMAGES)))
def test_fuzzed_idx_images_raise_only_corrupt_file(file: Path, tried: Tried, content: bytes) -> None:
    only_corrupt_file(readers.read_idx_images, file, content, tried)


@FUZZ
@given(content=damaged(idx_bytes(LABELS)))
def test_fuzzed_idx_labels_raise_only_corrupt_file(file: Path, tried: Tried, content: bytes) -> None:
    only_corrupt_file(readers.read_idx_labels, file, content, tried)


@FUZZ
@given(content=damaged(RECORDS.tobytes()))
def test_fuzzed_cifar_batches_raise_only_corrupt_file(file: Path, tried: Tried, content: bytes) -> None:
    only_corrupt_file(readers.read_cifar_batch, file, content, tried)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3),
)


@FUZZ
@given(content=damaged(b"[3, 0, 9]") | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_fuzzed_json_labels_raise_only_corrupt_file(file: Path, tried: Tried, content: bytes) -> None:
    only_corrupt_file(read_json_labels, file, content, tried)


@settings(max_examples=25, deadline=None, suppress_health_check=COUNTED)  # a sheet that still decodes takes 0.1 s
@given(data=st.data())
def test_fuzzed_sheets_raise_only_corrupt_file(file: Path, sheet: bytes, tried: Tried, data: st.DataObject) -> None:
    content = data.draw(damaged(sheet[:200]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning of Pillow's would reach the user
        only_corrupt_file(readers.read_cifar_sheet, file, content + sheet[200:], tried)
