"""Downloads over TLS: a URL goes in, a file comes out, or SourceFailed with the reason in one line."""

from __future__ import annotations

import re
from pathlib import Path

from tqdm import tqdm

ANSWER_TIMEOUT_S = 5  # to connect, and between two pieces of the answer
CHUNK_BYTES = 1 << 16


class SourceFailed(Exception):
    """One source could not supply its files; the message is the reason, in one line."""


def download(url: str, target: Path, *, most_bytes: int) -> None:
    """Download a file of at most `most_bytes`, with a progress bar; give up when no answer comes in time."""
    import requests  # 0.2 s that a filled cache never needs

    try:
        with requests.get(url, stream=True, timeout=ANSWER_TIMEOUT_S) as answer, target.open("wb") as file:
            answer.raise_for_status()
            total = int(answer.headers.get("Content-Length", 0)) or None
            with tqdm(desc=target.name, total=total, unit="B", unit_scale=True, leave=False, ncols=79) as bar:
                for chunk in answer.iter_content(CHUNK_BYTES):
                    bar.update(file.write(chunk))
                    if bar.n > most_bytes:
                        raise SourceFailed(f"sent more than the {most_bytes} bytes that the file can have")
    except requests.RequestException as error:
        raise SourceFailed(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Put an error of requests, whose own text is long and nested, into one short line."""
    import requests

    text = str(error)
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return f"no answer within {ANSWER_TIMEOUT_S} s"
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "stopped half-way"
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS failed: {one_line(text)}"
    for hint, reason in (("resolve", "host name not found"), ("refused", "connection refused")):
        if hint in text:
            return reason
    return f"no connection: {one_line(text)}"


def one_line(text: str, limit: int = 160) -> str:
    """Fold whitespace, cut at `limit` characters, and remove the user and password that a URL may hold."""
    folded = re.sub(r"//[^/@\s]+@", "//", " ".join(text.split()))
    return folded if len(folded) <= limit else folded[: limit - 3] + "..."
