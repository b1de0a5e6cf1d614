"""Sources: each format becomes the canonical files; the usual ones are in the stated order, over TLS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from data.stand_ins import TEST_LABELS, Contents, LoopbackServer, gz, put, tar_bytes

from selfnorm.data.cache import DataUnavailable, ensure
from selfnorm.data.datasets import CIFAR10, DATASETS
from selfnorm.data.sources import Source, mirror, sources_for
from selfnorm.data.transfer import SourceFailed

FETCHED = [name for name, dataset in DATASETS.items() if dataset.files]


def nothing(wanted: Sequence[object], into: Path) -> None:
    raise SourceFailed("asked although it should not be")


@pytest.mark.parametrize("name", FETCHED)
def test_sources_are_files_by_hand_then_mirrors_over_tls_then_a_package(name: str, tmp_path: Path) -> None:
    by_hand, *mirrors, package = (source.label for source in sources_for(DATASETS[name], tmp_path))
    assert str(tmp_path / name) in by_hand
    assert mirrors
    assert all(label.startswith("https://") for label in mirrors)
    assert "package" in package


def by_hand_only(name: str, data_dir: Path) -> list[Source]:
    return [sources_for(DATASETS[name], data_dir)[0]]


def test_canonical_files_put_by_hand_are_used_as_they_are(tmp_path: Path, idx_contents: Contents) -> None:
    put(tmp_path / "mnist", idx_contents)
    assert ensure(DATASETS["mnist"], tmp_path, sources=[Source("mirror", nothing)]) == tmp_path / "mnist"
    assert sorted(path.name for path in (tmp_path / "mnist").iterdir()) == sorted(idx_contents)


def test_gzip_files_put_by_hand_are_unpacked(tmp_path: Path, idx_contents: Contents) -> None:
    put(tmp_path / "mnist", {f"{name}.gz": gz(content) for name, content in idx_contents.items()})
    folder = ensure(DATASETS["mnist"], tmp_path, sources=by_hand_only("mnist", tmp_path))
    for name, content in idx_contents.items():
        assert (folder / name).read_bytes() == content


def test_cifar_archive_put_by_hand_is_unpacked(tmp_path: Path, cifar_contents: Contents) -> None:
    members = {f"cifar-10-batches-bin/{name}": content for name, content in cifar_contents.items()}
    put(tmp_path / "cifar10", {CIFAR10.archive: gz(tar_bytes(members))})
    folder = ensure(DATASETS["cifar10"], tmp_path, sources=by_hand_only("cifar10", tmp_path))
    for name, content in cifar_contents.items():
        assert (folder / name).read_bytes() == content


def test_wrong_file_put_by_hand_is_named_in_the_error_and_left_alone(tmp_path: Path, idx_contents: Contents) -> None:
    first, second, *_ = idx_contents
    put(tmp_path / "mnist", {f"{first}.gz": b"not gzip", f"{second}.gz": gz(idx_contents[second])})
    with pytest.raises(DataUnavailable, match=f"{first}.gz is not a whole gzip file"):
        ensure(DATASETS["mnist"], tmp_path, sources=by_hand_only("mnist", tmp_path))
    assert (tmp_path / "mnist" / f"{first}.gz").read_bytes() == b"not gzip"
    assert (tmp_path / "mnist" / second).read_bytes() == idx_contents[second]  # the good one is in


def test_swapped_files_put_by_hand_are_found_out(tmp_path: Path, idx_contents: Contents) -> None:
    first, _, third, _ = idx_contents
    swapped = {f"{first}.gz": gz(idx_contents[third]), f"{third}.gz": gz(idx_contents[first])}
    put(tmp_path / "mnist", swapped)
    with pytest.raises(DataUnavailable, match=f"{third} is larger than"):
        ensure(DATASETS["mnist"], tmp_path, sources=by_hand_only("mnist", tmp_path))


def mnist_mirror(server: LoopbackServer, path: str) -> Source:
    return mirror(DATASETS["mnist"], server.url + path)


def serve(server: LoopbackServer, path: str, contents: Contents) -> None:
    server.answers |= {f"/{path}{name}.gz": gz(content) for name, content in contents.items()}


def test_mirror_that_sends_a_web_page_is_passed_over(
    tmp_path: Path, idx_contents: Contents, server: LoopbackServer, capsys: pytest.CaptureFixture[str]
) -> None:
    page = b"<html><body>Please log in to this network</body></html>"
    server.answers |= {f"/portal/{name}.gz": page for name in idx_contents}
    serve(server, "good/", idx_contents)
    folder = ensure(
        DATASETS["mnist"], tmp_path, sources=[mnist_mirror(server, "portal/"), mnist_mirror(server, "good/")]
    )
    assert {name: (folder / name).read_bytes() for name in idx_contents} == idx_contents
    assert "not a whole gzip file" in capsys.readouterr().err


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content[:-1] + b"\xff"])
def test_mirror_with_a_file_of_another_size_or_content_is_passed_over(
    tmp_path: Path, idx_contents: Contents, server: LoopbackServer, change: Callable[[bytes], bytes]
) -> None:
    name = TEST_LABELS
    serve(server, "bad/", idx_contents | {name: change(idx_contents[name])})
    serve(server, "good/", idx_contents)
    folder = ensure(DATASETS["mnist"], tmp_path, sources=[mnist_mirror(server, "bad/"), mnist_mirror(server, "good/")])
    assert (folder / name).read_bytes() == idx_contents[name]
    # what the first mirror had right is not asked for again
    assert [path for path in server.requests if path.startswith("/good/")] == [f"/good/{name}.gz"]


def test_mirror_that_fails_is_not_asked_for_the_next_file(
    tmp_path: Path, idx_contents: Contents, server: LoopbackServer
) -> None:
    with pytest.raises(DataUnavailable, match="answered 404"):
        ensure(DATASETS["mnist"], tmp_path, sources=[mnist_mirror(server, "empty/")])
    assert len(server.requests) == 1  # each further one could cost another time-out


def test_cifar_mirror_is_unpacked(tmp_path: Path, cifar_contents: Contents, server: LoopbackServer) -> None:
    members = {f"cifar-10-batches-bin/{name}": content for name, content in cifar_contents.items()}
    server.answers["/cifar-10-binary.tar.gz"] = gz(tar_bytes(members))
    folder = ensure(DATASETS["cifar10"], tmp_path, sources=[mirror(DATASETS["cifar10"], server.url)])
    assert {name: (folder / name).read_bytes() for name in cifar_contents} == cifar_contents


@pytest.mark.network
@pytest.mark.parametrize(("name", "index"), [("mnist", 1), ("mnist", 2), ("fashion_mnist", 1), ("cifar10", 1)])
def test_real_mirror_supplies_the_canonical_files(name: str, index: int, tmp_path: Path) -> None:
    source = sources_for(DATASETS[name], tmp_path)[index]
    try:
        ensure(DATASETS[name], tmp_path, sources=[source])
    except DataUnavailable as error:
        if "host name not found" in str(error):
            pytest.skip("no internet here")
        raise
