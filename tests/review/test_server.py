"""The server: the files that it gives away, and those that it refuses to other sites."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
from review.made_folders import SCRIPT, write_small_run
from review.serving import served

from selfnorm.review.server import listen


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with one run; beside it, outside, another run and a secret."""
    folder = tmp_path_factory.mktemp("served")
    write_small_run(folder / "runs" / "tag" / "d4-1")
    (folder / "runs" / "tag" / "d4-1" / "network.safetensors").write_text("secret")
    write_small_run(folder / "outside")
    (folder / "config.yaml").write_text("secret")
    return folder / "runs"


@pytest.fixture(scope="module")
def ask(runs: Path) -> Iterator[Ask]:
    with served(runs) as address:
        yield asking(address)


def asking(address: str) -> Ask:
    """Requests sent as they are: no client tidies the path."""
    own = address.removeprefix("http://")

    def ask(path: str, *, host: str = own, method: str = "GET") -> Answer:
        connection = http.client.HTTPConnection(own, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True)
            connection.putheader("Host", host)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    return ask


def file(run: str, name: str) -> str:
    return f"/file?{urlencode({'run': run, 'name': name})}"


def test_page_scripts_and_style_are_served_from_here_alone(ask: Ask) -> None:
    page = ask("/").body.decode()
    for name in ("plotly.min.js", "main.js", "review.css"):
        assert f'"/page/{name}"' in page
        assert ask(f"/page/{name}").status == 200
    assert "http://" not in page
    assert "https://" not in page


def test_documents_are_json_and_an_unchanged_overview_is_not_sent_again(ask: Ask) -> None:
    overview = json.loads(ask("/data/overview.json").body)
    assert [run["id"] for run in overview["runs"]] == ["tag/d4-1"]
    assert ask(f"/data/overview.json?known={overview['version']}").status == 204
    assert json.loads(ask("/data/run.json?id=tag/d4-1").body)["id"] == "tag/d4-1"
    assert json.loads(ask("/data/group.json?tag=figure1").body)["lines"]


def test_a_file_of_a_run_is_sent_as_it_is_and_as_text(ask: Ask, runs: Path) -> None:
    for name in ("config.yaml", "curves.csv", "moments.csv", "summary.json", "environment.json"):
        answer = ask(file("tag/d4-1", name))
        assert answer.body == (runs / "tag" / "d4-1" / name).read_bytes()
        assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "path",
    [
        file("..", "config.yaml"),
        file("../outside", "config.yaml"),
        file("tag/../../outside", "config.yaml"),
        file("tag/d4-1", "../../../config.yaml"),
        file("tag/d4-1", "network.safetensors"),
        file("tag/d4-1", ".lock"),
        file("tag/d4-1", ""),
        file("tag", "config.yaml"),
        file("", "config.yaml"),
        file("tag/d4-1", "config.yaml\0"),
        file("tag/d4-1/", "config.yaml"),
        "/file",
        "/data/run.json?id=../outside",
        "/data/group.json?tag=..",
        "/page/../server.py",
        "/page/%2e%2e%2fserver.py",
        "/page/__init__.py",
        "/page/..%5cserver.py",
        "/../../../../etc/passwd",
        "//etc/passwd",
        file("tag/d4-1", ".row.json"),
    ],
)
def test_nothing_but_the_files_of_runs_leaves(ask: Ask, path: str) -> None:
    answer = ask(path)
    assert answer.status == 404
    assert answer.body == b"Not Found"


def test_an_absolute_path_is_no_run(ask: Ask, runs: Path) -> None:
    assert ask(file(str(runs.parent / "outside"), "config.yaml")).status == 404
    assert ask(file("tag/d4-1", str(runs.parent / "config.yaml"))).status == 404


