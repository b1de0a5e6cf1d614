"""trainer.shard=seeds: the files of one process; what happens to its parts is in hardening/test_worker_crash.py."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_command import train

from selfnorm import config
from selfnorm.training.shards import _merged, _network

JOB = ("dataset=digits", "scale=smoke", "model.depth=4", "normalization=batch", "activation=relu", "seeds=[4,0,2]",
       "progress=false", "logger.mode=disabled")  # fmt: skip
SHARDED = ("trainer.shard=seeds", "trainer.devices=2")
FILES = ("curves.csv", "moments.csv", "network.safetensors")


def contents(runs: Path) -> dict[str, bytes]:
    (folder,) = {path.parent for path in runs.rglob("summary.json") if ".parts" not in path.parts}
    assert json.loads((folder / "summary.json").read_text())["state"] == "finished"
    assert not (folder / ".parts").exists()
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.slow
def test_two_processes_of_their_own_seeds_write_the_files_of_one(tmp_path: Path) -> None:
    assert train(*JOB, f"runs_dir={tmp_path}/one").returncode == 0
    done = train(*JOB, *SHARDED, f"runs_dir={tmp_path}/two")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    summaries = [json.loads(next((tmp_path / runs).rglob("summary.json")).read_text()) for runs in ("one", "two")]
    assert all(summary.pop("seconds") for summary in summaries)
    assert summaries[0] == summaries[1]
    assert "finished already" in train(*JOB, f"runs_dir={tmp_path}/two").stderr  # the same run, however it is spread


@pytest.mark.slow
def test_shards_that_all_diverge_leave_the_summary_and_the_curves_of_one_process(tmp_path: Path) -> None:
    found = {}
    for name, words in {"one": (), "two": SHARDED}.items():
        wild = (*JOB[:3], "activation=relu", *JOB[5:], "optimizer.lr=1e6", "training.epochs=3")
        assert train(*wild, *words, f"runs_dir={tmp_path}/{name}").returncode == 3
        (folder,) = {path.parent for path in (tmp_path / name).rglob("summary.json") if ".parts" not in path.parts}
        summary = json.loads((folder / "summary.json").read_text())
        assert summary.pop("seconds") > 0
        assert summary.pop("reason").startswith("every seed diverged")
        found[name] = summary, (folder / "curves.csv").read_text()
    assert found["one"] == found["two"]
    assert set(found["two"][0]["diverged"]) == {"4", "0", "2"}


def test_seeds_of_a_part_that_ended_early_are_nan_from_there(tmp_path: Path) -> None:
    columns = ["step", "epoch", "seed", "split", "loss", "accuracy"]
    parts = {
        "whole": [("0", "0", "7", "train", "2.5", "0.1"), ("0", "0", "7", "validation", "2.6", "0.1"),
                  ("5", "1", "7", "train", "1.5", "0.4")],
        "ended": [(*record, seed, split, "inf", "nan") for record in [("0", "0")] for split in ("train", "validation")
                  for seed in ("1", "3")],
    }  # fmt: skip
    for name, rows in parts.items():
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
    found = [tuple(row.values()) for row in _merged(
        [tmp_path / "whole", tmp_path / "ended"], [[7], [1, 3]], ("step", "epoch", "split"))]  # fmt: skip
    assert found == [
        ("0", "0", "7", "train", "2.5", "0.1"),
        ("0", "0", "1", "train", "inf", "nan"),
        ("0", "0", "3", "train", "inf", "nan"),
        ("0", "0", "7", "validation", "2.6", "0.1"),
        ("0", "0", "1", "validation", "inf", "nan"),
        ("0", "0", "3", "validation", "inf", "nan"),
        ("5", "1", "7", "train", "1.5", "0.4"),
        ("5", "1", "1", "train", "nan", "nan"),
        ("5", "1", "3", "train", "nan", "nan"),
    ]


def test_networks_are_joined_replica_after_replica(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    scale = {"input_mean_F": torch.ones(2), "input_std_F": torch.ones(2)}
    save_file({"w_RIO": torch.arange(8.0).view(2, 2, 2), **scale}, tmp_path / "a" / "network.safetensors")
    found = _network([tmp_path / "a", tmp_path / "b"], [[0, 1], [5]])
    assert found["w_RIO"].shape == (3, 2, 2)
    assert torch.equal(found["w_RIO"][:2], load_file(tmp_path / "a" / "network.safetensors")["w_RIO"])
    assert found["w_RIO"][2].isnan().all()
    assert torch.equal(found["input_mean_F"], torch.ones(2))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("trainer=ddp_cpu", "trainer.shard=seeds"), "use it with trainer=cpu or gpu"),
        (("trainer.devices=2",), "add trainer.shard=seeds, or use trainer=ddp"),
        (("trainer.shard=both",), "'batch' or 'seeds'"),
    ],
)
def test_what_cannot_be_shared_is_refused(
    make_job: Callable[..., config.Job], arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(config.ConfigError, match=said):
        make_job(*arguments)
