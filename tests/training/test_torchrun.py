"""Processes that another program starts: torchrun's or srun's two give the curve of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from command import train
from composed import ROOT

JOB = ("dataset=digits", "scale=smoke", "dataset.train_limit=null", "model.depth=4", "activation=relu",
       "normalization=batch", "optimizer.lr=1e-4", "logger.mode=disabled", "progress=false")  # fmt: skip


RUN_AND_LOOK = """
import sys
from torch import distributed
from selfnorm.sweeps.compose import compose_job
from selfnorm.training.job import run_job

assert run_job(compose_job(*sys.argv[1:]))["state"] == "finished"
assert not distributed.is_initialized()
"""


def torchrun(*arguments: str, program: Path = ROOT / "train.py") -> subprocess.CompletedProcess[str]:
    start = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc_per_node", "2"]
    return subprocess.run(
        [sys.executable, *start, str(program), *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120, env=os.environ,
    )  # fmt: skip


def srun(port: int, *arguments: str) -> list[subprocess.CompletedProcess[str]]:
    """Two processes with the variables that `srun --ntasks-per-node=2` gives them."""
    job = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1", "SLURM_NODEID": "0",
           "SLURM_JOB_ID": "4711", "SLURM_STEP_NUM_TASKS": "2", "SLURM_JOB_NAME": "train",
           "SLURM_NODELIST": "127.0.0.1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}  # fmt: skip
    command = [sys.executable, str(ROOT / "train.py"), *arguments]
    ranks = [
        subprocess.Popen(
            command, cwd=ROOT, stderr=subprocess.PIPE, text=True,
            env=os.environ | job | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        errors = [process.communicate(timeout=120)[1] for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    return [
        subprocess.CompletedProcess(command, process.returncode, None, said)
        for process, said in zip(ranks, errors, strict=True)
    ]


@pytest.mark.slow
def test_sruns_two_processes_write_the_files_of_torchruns_and_one_says_so(tmp_path: Path, unused_port: int) -> None:
    assert torchrun(*JOB, "trainer=ddp_cpu", f"runs_dir={tmp_path}/torchrun").returncode == 0
    first, second = srun(unused_port, *JOB, "trainer=ddp_cpu", f"runs_dir={tmp_path}/srun")
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stderr.count("\n") == 2  # a sentence and the folder
    assert second.stderr == ""
    for name in ("curves.csv", "moments.csv", "network.safetensors"):
        ours, theirs = (next((tmp_path / runs).rglob(name)).read_bytes() for runs in ("srun", "torchrun"))
        assert ours == theirs


@pytest.mark.slow
def test_torchruns_two_processes_give_the_curve_and_moments_of_one_and_end_when_it_is_there(tmp_path: Path) -> None:
    assert train(*JOB, f"runs_dir={tmp_path}/one").returncode == 0
    done = torchrun(*JOB, "trainer=ddp_cpu", f"runs_dir={tmp_path}/two")
    assert done.returncode == 0, done.stderr
    for name in ("curves.csv", "moments.csv"):
        one, two = (pd.read_csv(next((tmp_path / runs).rglob(name))) for runs in ("one", "two"))
        # fp32 sums in another order, over 20 steps
        pd.testing.assert_frame_equal(one, two, rtol=2e-3, atol=1e-5)
    again = torchrun(*JOB, "trainer=ddp_cpu", f"runs_dir={tmp_path}/two")
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("finished already") == 1


@pytest.mark.slow
def test_no_process_keeps_its_group_after_the_job(tmp_path: Path) -> None:
    """The threads of a group that is still there at the end of Python abort the process now and then."""
    (tmp_path / "program.py").write_text(RUN_AND_LOOK)
    done = torchrun(*JOB, "trainer=ddp_cpu", f"runs_dir={tmp_path}/runs", program=tmp_path / "program.py")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_trainer_of_another_number_of_processes_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    done = torchrun(*JOB, "trainer=cpu", f"runs_dir={tmp_path}/runs")
    assert done.returncode != 0
    assert "train.py: torchrun started 2 processes and trainer=cpu trains in 1; start 1, or" in done.stderr
    assert not (tmp_path / "runs").exists()
