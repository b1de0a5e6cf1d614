"""Archives: wanted members come out whole; damaged ones are refused, and nothing is written elsewhere."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
from pathlib import Path

import pytest
from data.stand_ins import gz, tar_bytes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfnorm.data import archives
from selfnorm.data.transfer import SourceFailed

CONTENT = bytes(range(256)) * 4


def extract(content: bytes, folder: Path, *, limit: int = 5000) -> bytes:
    """The member `file` of a tar with this content, packed and unpacked."""
    folder.mkdir(exist_ok=True)
    (folder / "archive.tar.gz").write_bytes(gz(content))
    archives.extract(folder / "archive.tar.gz", {"file": limit}, folder)
    return (folder / "file").read_bytes()


@pytest.mark.parametrize("name", ["good/file", "./good/file", "file"])
def test_wanted_member_is_found_by_its_file_name(tmp_path: Path, name: str) -> None:
    assert extract(tar_bytes({"other": b"x", name: CONTENT}), tmp_path) == CONTENT
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive.tar.gz", "file"]


@pytest.mark.parametrize("name", ["../file", "{outside}/file", "good/../../file", "../evil", "{outside}/evil"])
def test_nothing_is_written_where_a_members_name_leads(tmp_path: Path, name: str) -> None:
    outside, inner = tmp_path / "outside", tmp_path / "inner"
    outside.mkdir()
    extract(tar_bytes({name.format(outside=outside): CONTENT, "good/file": CONTENT}), inner)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == [
        "inner", "inner/archive.tar.gz", "inner/file", "outside",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_member_that_is_no_regular_file_is_not_taken(tmp_path: Path, kind: bytes) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("good/file")
        member.type, member.linkname = kind, "/etc/hostname"
        tar.addfile(member)
    with pytest.raises(SourceFailed, match="lacks file"):
        extract(buffer.getvalue(), tmp_path)


def test_member_larger_than_its_bound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="larger than the 1023 bytes"):
        extract(tar_bytes({"good/file": CONTENT}), tmp_path, limit=1023)
    assert (tmp_path / "file").stat().st_size <= 1023


def test_archive_without_the_member_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match=r"archive\.tar\.gz lacks file"):
        extract(tar_bytes({"other": CONTENT}), tmp_path)


@pytest.mark.parametrize("kept", [0, 1, 511, 1000, 1500])
def test_truncated_archive_is_refused(tmp_path: Path, kept: int) -> None:
    with pytest.raises(SourceFailed):
        extract(tar_bytes({"good/file": CONTENT})[:kept], tmp_path)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", gz(tar_bytes({"good/file": CONTENT}))[:-700]])
def test_damaged_gzip_of_a_tar_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file.tar.gz").write_bytes(content)
    with pytest.raises(SourceFailed, match=r"file\.tar\.gz is not a whole"):
        archives.extract(tmp_path / "file.tar.gz", {"file": 5000}, tmp_path)


def test_gunzip_writes_the_content(tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(gz(CONTENT))
    archives.gunzip(tmp_path / "file.gz", tmp_path / "out", size=len(CONTENT))
    assert (tmp_path / "out").read_bytes() == CONTENT


def test_gunzip_stops_at_the_size_the_file_should_have(tmp_path: Path) -> None:
    (tmp_path / "file.gz").write_bytes(gz(bytes(50 << 20)))
    with pytest.raises(SourceFailed, match="larger than the 1000 bytes"):
        archives.gunzip(tmp_path / "file.gz", tmp_path / "out", size=1000)
    assert (tmp_path / "out").stat().st_size <= 1000


# the health check is for fixtures that an example changes; `tried` counts the examples
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FUZZED = "read, or SourceFailed: no other error, no hang"
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
def test_fuzzed_tars_raise_only_source_failed(folder: Path, content: bytes) -> None:
    with contextlib.suppress(SourceFailed):
        extract(content, folder)


@FUZZ
@given(content=damaged(gzip.compress(TAR, mtime=0)))
def test_fuzzed_gzips_raise_only_source_failed(folder: Path, content: bytes) -> None:
    (folder / "file.gz").write_bytes(content)
    with contextlib.suppress(SourceFailed):
        archives.gunzip(folder / "file.gz", folder / "out", size=len(TAR))
    with contextlib.suppress(SourceFailed):
        archives.extract(folder / "file.gz", {"file": 5000}, folder)
