"""Bytes over the network: one download over TLS, or one run of a package client, each with a bar and an end.

Both write into a folder of the caller's and raise SourceFailed with a reason of one line.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from tqdm import tqdm

ANSWER_TIMEOUT_S = 5  # to connect, and between two pieces of the answer
TRANSFER_TIMEOUT_S = 1800  # 170 MB at 100 kB/s
CHUNK_BYTES = 1 << 16
TLS_SCHEMES = ("https",)


class SourceFailed(Exception):
    """One source could not supply its files; the message is the reason, in one line."""


class _Bar(tqdm):
    """A bar of the bytes on disk, which also ends a transfer that is too long or too slow: pooch sets no end.

    `measure` tells how many bytes are there; pooch itself counts whole chunks, which short ones are not.
    """

    def __init__(
        self, label: str, measure: Callable[[], int], *, expected_bytes: int, most_bytes: float = math.inf
    ) -> None:
        self._measure, self._most_bytes = measure, most_bytes
        self._deadline = time.monotonic() + TRANSFER_TIMEOUT_S
        super().__init__(total=expected_bytes, desc=label, unit="B", unit_scale=True, leave=False, ncols=79)

    def __bool__(self) -> bool:
        # pooch asks `if progressbar`; tqdm says no for the total of 0 that an answer without a length gets.
        return True

    def update(self, n: float | None = None) -> bool | None:
        num_bytes = self._measure()
        if num_bytes > self._most_bytes:
            raise SourceFailed(f"sent more than the {self._most_bytes} bytes that the file can have")
        if time.monotonic() > self._deadline:
            raise SourceFailed(f"not finished after {TRANSFER_TIMEOUT_S} s")
        return super().update(num_bytes - self.n)


def download(url: str, target: Path, *, most_bytes: int) -> None:
    """Downloads one file over TLS, redirects included; gives up after ANSWER_TIMEOUT_S without an answer."""
    import pooch  # with requests, 0.2 s of imports that a filled cache never needs
    import requests

    _require_tls(url)

    def refuse_plain_redirect(response: requests.Response, **_: Any) -> None:
        if response.is_redirect:
            _require_tls(urljoin(response.url, response.headers["location"]))

    try:
        with _Bar(target.name, lambda: target.stat().st_size, expected_bytes=most_bytes, most_bytes=most_bytes) as bar:
            fetch = pooch.HTTPDownloader(
                progressbar=bar,
                chunk_size=CHUNK_BYTES,
                timeout=ANSWER_TIMEOUT_S,
                hooks={"response": refuse_plain_redirect},
            )
            fetch(url, str(target), None)
    except requests.RequestException as error:
        raise SourceFailed(_reason(error)) from error


def _require_tls(url: str) -> None:
    if urlsplit(url).scheme not in TLS_SCHEMES:
        raise SourceFailed(f"{url} is not {' or '.join(TLS_SCHEMES)}")


def _reason(error: Exception) -> str:
    """One short line for an error of requests, whose own text is long and nested."""
    import requests

    text = str(error)
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return f"no answer within {ANSWER_TIMEOUT_S} s"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS failed: {one_line(text)}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "stopped half-way"
    for hint, reason in (("resolve", "host name not found"), ("refused", "connection refused")):
        if hint in text:
            return reason
    return f"no connection: {one_line(text)}"


def one_line(text: str, limit: int = 160) -> str:
    """Whitespace folded, cut at `limit` characters, and without the user and password a URL may hold."""
    folded = re.sub(r"//[^/@\s]+@", "//", " ".join(text.split()))
    return folded if len(folded) <= limit else folded[: limit - 3] + "..."


def run_client(arguments: Sequence[str], folder: Path, *, expected_bytes: int) -> None:
    """Runs a package client in `folder`, where it leaves its files; the bar shows the bytes lying there."""
    program = shutil.which(arguments[0])
    if program is None:
        raise SourceFailed(f"{arguments[0]} is not installed")
    log = folder / "client.log"
    label = " ".join(arguments[:2])
    with (
        log.open("wb") as output,
        _Bar(label, lambda: _folder_bytes(folder), expected_bytes=expected_bytes) as bar,
    ):
        # A session of its own, so that the client's children end with it.
        process = subprocess.Popen(
            [program, *arguments[1:]],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
                bar.update()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode != 0:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if re.match(r"E:|npm error", line)] or lines
        said = one_line(" | ".join(errors[:3])) or "no message"
        raise SourceFailed(f"{arguments[0]} ended with status {process.returncode}: {said}")


def _folder_bytes(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # the client's temporary files come and go
                total += os.lstat(os.path.join(root, name)).st_size
    return total
