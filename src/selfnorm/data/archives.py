"""Unpacking: a gzip file or a .tar.gz goes in, files of known names and at most their known sizes come out.

No path found in an archive is written to: members are taken by their file name, into one folder. A damaged archive
raises SourceFailed.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from selfnorm.data.transfer import SourceFailed

COPY_BYTES = 1 << 20


def gunzip(source: Path, target: Path, *, size: int) -> None:
    """Unpack `source` into `target`, at most `size` bytes."""
    try:
        with gzip.open(source, "rb") as packed:
            _copy(packed, target, limit=size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceFailed(f"{source.name} is not a whole gzip file ({error})") from error


def extract(archive: Path, sizes: Mapping[str, int], into: Path) -> None:
    """Unpack the members whose file name is a key of `sizes`, each at most that many bytes, into a folder."""
    missing = set(sizes)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = PurePosixPath(member.name).name
                if name in missing and member.isreg():
                    content = tar.extractfile(member)
                    assert content is not None  # a regular file has content
                    _copy(content, into / name, limit=sizes[name])
                    missing.discard(name)
    # tarfile documents TarError alone; a damaged header also raises ValueError and OverflowError.
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError, OverflowError) as error:
        raise SourceFailed(f"{archive.name} is not a whole .tar.gz archive ({error})") from error
    if missing:
        raise SourceFailed(f"{archive.name} lacks {', '.join(sorted(missing))}")


def _copy(source: IO[bytes] | gzip.GzipFile, target: Path, *, limit: int) -> None:
    written = 0
    with target.open("wb") as file:
        while chunk := source.read(min(COPY_BYTES, limit + 1 - written)):
            written += len(chunk)
            if written > limit:
                raise SourceFailed(f"{target.name} is larger than the {limit} bytes it should have")
            file.write(chunk)
