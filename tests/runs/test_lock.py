"""The lock of a run folder: held by one process, tested by readers, released by the kernel."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from selfnorm import config
from selfnorm.runs.layout import LOCK
from selfnorm.runs.state import RunFolderBusy, claim, is_free
from selfnorm.training.job import run_job

Make = Callable[..., config.Job]


def test_two_processes_do_not_train_the_same_run(make_job: Make) -> None:
    job = make_job()
    job.folder.mkdir(parents=True)
    with claim(job.folder, wait=False), pytest.raises(RunFolderBusy, match="another process is training"):
        run_job(job)


def test_a_page_that_looks_at_a_run_does_not_keep_a_job_from_it(make_job: Make) -> None:
    job = make_job()
    job.folder.mkdir(parents=True)
    with (job.folder / ".lock").open("w") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)  # as is_free
        threading.Timer(0.3, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        assert is_free(job.folder)
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.3, lambda: fcntl.flock(looking, fcntl.LOCK_UN)).start()
        assert run_job(job)["state"] == "finished"


def test_a_folder_is_not_emptied_while_a_shard_of_a_killed_job_still_writes_into_it(make_job: Make) -> None:
    job = make_job("overwrite=true")
    shard = job.folder / ".parts" / "some_seeds"
    shard.mkdir(parents=True)
    held = threading.Event()
    seen: list[bool] = []

    def write_on() -> None:
        with claim(shard, wait=False):
            held.set()
            time.sleep(1)
            seen.append(shard.exists())

    threading.Thread(target=write_on).start()
    held.wait()
    run_job(job)
    assert seen == [True]
    assert not shard.exists()


def test_readers_do_not_take_each_other_for_a_job(tmp_path: Path) -> None:
    with claim(tmp_path, wait=False):
        assert not is_free(tmp_path)
    assert is_free(tmp_path)
    with (tmp_path / LOCK).open() as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert is_free(tmp_path)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to(path.parent / "elsewhere")])
def test_what_is_no_lock_is_not_waited_for(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / LOCK)
    assert not is_free(tmp_path)


def test_waiting_is_said_and_ends_when_the_holder_is_killed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hold = (
        "import sys, time; from pathlib import Path; from selfnorm.runs.state import claim\n"
        "with claim(Path(sys.argv[1]), wait=False): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == "held\n"
        threading.Timer(1.5, lambda: holder.send_signal(signal.SIGKILL)).start()  # later than a reader's look lasts
        with claim(tmp_path, wait=True):
            assert holder.wait(timeout=30) == -signal.SIGKILL
    assert capfd.readouterr().err == f"waits for the process that trains it: {tmp_path}\n"
