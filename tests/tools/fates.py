"""Fault injection: each function here arranges, inside a process, what will go wrong in it later.

A test cannot ask the operating system to kill a process exactly while it renames `summary.json`. So the process itself
watches where it is: `sys.setprofile` calls a function of ours at every call of a Python or built-in function; when the
n-th call of the named one is about to begin, that function sends its own process a real signal, or has the kernel limit
the size of files (RLIMIT_FSIZE), so that the next write stops half-way or fails as on a full disk. The program under
test is not changed and cannot tell the signal from one of a scheduler. Example: `("die_in", "files.py", "replace", 2)`
kills with SIGKILL just before the second `replace` that any file whose path ends in files.py calls.

There are two ways in. `ForkServer.run(..., fate=(name, *arguments))` calls the function in the forked process before
its script begins. For a process started afresh, and all that it starts (workers of torchrun, shards, launchers), put
the folder `fated` on PYTHONPATH: Python imports the `sitecustomize.py` in it before anything else.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def tell_of_writing() -> None:
    """Anything made, changed or removed, anywhere, becomes a line on stderr, which the tests count."""

    def tell(event: str, arguments: tuple[Any, ...]) -> None:
        subject = arguments[0] if arguments else ""
        flags = arguments[2] if event == "open" and isinstance(arguments[2], int) else 0
        named = subject != os.devnull and not isinstance(subject, int)  # a number is a stream that is open already
        opened = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and named
        made = event == "os.mkdir" and not os.path.isdir(subject)  # Hydra asks for its folder, which is there: "."
        changed = event in ("os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate")
        if opened or made or changed:
            print(f"WROTE: {event} {subject}", file=sys.stderr)

    sys.addaudithook(tell)


def die(number: int) -> None:
    os.kill(os.getpid(), number)


def die_in(file: str, function: str, nth: int, number: int = signal.SIGKILL) -> None:
    """Sends itself a signal at the n-th call (from 1) of a function, or by `file` of a built-in one, before it acts."""
    _at(file, function, nth, lambda: os.kill(os.getpid(), number))


def one_dies_in(file: str, function: str, nth: int) -> None:
    """As `die_in` with SIGKILL; of several processes, the first that comes there."""
    _at(file, function, nth, lambda: _is_first() and os.kill(os.getpid(), signal.SIGKILL))


def signal_the_parent_in(file: str, function: str, nth: int, number: int = signal.SIGKILL) -> None:
    """The process that started this one gets a signal at the n-th call of a function; of several, by the first."""
    parent = os.getppid()
    _at(file, function, nth, lambda: _is_first() and os.kill(parent, number))


def _is_first() -> bool:
    try:
        os.close(os.open("fate_was_here", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def _at(file: str, function: str, nth: int, act: Callable[[], object]) -> None:
    calls = 0

    def watch(frame: FrameType, event: str, called: Any) -> None:
        nonlocal calls
        name = frame.f_code.co_name if event == "call" else getattr(called, "__name__", "") if event == "c_call" else ""
        if name == function and frame.f_code.co_filename.endswith(file):
            calls += 1
            if calls == nth:
                act()

    sys.setprofile(watch)


def die_in_the_middle_of_a_write(num_bytes: int, *place: Any) -> None:
    """The system writes up to this size of a file and then kills the process (SIGXFSZ): a half file, as by kill -9.

    place: file, function and which call of it, as in `die_in`, from which on; else from the beginning.
    """
    _limit_files(num_bytes, signal.SIG_DFL, place)


def full_disk(num_bytes: int, *place: Any) -> None:
    """A write beyond this size of a file fails, as on a full disk; place as above."""
    _limit_files(num_bytes, signal.SIG_IGN, place)


def _limit_files(num_bytes: int, handler: signal.Handlers, place: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGXFSZ, handler)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, num_bytes))

    _at(*place, limit) if place else limit()
