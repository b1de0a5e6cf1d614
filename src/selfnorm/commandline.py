"""Arguments of the scripts: a mistake is answered in one line on stderr with exit code 2, before anything is written.

In: what argparse takes. Out: a parser, types for its arguments, and the line itself; Ctrl-C is a line too, and exit
code 130. Imports nothing heavy.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

INTERRUPTED, READ_ENOUGH = 130, 141  # exit codes, as a shell reports SIGINT and SIGPIPE


class Parser(argparse.ArgumentParser):
    """argparse's own prints its usage before each message, takes the last of two values, and guesses at short names."""

    def __init__(self, *, repeatable: Collection[str] = (), **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)
        self.repeatable = repeatable

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        given = [text.split("=", 1)[0] for text in (sys.argv[1:] if args is None else args) if text.startswith("--")]
        if repeated := sorted({name for name in given if given.count(name) > 1} - set(self.repeatable)):
            self.error(f"{', '.join(repeated)} given more than once")
        return super().parse_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        sys.exit(refuse(self.prog, f"{message}; see {self.prog} --help"))


def refuse(program: str, problem: object) -> int:
    """Names a mistake in one line on stderr; returns the exit code for it."""
    print(f"{program}: {one_line(problem, longest=2000)}", file=sys.stderr)
    return 2


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C ends the process here and now, for imports: thrown into one it comes out as any error, or as none at all.

    Nothing is cleaned up: for places where there is nothing yet.
    """

    def end(number: int, frame: Any) -> NoReturn:
        os.write(2, f"{_interrupted()}\n".encode())
        os._exit(INTERRUPTED)

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else it is ignored, or someone's who knows better
        signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupted() -> str:
    return f"{Path(sys.argv[0]).name}: interrupted"


def run(main: Callable[[], int | None]) -> NoReturn:
    """Ends a script with the exit code that `main` returns; a file that cannot be read or written is one line."""
    try:
        code = main() or 0
        sys.stdout.flush()  # here, not at the end of the process, where nobody could catch the next line's error
    except BrokenPipeError:  # `scripts/runs.py | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = READ_ENOUGH
    except OSError as error:
        code = refuse(Path(sys.argv[0]).name, error)
    except KeyboardInterrupt:
        print(_interrupted(), file=sys.stderr)
        code = INTERRUPTED
    sys.exit(code)


def one_line(said: object, *, longest: int = 600) -> str:
    """What a file or a command line holds may be anything: a terminal gets one line of it, and no escape sequences."""
    text = "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(said).split()))
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def word(text: str) -> str:
    """Anything but nothing: an empty word mostly comes of a shell's variable that is not set."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty: leave it out, or say which")
    return text


def checked(check: Callable[[str], str]) -> Callable[[str], str]:
    """A type for arguments of a check that raises ValueError with the end of a sentence."""

    def typed(text: str) -> str:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} {error}") from None

    return typed


def folder(text: str) -> Path:
    """A folder that is there."""
    if not text or not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return Path(text)


def new_folder(text: str) -> Path:
    """A folder that is there or can be made: known before hours of work would end in an error."""
    path = Path(text)
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is no name for a folder")
    for part in (path, *path.parents):
        if part.exists():
            if not part.is_dir():
                raise argparse.ArgumentTypeError(f"{part} is not a folder, so {text!r} cannot be one")
            break
    return path
