"""The cache: `data_dir/<data set>/` holds canonical files, every one checked by SHA-256 before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from selfnorm.data.datasets import Dataset

if TYPE_CHECKING:
    from selfnorm.data.sources import Source

NO_DOWNLOAD = "or choose the data set that needs no download: dataset=digits"


class DataUnavailable(OSError):
    """No source could supply a data set; the message names each source, why it failed, and what to do."""


def ensure(dataset: Dataset, data_dir: Path, *, sources: Sequence[Source] | None = None) -> Path:
    """Return the data set's folder with every file in it verified; what is missing or damaged is fetched first.

    `sources` overrides the usual ones. Raises DataUnavailable if none of them supplies what is missing.
    """
    folder = data_dir / dataset.name
    try:
        if not any(file.problem(folder / file.name) for file in dataset.files):  # also in a cache that is read-only
            return folder
        from selfnorm.data.fetching import fetch_missing  # a run whose files are there needs no source

        failure = fetch_missing(dataset, folder, sources)
    except OSError as error:
        text = f"data set {dataset.name!r}: the data folder {folder} cannot be used ({error}); choose another one,"
        raise DataUnavailable(f"{text} {NO_DOWNLOAD}") from error
    if failure:
        raise DataUnavailable(f"{failure}\n{NO_DOWNLOAD}")
    return folder
