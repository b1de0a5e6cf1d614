"""What hands, half a copy or another version do to a finished run folder, and words of the reason that it gets."""

from __future__ import annotations

import json
import math
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


def remove(name: str) -> Edit:
    return lambda folder: (folder / name).unlink()


EDITS: dict[str, tuple[Edit, str]] = {  # what was done to the folder, words of the reason
    "config.yaml missing": (remove("config.yaml"), "no config.yaml"),
    "summary.json missing": (remove("summary.json"), "no summary.json"),
    "curves.csv missing": (remove("curves.csv"), "no curves.csv"),
    "half of config.yaml": (cut("config.yaml"), ""),
    "half of summary.json": (cut("summary.json"), "Expecting"),
    "half of curves.csv": (cut("curves.csv"), "curves.csv ends at step 4 of 8: copy it whole, or run it again"),
    "half of moments.csv": (cut("moments.csv"), "moments.csv ends at step 4 of 8: copy it whole, or run it again"),
    "config.yaml empty": (write("config.yaml", ""), "must be a mapping"),
    "config.yaml a list": (write("config.yaml", "[1, 2]"), "must be a mapping"),
    "config.yaml that would make a Python object": (
        write("config.yaml", "!!python/object/apply:os.system ['touch taken']"), "could not determine a constructor"),
    "config.yaml without a data set": (change("config.yaml", dataset=None), ""),
    "config.yaml of another version": (write("config.yaml", "version: 7\nnetwork: {layers: 3}"), "config.yaml has no"),
    "config.yaml of a million layers": (deep(1_000_001), "model.depth=1000001, and legal are 1 to 1000"),
    "config.yaml without a layer": (deep(0), "model.depth=0, and legal are 1 to 1000"),
    "config.yaml of endless layers": (deep(math.inf), "infinity"),
    "config.yaml with half a fixed point": (
        change("config.yaml", activation={"name": "selu", "fixed_point": [0.0]}), "not as a run writes"),
    "summary.json a list": (write("summary.json", "[]"), "one with a state"),
    "summary.json with a number for its seeds": (change("summary.json", seeds=5), "not as a run writes"),
    "summary.json with words for its seconds": (change("summary.json", seconds="long"), "could not convert"),
    "summary.json with a list of divergences": (change("summary.json", diverged=[1]), "not as a run writes"),
    "summary.json nested without end": (write("summary.json", "[" * 100_000), "not as a run writes"),
    "curves.csv with words for a loss": (
        write("curves.csv", "step,epoch,seed,split,loss,accuracy\n0,0,0,train,low,1\n"), "holds text"),
    "curves.csv of another version": (write("curves.csv", "step,loss\n0,2.3\n"), "lacks the column"),
    "curves.csv a web page": (write("curves.csv", "<html>\n<body>\nNot found, sorry\n</body>\n</html>\n"), ""),
    "curves.csv with a row of a seed that is not the run's": (
        stray_row, "curves.csv has rows of seed 7, which summary.json does not list"),
    "environment.json cut off": (write("environment.json", '{"versions"'), "Expecting"),
}  # fmt: skip


def other_network(folder: Path) -> None:
    described = yaml.safe_load((folder / "config.yaml").read_text())
    described["model"]["width"] = 31
    (folder / "config.yaml").write_text(yaml.safe_dump(described))


UNUSABLE: dict[str, tuple[Edit, str]] = {
    "no network.safetensors": (remove("network.safetensors"), "No such file"),
    "half of network.safetensors": (cut("network.safetensors"), "holds no finished run"),
    "network.safetensors empty": (write("network.safetensors", ""), "holds no finished run"),
    "network.safetensors a pickle": (write("network.safetensors", "cos\nsystem\n(S'touch taken'\ntR."), "no finished"),
    "weights of another network": (other_network, "size mismatch"),
    "weights without what the inputs were standardized by": (
        lambda folder: save_file({"output.weight_RIO": torch.zeros(1, 2, 3)}, folder / "network.safetensors"),
        "network.safetensors lacks 'input_mean_F'"),
    "config.yaml with a key of another version": (change("config.yaml", momentum=3), "unknown key momentum"),
}  # fmt: skip
