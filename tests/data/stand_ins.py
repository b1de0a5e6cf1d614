"""Small stand-ins for the real files, and a loopback server that answers as each test asks."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from selfnorm.data.datasets import MNIST, CanonicalFile
from selfnorm.data.sources import Source

if TYPE_CHECKING:  # torch, which child processes of the tests need not wait for
    from selfnorm.data.splits import Splits

Contents = dict[str, bytes]
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (file.name for file in MNIST.files)
Answer = Callable[[BaseHTTPRequestHandler], None]


def idx_bytes(values: np.ndarray) -> bytes:
    sizes = b"".join(length.to_bytes(4, "big") for length in values.shape)
    return bytes((0, 0, 8, values.ndim)) + sizes + values.astype(np.uint8).tobytes()


def tar_bytes(contents: Contents) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def canonical(contents: Contents) -> tuple[CanonicalFile, ...]:
    return tuple(
        CanonicalFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()
    )


def gz(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=1)


def put(folder: Path, contents: Contents) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def source_of(contents: Contents, label: str = "a good source") -> Source:
    return Source(label, lambda wanted, into: put(into, {file.name: contents[file.name] for file in wanted}))


def fingerprint(splits: Splits) -> str:
    """SHA-256 of every tensor of the splits, bit by bit."""
    tensors = [t for split in (splits.train, splits.validation, splits.test) for t in (split.x_NF, split.y_N)]
    digest = hashlib.sha256()
    for tensor in (*tensors, splits.mean_F, splits.std_F):
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


class LoopbackServer(ThreadingHTTPServer):
    """Answers path -> bytes (sent whole), or path -> a function of the request handler; otherwise 404."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: dict[str, bytes | Answer] = {}
        self.requests: list[str] = []
        self.release = threading.Event()  # ends the answers that hang
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def hang(self, handler: BaseHTTPRequestHandler) -> None:
        self.release.wait(30)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, LoopbackServer)
        server.requests.append(self.path)
        answer = server.answers.get(self.path)
        if answer is None:
            self.send_error(404)
        elif callable(answer):
            answer(self)
        else:
            send(self, answer)

    def log_message(self, *args: object) -> None:
        pass


def send(handler: BaseHTTPRequestHandler, content: bytes, *, promised: int | None = None) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) if promised is None else promised))
    handler.end_headers()
    handler.wfile.write(content)
