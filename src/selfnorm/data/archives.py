"""Unpacking without trust: gzip files and named members of tar archives, each with a bound on its size.

Nothing is ever written by a path found in an archive: the caller names the members and where each one goes.
Whatever is wrong with the archive, CorruptFile is the only error besides OSError.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, cast

from selfnorm.data.catalogue import CorruptFile

COPY_BYTES = 1 << 20
MAX_ARCHIVE_BYTES = 256 << 20  # unpacked; the largest one used (CIFAR-10, binary) is 185 MB


def gunzip(source: Path, target: Path, *, size: int) -> None:
    """Writes the `size` bytes that `source` unpacks to; never more, whatever it would inflate to."""
    try:
        with gzip.open(source, "rb") as packed:
            _copy(packed, target, limit=size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorruptFile(f"{source.name} is not a whole gzip file ({error})") from error


def extract_members(archive: IO[bytes], targets: Mapping[str, tuple[Path, int]]) -> None:
    """Writes members of an open, uncompressed tar stream: name in the archive -> (target file, most bytes).

    Refused with CorruptFile: an archive that holds an absolute name or a `..` (up to its last wanted member),
    a wanted member that is a link, a device or a folder, one larger than its bound, a stream that is damaged,
    too long, or lacks a wanted member.
    """
    missing = set(targets)
    bounded = _BoundedReader(archive, MAX_ARCHIVE_BYTES)
    try:
        with tarfile.open(fileobj=cast(IO[bytes], bounded), mode="r|") as tar:
            for member in tar:
                name = _safe_name(member.name)
                if name in targets:
                    if not member.isreg():
                        raise CorruptFile(f"archive member {name!r} is a link or another special file")
                    content = tar.extractfile(member)
                    assert content is not None  # a regular file has content
                    target, limit = targets[name]
                    _copy(content, target, limit=limit)
                    missing.discard(name)
                if not missing:
                    return
    # ValueError and the like: numbers in a damaged header; tarfile documents only TarError.
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError) as error:
        if isinstance(error, CorruptFile):
            raise
        raise CorruptFile(f"not a whole tar archive ({error})") from error
    raise CorruptFile(f"archive lacks {', '.join(sorted(missing))}")


def extract_members_of_gzip(path: Path, targets: Mapping[str, tuple[Path, int]]) -> None:
    """As extract_members, of a .tar.gz file."""
    with gzip.open(path, "rb") as unpacked:
        extract_members(cast(IO[bytes], unpacked), targets)


def _safe_name(name: str) -> str:
    """The member's name without a leading `./`; refuses names that lead out of the archive."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise CorruptFile(f"archive holds the unsafe name {name!r}; nothing of it is used")
    return str(path)


def _copy(source: IO[bytes] | gzip.GzipFile, target: Path, *, limit: int) -> None:
    written = 0
    with target.open("wb") as file:
        while chunk := source.read(min(COPY_BYTES, limit + 1 - written)):
            written += len(chunk)
            if written > limit:
                raise CorruptFile(f"{target.name} is larger than the {limit} bytes it should have")
            file.write(chunk)


class _BoundedReader(io.RawIOBase):
    """Stops a stream that inflates without end: tarfile would read a header of any length into memory."""

    def __init__(self, source: IO[bytes], limit: int) -> None:
        self._source, self._left = source, limit

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise CorruptFile("archive unpacks to more bytes than any archive used here")
        return data
