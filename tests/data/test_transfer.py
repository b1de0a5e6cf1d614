"""Transfers: whole files arrive; a server that hangs, stops, or sends something else is given up."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from data.stand_ins import LoopbackServer, send

from selfnorm.data import transfer
from selfnorm.data.transfer import SourceFailed, download

CONTENT = bytes(range(256)) * 1000


def test_download_writes_the_whole_file_and_shows_a_bar(
    server: LoopbackServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers["/file"] = CONTENT
    download(server.url + "file", tmp_path / "file", most_bytes=len(CONTENT))
    assert (tmp_path / "file").read_bytes() == CONTENT
    captured = capsys.readouterr()
    assert "file:" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("kind", ["before the answer", "half-way"])
def test_server_that_hangs_is_given_up_after_the_time_out(server: LoopbackServer, tmp_path: Path, kind: str) -> None:
    def hang(handler: BaseHTTPRequestHandler) -> None:
        if kind == "half-way":
            send(handler, CONTENT[:1000], promised=len(CONTENT))
        server.hang(handler)

    server.answers["/file"] = hang
    start = time.monotonic()
    with pytest.raises(SourceFailed, match="no answer within"):
        download(server.url + "file", tmp_path / "file", most_bytes=len(CONTENT))
    assert time.monotonic() - start < 5  # the time-out is 0.5 s here; the server would hang for 30


def test_server_that_stops_half_way_is_noticed(server: LoopbackServer, tmp_path: Path) -> None:
    server.answers["/file"] = lambda handler: send(handler, CONTENT[:1000], promised=len(CONTENT))
    with pytest.raises(SourceFailed, match="stopped half-way"):
        download(server.url + "file", tmp_path / "file", most_bytes=len(CONTENT))


def test_missing_file_is_reported_with_the_status(server: LoopbackServer, tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="answered 404"):
        download(server.url + "file", tmp_path / "file", most_bytes=10)


@pytest.mark.parametrize("says_length", [True, False])
def test_answer_without_end_is_stopped_at_the_bound(server: LoopbackServer, tmp_path: Path, says_length: bool) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if says_length:
            handler.send_header("Content-Length", str(1 << 40))
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(CONTENT)
        except OSError:  # the client hung up
            handler.close_connection = True

    server.answers["/file"] = endless
    with pytest.raises(SourceFailed, match="more than the 100000 bytes"):
        download(server.url + "file", tmp_path / "file", most_bytes=100_000)
    assert (tmp_path / "file").stat().st_size <= 100_000 + transfer.CHUNK_BYTES


def test_answer_in_small_pieces_without_a_length_is_not_taken_for_too_long(
    server: LoopbackServer, tmp_path: Path
) -> None:
    def pieces(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, 10_000, 100):
            handler.wfile.write(b"64\r\n" + CONTENT[start : start + 100] + b"\r\n")
        handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    server.answers["/file"] = pieces
    download(server.url + "file", tmp_path / "file", most_bytes=10_000)
    assert (tmp_path / "file").read_bytes() == CONTENT[:10_000]


def test_server_that_does_not_speak_tls_is_reported(server: LoopbackServer, tmp_path: Path) -> None:
    server.answers["/file"] = CONTENT
    with pytest.raises(SourceFailed, match="TLS failed"):
        download(server.url.replace("http:", "https:") + "file", tmp_path / "file", most_bytes=10)


def test_reasons_show_no_password() -> None:
    text = transfer.one_line("proxy https://user:secret@proxy.example:3128\n refused")
    assert text == "proxy https://proxy.example:3128 refused"