@pytest.mark.parametrize("state", ["running", "diverged", "finished"])
@pytest.mark.parametrize("name", ["curves.csv", "moments.csv", "environment.json", "config.yaml", "summary.json"])
def test_a_link_that_lies_there_before_the_scan_is_not_followed(tmp_path: Path, name: str, state: str) -> None:
    secret = write_small_run(tmp_path / "outside", state=state) / name
    secret.write_text(secret.read_text().replace("0", "7"))  # digits that only the file outside has
    folder = write_small_run(tmp_path / "runs" / "d4-1", state=state)
    (folder / name).unlink()
    (folder / name).symlink_to(secret)
    with served(tmp_path / "runs") as address:
        ask = asking(address)
        overview = json.loads(ask("/data/overview.json").body)
        for row in overview["runs"]:
            assert name not in row["files"]
            document = json.loads(ask("/data/run.json?id=d4-1").body)
            if name == "curves.csv":
                assert (row["step"], row["error"], document["curves"]) == (None, None, [])
                assert json.loads(ask(f"/data/group.json?tag={row['tag']}").body)["lines"] == []
            elif name == "moments.csv":
                assert document["moments"] is None
            else:
                assert document["environment"] == {}
        reasons = [f"no {name}: the run did not get that far, run it again"]
        needed = name in ("config.yaml", "summary.json") or (name == "curves.csv" and state == "finished")
        assert [problem["reason"] for problem in overview["problems"]] == (reasons if needed else [])
        assert ask(file("d4-1", name)).status == 404


def test_a_link_put_there_after_the_scan_is_not_followed(tmp_path: Path) -> None:
    runs, secret = tmp_path / "runs", tmp_path / "secret"
    for name in ("one", "two"):
        write_small_run(runs / name)
    secret.mkdir()
    (secret / "curves.csv").write_text("secret")
    with served(runs) as address:
        ask = asking(address)
        assert ask(file("one", "curves.csv")).status == ask(file("two", "curves.csv")).status == 200
        (runs / "one" / "curves.csv").unlink()
        (runs / "one" / "curves.csv").symlink_to(secret / "curves.csv")
        shutil.rmtree(runs / "two")
        (runs / "two").symlink_to(secret)
        assert ask(file("one", "curves.csv")).status == ask(file("two", "curves.csv")).status == 404


OTHER_NAMES = ["evil.example", "evil.example:8642", "127.0.0.1.evil.example", "localhost.evil.example", "", "[evil]:80"]


@pytest.mark.parametrize("host", OTHER_NAMES)
def test_another_name_for_this_machine_gets_nothing(ask: Ask, host: str) -> None:
    for path in ("/", "/data/overview.json", file("tag/d4-1", "config.yaml")):
        answer = ask(path, host=host)
        assert answer.status == 421
        assert b"d4" not in answer.body


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "LOCALHOST", "127.0.0.1:9", "[::1]:9", "192.168.1.7:9"])
def test_this_machines_own_names_are_answered(ask: Ask, host: str) -> None:
    assert ask("/", host=host).status == 200


@pytest.mark.parametrize(
    "path", ["/", "/data/overview.json", "/page/main.js", "/file?run=tag/d4-1&name=curves.csv", "/no"]
)
def test_every_answer_carries_the_headers_of_safety(ask: Ask, path: str) -> None:
    headers = ask(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers or "uvicorn" in headers["server"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(ask: Ask, method: str) -> None:
    assert ask("/data/overview.json", method=method).status == 405


def test_hostile_names_are_data_never_markup(hostile_root: Path) -> None:
    with served(hostile_root) as address:
        ask = asking(address)
        assert SCRIPT not in ask("/").body.decode()
        overview = ask("/data/overview.json")
        assert overview.headers["content-type"] == "application/json"
        for run in json.loads(overview.body)["runs"]:
            answer = ask(f"/data/run.json?{urlencode({'id': run['id']})}")
            assert json.loads(answer.body)["id"] == run["id"]
            assert ask(file(run["id"], "config.yaml")).headers["content-type"].startswith("text/plain")
        assert json.loads(ask(f"/data/group.json?{urlencode({'tag': SCRIPT})}").body)["lines"]


def test_a_root_that_has_gone_is_said_and_the_server_lives_on(tmp_path: Path) -> None:
    write_small_run(tmp_path / "runs" / "d4-1")
    with served(tmp_path / "runs") as address:
        ask = asking(address)
        assert ask("/data/overview.json").status == 200
        (tmp_path / "runs").rename(tmp_path / "moved")
        answer = ask("/data/overview.json")
        assert answer.status == 503
        assert "is not a folder" in json.loads(answer.body)["problem"]
        (tmp_path / "moved").rename(tmp_path / "runs")
        assert ask("/data/overview.json").status == 200


def test_a_port_that_is_taken_is_refused_with_the_next_step() -> None:
    with listen("127.0.0.1", 0) as bound, pytest.raises(ValueError, match="choose another with --port, 0 for any"):
        listen("127.0.0.1", bound.getsockname()[1])
