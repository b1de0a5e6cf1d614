"""train.py as a user runs it: one line for a mistake, help at once, a run folder for a job."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from command import SMOKE, train
from composed import ROOT
from tools.fork_server import ForkServer


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["model.depth=0"], "model.depth=0: input should be greater than or equal to 1"),
        (["model.dept=3"], "unknown key model.dept; legal here: depth, width, widths, "),
        (["activation=foo"], "activation=foo: legal are custom, dks, elu, gaussian_poincare, gelu, leaky_relu, "),
        (["+experiment=foo"], "experiment=foo: legal are batchnorm_deep, "),
        (["experiment=selu_deep"], "use +experiment=selu_deep"),
        (["dataset=mnist,digits"], "Ambiguous value for argument 'dataset=mnist,digits'"),
        (["model.depth=["], "model.depth=["),
        (["depth=16"], "unknown key depth; did you mean model.depth?"),
        (["lr=0.01"], "unknown key lr; did you mean optimizer.lr?"),
        (["--epochs", "5"], "unrecognized arguments: --epochs; keys are given as training.epochs=..."),
        (["seeds=3"], "seeds=3: a list is needed: seeds=[3]"),
        (["dropout=0.1"], "dropout=0.1: dropout is a group of keys: dropout.rate, dropout.input_rate"),
        (["dataset=mnits"], "fashion_mnist, mnist, table; did you mean mnist?"),
        (["-m"], "-m without choices: give several values, such as model.depth=8,16, or leave -m out"),
        (["tag=2024"], "tag=2024: is a number, and text is needed; in quotes it is text: \"tag='2024'\""),
        (["tag=a=b"], "; in quotes it is text: \"tag='a=b'\""),
        (["-m", "model.depth=1,1", "dataset=digits", "scale=smoke"], "cells 1 and 2 of 2 are one run, "),
        (["hydra.job.chdir=true"], "hydra.job.chdir: of Hydra's own keys these work here: hydra/launcher, "),
        (["+hydra.job.env_set.A=1", "hydra.run.dir=x"], "hydra.job.env_set.A, hydra.run.dir: of Hydra's own keys"),
        (["tag.x=3"], "tag"),
        (["seeds.x=1"], "invalid literal for int() with base 10: 'x'"),
        (["model=null"], "Config group override must be a string or a list"),
        (["activation=leaky_relu", "activation.slop=0.1"], "did you mean slope?"),
        (["dropout.rate=0.1"], "unknown key dropout.rate; legal here: name; dropout=standard, dropout=alpha has rate"),
        (
            ["activation=relu", "activation.learn=true"],
            "unknown key activation.learn; legal here: name; activation=selu has learn",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2_and_writes_nothing(
    arguments: list[str], words: str, command_server: ForkServer, tmp_path: Path
) -> None:
    folders = [f"runs_dir={tmp_path}/runs", f"data_dir={tmp_path}/data"]
    ended = command_server.run("train.py", [*arguments, *folders], tmp_path)
    assert ended.code == 2
    assert ended.out == ""
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    done = train(*SMOKE, f"runs_dir={tmp_path}/runs", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"train.py: runs_dir={tmp_path}/runs: not a directory; give another folder\n"


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("trainer", ["gpu", "ddp"])
def test_a_trainer_whose_devices_are_missing_is_refused_in_one_line(trainer: str, tmp_path: Path) -> None:
    done = train(*SMOKE, f"trainer={trainer}", f"runs_dir={tmp_path}/runs", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"trainer={trainer} needs 1 CUDA device and torch sees 0; use trainer=cpu" in done.stderr
    assert not list(tmp_path.iterdir())


def test_processes_that_would_each_start_the_sweep_are_refused(tmp_path: Path) -> None:
    done = train("-m", *SMOKE, "seeds=[0],[1]", "trainer=ddp_cpu", f"runs_dir={tmp_path}/runs", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("trainer=ddp_cpu in a sweep: each process would start the whole sweep") == 1


@pytest.mark.parametrize("arguments", [["--help"], ["model.depth=0"]])
def test_help_and_a_mistake_are_answered_without_importing_torch(arguments: list[str]) -> None:
    code = f"import sys; sys.argv = ['train.py', *{arguments!r}]; sys.path.insert(0, '.')\n"
    code += "import atexit, runpy; atexit.register(lambda: print('torch' in sys.modules))\nrunpy.run_path('train.py', "
    code += "run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "False"


def test_help_names_the_groups_and_their_choices() -> None:
    started = time.monotonic()
    done = train("--help")
    assert time.monotonic() - started < 20  # 2 s on an idle machine; the claim is that nothing heavy is loaded
    assert done.returncode == 0
    assert "experiment: " in done.stdout
    assert (
        "activation: custom, dks, elu, gaussian_poincare, gelu, leaky_relu, relu, selu, sigmoid, silu, tanh, tat"
        in done.stdout
    )


def test_a_job_leaves_curves_moments_a_wandb_run_and_one_sentence(tmp_path: Path) -> None:
    done = train(*SMOKE, f"runs_dir={tmp_path}/runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "mean ± sd over n=2 seeds" in done.stderr
    (folder,) = (tmp_path / "runs/selu_deep/digits/selu").iterdir()
    assert folder.name.startswith("d32-")
    assert pd.read_csv(folder / "moments.csv").layer.max() == 32
    assert len(list((folder / "wandb").glob("offline-run-*/run-*.wandb"))) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("activation=relu", "normalization=batch", "optimizer.lr=1e-4"),
        ("normalization=batch", "normalization.position=before", "training.loss=mean", "optimizer.lr=0.1"),
        ("dropout=alpha", "dropout.rate=0.1", "recording.samples=256", "optimizer.lr=1e-4"),
        ("normalization=weight", "optimizer=adam", "optimizer.lr=1e-4"),
    ],
    ids=["batch after", "batch before, mean loss", "alpha dropout", "weight, Adam"],
)
def test_two_processes_give_the_curve_and_moments_of_one(overrides: tuple[str, ...], tmp_path: Path) -> None:
    tables = {}
    for trainer in ("cpu", "ddp_cpu"):
        done = train(
            "dataset=digits", "scale=smoke", "dataset.train_limit=null", "model.depth=4", "training.epochs=3",
            *overrides,
            f"trainer={trainer}", f"runs_dir={tmp_path}/{trainer}", "logger.mode=offline", cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (folder,) = (tmp_path / trainer).glob("*/*/*/*")
        tables[trainer] = [pd.read_csv(folder / name) for name in ("curves.csv", "moments.csv")]
        assert len(list(folder.glob("wandb/offline-run-*"))) == 1
    for one, two in zip(tables["cpu"], tables["ddp_cpu"], strict=True):
        # fp32 sums in another order, over 30 steps; 1280 samples are two chunks, so both processes evaluate
        pd.testing.assert_frame_equal(one, two, rtol=2e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_that_the_same_command_finishes(sent: signal.Signals, code: int, tmp_path: Path) -> None:
    arguments = [*SMOKE, "training.epochs=400", "training.checkpoint_seconds=0", "logger.mode=disabled"]
    arguments += [f"runs_dir={tmp_path}/runs", "model.depth=2"]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *arguments], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("runs/*/*/*/*/checkpoint.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "interrupted; the same command goes on" in errors
    assert train(*arguments, cwd=tmp_path).returncode == 0
    (curves,) = tmp_path.glob("runs/*/*/*/*/curves.csv")
    steps = pd.read_csv(curves).query("split == 'train' and seed == 0").step.tolist()
    assert steps == [4 * epoch for epoch in range(401)]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.slow
@pytest.mark.parametrize("overrides", [(), ("activation=relu", "normalization=batch")], ids=["SNN", "BN"])
def test_a_gpu_gives_the_curve_of_the_cpu(overrides: tuple[str, ...], tmp_path: Path) -> None:
    curves = {}
    for trainer in ("cpu", "gpu"):
        done = train(*SMOKE, *overrides, f"trainer={trainer}", f"runs_dir={tmp_path}/{trainer}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        (path,) = (tmp_path / trainer).glob("*/*/*/*/curves.csv")
        curves[trainer] = pd.read_csv(path)
    pd.testing.assert_frame_equal(curves["cpu"], curves["gpu"], rtol=1e-3)  # fp32 in other orders, 8 steps
