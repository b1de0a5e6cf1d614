"""The exported file: whole, small, silent about the machine, and without a way to run a name as code."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from review.made_folders import SCRIPT, write_small_run

from selfnorm.review.catalogue import Catalogue
from selfnorm.review.export import export_html


class Elements(HTMLParser):
    """Tags with their attributes, and the text of each script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(("", {}))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.tags[-1] if self.tags else ("", {})
        if tag == "script":
            name = attributes.get("id") or "code"
            self.scripts[name] = self.scripts.get(name, "") + data


def unpacked(html: str) -> dict[str, Any]:
    """Name of a document -> its text."""
    scripts = Elements(html).scripts
    blocks = {key: gzip.decompress(base64.b64decode(text)) for key, text in scripts.items() if key != "code"}
    return {name: blocks[key].decode() for name, key in json.loads(blocks["index"]).items()}


def test_every_document_of_the_served_page_is_in_the_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_small_run(tmp_path / name / "d4-1")
    catalogue = Catalogue(tmp_path)
    found = unpacked(export_html(catalogue))
    assert set(found) == {"plotly", "overview", "run:a/d4-1", "run:b/d4-1", "group:figure1"}
    served = json.loads(catalogue.run("a/d4-1"))
    exported = json.loads(found["run:a/d4-1"])
    assert exported["moments"] == served["moments"]
    assert json.loads(found["group:figure1"]) == json.loads(catalogue.group("figure1"))
    assert [run["id"] for run in json.loads(found["overview"])["runs"]] == ["a/d4-1", "b/d4-1"]


def test_the_file_asks_for_nothing_and_its_policy_allows_its_own_scripts_only(tmp_path: Path) -> None:
    write_small_run(tmp_path / "d4-1")
    html = export_html(Catalogue(tmp_path))
    elements = Elements(html)
    for _, attributes in elements.tags:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith(("#", "data:,"))
    policy = next(a["content"] or "" for t, a in elements.tags if t == "meta" and "http-equiv" in a)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    for script in (elements.scripts["code"], unpacked(html)["plotly"]):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_hostile_names_are_nowhere_in_the_markup(hostile_root: Path) -> None:
    html = export_html(Catalogue(hostile_root))
    for text in (SCRIPT, "onerror", "<b>", "<i>", "document.title="):
        assert text not in html
    assert SCRIPT in json.loads(unpacked(html)["overview"])["runs"][0]["reason"]


def test_the_file_tells_no_path_of_this_machine(tmp_path: Path) -> None:
    folder = write_small_run(tmp_path / "runs" / "d4-1")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump(config | {"runs_dir": str(tmp_path), "data_dir": str(tmp_path)}))
    (folder / "environment.json").write_text(json.dumps({"command": f"python train.py runs_dir={tmp_path}"}))
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "config.yaml").write_text("[")
    for name, text in unpacked(export_html(Catalogue(tmp_path / "runs"))).items():
        assert str(tmp_path) not in text, name


def test_a_tag_chooses_runs_and_an_unknown_one_is_refused_with_those_there(tmp_path: Path) -> None:
    for tag in ("one", "two"):
        write_small_run(tmp_path / tag / "d4-1", tag=tag)
    found = unpacked(export_html(Catalogue(tmp_path), ("two",)))
    assert {name for name in found if ":" in name} == {"run:two/d4-1", "group:two"}
    with pytest.raises(ValueError, match="no run to export; tags: one, two"):
        export_html(Catalogue(tmp_path), ("three",))


@pytest.mark.slow
def test_24_runs_of_32_layers_take_less_than_8_megabytes(large_export: Path) -> None:
    html = large_export.read_text()
    assert len(re.findall(r'type="text/plain"', html)) == 24 + 2 + 3  # runs, tags; overview, index and plotly
    assert large_export.stat().st_size < 8e6
