"""Damages to a finished run folder by hand, half a copy or another version, and words of the reason that it gets."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save_file

Edit = Callable[[Path], Any]


def cut(name: str) -> Edit:
    return lambda folder: (folder / name).write_bytes(
        (folder / name).read_bytes()[: -((folder / name).stat().st_size // 2)]
    )


def until(name: str, mark: str) -> Edit:
    return lambda folder: (folder / name).write_text((folder / name).read_text().partition(mark)[0])


def write(name: str, text: str) -> Edit:
    return lambda folder: (folder / name).write_text(text)


def change(name: str, **values: Any) -> Edit:
    def edit(folder: Path) -> None:
        load, dump = (yaml.safe_load, yaml.safe_dump) if name.endswith("yaml") else (json.loads, json.dumps)
        (folder / name).write_text(dump(load((folder / name).read_text()) | values))

    return edit


def deep(depth: float) -> Edit:
    return change("config.yaml", model={"depth": depth, "width": 32, "block": "plain", "gain": None})


def stray_row(folder: Path) -> None:
    header, first, *others = (folder / "curves.csv").read_text().splitlines(keepends=True)
    fields = first.split(",")
    fields[2] = "7"
    (folder / "curves.csv").write_text("".join([header, first, ",".join(fields), *others]))


def without_last_line(name: str) -> Edit:
    return lambda folder: (folder / name).write_bytes(
        b"".join((folder / name).read_bytes().splitlines(keepends=True)[:-1])
    )


def alias_bomb() -> str:
    """Nine lists, each of nine times the list before: 9**9 items of 400 bytes of text."""
    lists = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]" for i in range(1, 10)]
    return "\n".join(["l0: &l0 [x, x, x, x, x, x, x, x, x]", *lists]) + "\n"


def remove(name: str) -> Edit:
    return lambda folder: (folder / name).unlink()


EDITS: dict[str, tuple[Edit, str]] = {  # what was done to the folder, words of the reason
    "config.yaml missing": (remove("config.yaml"), "no config.yaml"),
    "summary.json missing": (remove("summary.json"), "no summary.json"),
    "curves.csv missing": (remove("curves.csv"), "no curves.csv"),
    "half of config.yaml": (until("config.yaml", "optimizer:"), "config.yaml has no training.batch_size"),
    "half of summary.json": (cut("summary.json"), "summary.json cannot be read"),
    "half of curves.csv": (cut("curves.csv"), "curves.csv is not as the run wrote it: copy it whole, or run it again"),
    "half of moments.csv": (cut("moments.csv"), "moments.csv is not as the run wrote it: copy it whole"),
    "config.yaml empty": (write("config.yaml", ""), "config.yaml must hold a mapping, not NoneType"),
    "config.yaml a list": (write("config.yaml", "[1, 2]"), "config.yaml must hold a mapping, not list"),
    "config.yaml that would make a Python object": (
        write("config.yaml", "!!python/object/apply:os.system ['touch taken']"), "could not determine a constructor"),
    "config.yaml without a data set": (change("config.yaml", dataset=None), ""),
    "config.yaml of another version": (write("config.yaml", "version: 7\nnetwork: {layers: 3}"), "config.yaml has no"),
    "config.yaml of a million layers": (deep(1_000_001), "model.depth=1000001, and legal are 1 to 1000"),
    "config.yaml without a layer": (deep(0), "model.depth=0, and legal are 1 to 1000"),
    "config.yaml of endless layers": (deep(math.inf), "infinity"),
    "config.yaml with half a fixed point": (
        change("config.yaml", activation={"name": "selu", "fixed_point": [0.0]}), "not as a run writes"),
    "summary.json a list": (write("summary.json", "[]"), "summary.json must hold a mapping, not list"),
    "summary.json with a number for its seeds": (change("summary.json", seeds=5), "not as a run writes"),
    "summary.json with words for its seconds": (change("summary.json", seconds="long"), "could not convert"),
    "summary.json with a list of divergences": (change("summary.json", diverged=[1]), "not as a run writes"),
    "summary.json nested without end": (write("summary.json", "[" * 100_000), "summary.json cannot be read"),
    "curves.csv with words for a loss": (
        write("curves.csv", "step,epoch,seed,split,loss,accuracy\n0,0,0,train,low,1\n"), "holds text"),
    "curves.csv of another version": (write("curves.csv", "step,loss\n0,2.3\n"), "lacks the column"),
    "curves.csv a web page": (write("curves.csv", "<html>\n<body>\nNot found, sorry\n</body>\n</html>\n"), ""),
    "curves.csv with a row of a seed that is not the run's": (
        stray_row, "curves.csv has rows of seed 7, which summary.json does not list"),
    "config.yaml that unfolds into gigabytes": (write("config.yaml", alias_bomb()), "it has aliases or lists in lists"),
    "curves.csv without one seed's last row": (without_last_line("curves.csv"), "curves.csv is not as the run"),
    "moments.csv without its last row": (without_last_line("moments.csv"), "moments.csv is not as the run wrote it"),
    "curves.csv of a terabyte": (lambda folder: os.truncate(folder / "curves.csv", 1 << 40), "1099511627776 bytes"),
    "environment.json cut off": (write("environment.json", '{"versions"'), "Expecting"),
}  # fmt: skip


def other_network(folder: Path) -> None:
    described = yaml.safe_load((folder / "config.yaml").read_text())
    described["model"]["width"] = 31
    (folder / "config.yaml").write_text(yaml.safe_dump(described))


UNUSABLE: dict[str, tuple[Edit, str]] = {
    "no network.safetensors": (remove("network.safetensors"), "No such file"),
    "half of network.safetensors": (cut("network.safetensors"), "network.safetensors is not as the run wrote it"),
    "network.safetensors empty": (write("network.safetensors", ""), "holds no finished run"),
    "network.safetensors a pickle": (write("network.safetensors", "cos\nsystem\n(S'touch taken'\ntR."), "no finished"),
    "weights of another network": (other_network, "size mismatch"),
    "weights without what the inputs were standardized by": (
        lambda folder: (
            save_file({"output.weight_RIO": torch.zeros(1, 2, 3)}, folder / "network.safetensors"),
            change("summary.json", digests={})(folder),
        ),
        "network.safetensors lacks 'input_mean_F'"),
    "config.yaml with a key of another version": (change("config.yaml", momentum=3), "unknown key momentum"),
}  # fmt: skip
