"""trainer.shard=seeds: the files of one process; a shard that dies is in test_worker_crash.py."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from command import train
from safetensors.torch import load_file, save_file

from selfnorm import config
from selfnorm.runs.layout import FORK_COLUMNS
from selfnorm.training.shards import _merge, _network

JOB = ("dataset=digits", "scale=smoke", "model.depth=4", "normalization=batch", "activation=relu", "seeds=[4,0,2]",
       "progress=false", "logger.mode=disabled")  # fmt: skip
SHARDED = ("trainer.shard=seeds", "trainer.devices=2")
FILES = ("curves.csv", "network.safetensors")


def contents(runs: Path) -> dict[str, bytes]:
    (folder,) = {path.parent for path in runs.rglob("summary.json") if ".parts" not in path.parts}
    assert json.loads((folder / "summary.json").read_text())["state"] == "finished"
    assert not (folder / ".parts").exists()
    return {name: (folder / name).read_bytes() for name in FILES}


def rows_of(path: Path) -> list[tuple[str, ...]]:
    with path.open(newline="") as file:
        return list(map(tuple, csv.reader(file)))


@pytest.mark.slow
@pytest.mark.parametrize("spread", [SHARDED, ("trainer=ddp_cpu",)], ids=["seeds", "batch"])
def test_two_processes_write_the_forks_of_one(spread: tuple[str, ...], tmp_path: Path) -> None:
    forked = (*JOB, "dropout=standard", "training.epochs=3", "recording.forks.copies=3", "recording.forks.epochs=[1,2]")
    for name, words in (("one", ()), ("two", spread)):
        done = train(*forked, *words, f"runs_dir={tmp_path}/{name}")
        assert done.returncode == 0, done.stderr
        assert "deprecated" not in done.stderr
    one, two = (pd.read_csv(next((tmp_path / name).glob("*/*/*/*/forks.csv"))) for name in ("one", "two"))
    assert set(one["source"]) == {"order", "masks", "statistics", "all", "evaluation"}
    assert one["seed"].drop_duplicates().tolist() == [4, 0, 2]
    # fp32 sums in another order, over 8 steps before the last fork and 4 after it: 2e-8 was seen
    pd.testing.assert_frame_equal(one, two, rtol=1e-6)
    copies = one.groupby(["step", "seed", "source", "update"])["loss"]
    assert (copies.std() > 3e-6 * copies.mean()).all()  # more than is allowed above: no copy is taken for another


@pytest.mark.slow
def test_two_processes_of_their_own_seeds_write_the_files_of_one(tmp_path: Path) -> None:
    assert train(*JOB, f"runs_dir={tmp_path}/one").returncode == 0
    done = train(*JOB, *SHARDED, f"runs_dir={tmp_path}/two")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    one, two = (pd.read_csv(next((tmp_path / runs).glob("*/*/*/*/moments.csv"))) for runs in ("one", "two"))
    pd.testing.assert_frame_equal(one, two, rtol=1e-13)  # float64 sums over units in another order on some processors
    summaries = [json.loads(next((tmp_path / runs).rglob("summary.json")).read_text()) for runs in ("one", "two")]
    assert all(summary.pop("seconds") and summary["digests"].pop("moments.csv") for summary in summaries)
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


def test_seeds_of_a_shard_that_ended_early_are_nan_from_there(tmp_path: Path) -> None:
    columns = ["step", "epoch", "seed", "split", "loss", "accuracy"]
    shards = {
        "whole": [("0", "0", "7", "train", "2.5", "0.1"), ("0", "0", "7", "validation", "2.6", "0.1"),
                  ("5", "1", "7", "train", "1.5", "0.4")],
        "ended": [(*record, seed, split, "inf", "nan") for record in [("0", "0")] for split in ("train", "validation")
                  for seed in ("1", "3")],
    }  # fmt: skip
    for name, rows in shards.items():
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
    _merge([tmp_path / "whole", tmp_path / "ended"], [[7], [1, 3]], tmp_path / "merged")
    assert rows_of(tmp_path / "merged") == [
        tuple(columns),
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


def test_forks_of_shards_are_merged_record_by_record_with_seeds_in_order(tmp_path: Path) -> None:
    def rows(seeds: str, *updates: str) -> list[tuple[str, ...]]:
        return [("5", "1", seed, source, fork, update, f"{seed}.{fork}") for source in ("order", "all")
                for update in updates for seed in seeds for fork in "01"]  # fmt: skip

    for name, seeds, updates in (("whole", "79", ("2", "4")), ("ended", "1", ("2",))):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([list(FORK_COLUMNS), *rows(seeds, *updates)])
    _merge([tmp_path / "whole", tmp_path / "ended"], [[7, 9], [1]], tmp_path / "merged")
    nan = [(*row[:-1], "nan") if row[2] == "1" and row[5] == "4" else row for row in rows("791", "2", "4")]
    assert rows_of(tmp_path / "merged") == [tuple(FORK_COLUMNS), *nan]


def test_a_table_without_rows_is_merged_to_its_header(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("step,loss\n")
    _merge([tmp_path / "a", tmp_path / "a"], [[0], [1]], tmp_path / "merged")
    assert (tmp_path / "merged").read_text() == "step,loss\n"


def test_networks_are_joined_replica_after_replica(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    scale = {"input_mean_F": torch.ones(2), "input_std_F": torch.ones(2)}
    save_file({"w_RIO": torch.arange(8.0).view(2, 2, 2), **scale}, tmp_path / "a" / "network.safetensors")
    found = _network([tmp_path / "a", tmp_path / "b"], [[0, 1], [5]], [True, False])
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
