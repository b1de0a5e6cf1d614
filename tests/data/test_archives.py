"""Archives: wanted members come out whole; hostile, damaged or endless ones are refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from pathlib import Path

import pytest
from hardening_record import Tried
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stand_ins import gz, tar_bytes

from selfnorm.data import archives
from selfnorm.data.catalogue import CorruptFile

CONTENT = bytes(range(256)) * 4


def extract(content: bytes, folder: Path, *, limit: int = 5000) -> bytes:
    archives.extract_members(io.BytesIO(content), {"good/file": (folder / "out", limit)})
    return (folder / "out").read_bytes()


@pytest.mark.parametrize("name", ["good/file", "./good/file"])
def test_wanted_member_is_written_where_the_caller_says(tmp_path: Path, name: str) -> None:
    assert extract(tar_bytes({"other": b"x", name: CONTENT}), tmp_path) == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["../evil", "/evil", "good/../../evil", "..\\evil"])
def test_archive_with_a_name_that_leads_out_of_it_is_refused(tmp_path: Path, name: str, tried: Tried) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(CorruptFile, match="unsafe name"):
        extract(tar_bytes({name: b"x", "good/file": CONTENT}), inner)
    assert not list(inner.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]
    tried("Data", f"archive with a member named {name}", "refused before anything of it was written")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_member_that_is_no_regular_file_is_refused(tmp_path: Path, kind: bytes, tried: Tried) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("good/file")
        member.type, member.linkname = kind, "/etc/hostname"
        tar.addfile(member)
    with pytest.raises(CorruptFile, match="special file"):
        extract(buffer.getvalue(), tmp_path)
    tried("Data", "archive whose member is a link, a folder or a pipe", "refused")


def test_member_larger_than_its_bound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="larger than the 1023 bytes"):
        extract(tar_bytes({"good/file": CONTENT}), tmp_path, limit=1023)
    assert (tmp_path / "out").stat().st_size <= 1023


def test_archive_without_the_member_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="lacks good/file"):
        extract(tar_bytes({"other": CONTENT}), tmp_path)


def test_archive_that_unpacks_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 1 << 20)
    with pytest.raises(CorruptFile, match="more bytes than any archive"):
        extract(tar_bytes({"other": bytes(2 << 20), "good/file": CONTENT}), tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 511, 1000, 1500])
def test_truncated_archive_is_refused(tmp_path: Path, kept: int, tried: Tried) -> None:
    with pytest.raises(CorruptFile):
        extract(tar_bytes({"good/file": CONTENT})[:kept], tmp_path)
    tried("Data", "truncated archive", "refused")


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", gz(tar_bytes({"good/file": CONTENT}))[:-700]])
def test_damaged_gzip_of_a_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.tar.gz").write_bytes(content)
    with pytest.raises(CorruptFile):
        archives.extract_members_of_gzip(tmp_path / "file.tar.gz", {"good/file": (tmp_path / "out", 5000)})


def test_gunzip_writes_the_content(tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(gz(CONTENT))
    archives.gunzip(tmp_path / "file.gz", tmp_path / "out", size=len(CONTENT))
    assert (tmp_path / "out").read_bytes() == CONTENT


def test_gunzip_stops_at_the_size_the_file_should_have(tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(gz(bytes(50 << 20)))
    with pytest.raises(CorruptFile, match="larger than the 1000 bytes"):
        archives.gunzip(tmp_path / "file.gz", tmp_path / "out", size=1000)
    assert (tmp_path / "out").stat().st_size <= 1000


# the health check is for fixtures that an example changes; `tried` counts the examples
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FUZZED = "read, or CorruptFile: no other error, no hang"
TAR = tar_bytes({"other": b"x", "good/file": CONTENT})


def damaged(valid: bytes) -> st.SearchStrategy[bytes]:
    # Only the first kilobytes: behind the last member a tar is all zeros.
    edits = st.lists(st.tuples(st.integers(0, min(len(valid), 2600) - 1), st.integers(0, 255)), max_size=6)

    def apply(changes: list[tuple[int, int]], end: int) -> bytes:
        content = bytearray(valid)
        for position, value in changes:
            content[position] = value
        return bytes(content[:end])

    return st.builds(apply, edits, st.integers(0, len(valid)) | st.just(len(valid))) | st.binary(max_size=600)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archives")


@FUZZ
@given(content=damaged(TAR))
def test_fuzzed_tars_raise_only_corrupt_file(folder: Path, tried: Tried, content: bytes) -> None:
    with contextlib.suppress(CorruptFile):
        extract(content, folder)
    tried("Readers", "fuzzed tar archive", FUZZED)


@FUZZ
@given(content=damaged(gzip.compress(TAR, mtime=0)))
def test_fuzzed_gzips_raise_only_corrupt_file(folder: Path, tried: Tried, content: bytes) -> None:
    (folder / "file.gz").write_bytes(content)
    with contextlib.suppress(CorruptFile):
        archives.gunzip(folder / "file.gz", folder / "out", size=len(TAR))
    with contextlib.suppress(CorruptFile):
        archives.extract_members_of_gzip(folder / "file.gz", {"good/file": (folder / "out", 5000)})
    tried("Readers", "fuzzed gzip file", FUZZED)
