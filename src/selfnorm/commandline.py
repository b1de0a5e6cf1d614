"""The command line of every script: its arguments, its folders, and its mistakes in one line on stderr.

In: what argparse takes. Out: a parser, types and defaults for its arguments, and exit codes: 2 for a mistake, which is
answered before anything is written, and 130 for Ctrl-C. Imports nothing heavy.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

EXTRAS = {  # packages that a default install does without, and the extra that brings each
    "pandas": "analysis",
    "matplotlib": "analysis",
    "plotly": "page",
    "starlette": "page",
    "uvicorn": "page",
    "wandb_workspaces": "dashboard",
    "flint": "proofs",
    "sklearn": "digits",
    "PIL": "images",
    "pyarrow": "tables",
}
INTERRUPTED, READ_ENOUGH = 130, 141  # exit codes, as a shell reports SIGINT and SIGPIPE


def runs_folder() -> Path:
    """Return the default root of the runs. conf/config.yaml and the Makefile read the same variable."""
    return Path(os.environ.get("SELFNORM_RUNS") or "runs")


def data_folder() -> Path:
    """Return the default folder of the data sets. conf/config.yaml reads the same variable."""
    return Path(os.environ.get("SELFNORM_DATA") or "data")


class Parser(argparse.ArgumentParser):
    """An argparse parser with one-line errors that refuses a repeated option and does not guess at short names."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self.repeatable: set[str] = set()

    def add_argument(self, *names: str, **options: Any) -> argparse.Action:
        if options.get("action") == "append":
            self.repeatable.update(names)
        return super().add_argument(*names, **options)

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        given = [text.split("=", 1)[0] for text in (sys.argv[1:] if args is None else args) if text.startswith("--")]
        if repeated := sorted({name for name in given if given.count(name) > 1} - self.repeatable):
            self.error(f"{', '.join(repeated)} given more than once")
        return super().parse_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        sys.exit(refuse(self.prog, f"{message}; see {self.prog} --help"))


def refuse(program: str, problem: object) -> int:
    """Name a mistake in one line on stderr; returns the exit code for it."""
    print(f"{program}: {one_line(problem, longest=2000)}", file=sys.stderr)
    return 2


@contextmanager
def interruptible() -> Iterator[None]:
    """End the process at once on Ctrl-C, without cleaning up: for imports, which may swallow a KeyboardInterrupt."""

    def end(number: int, frame: Any) -> NoReturn:
        with suppress(OSError):
            os.write(2, f"{_interrupted()}\n".encode())
        os._exit(INTERRUPTED)

    _prepare()
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # any other handler, or SIG_IGN, was chosen by the caller
        signal.signal(signal.SIGINT, end)
    try:
        yield
    except ModuleNotFoundError as error:
        sys.exit(_refuse_missing(error))
    finally:
        signal.signal(signal.SIGINT, before)


def _prepare() -> None:
    """Let matplotlib write files only: a notebook's cells hand down a backend that fails outside of the notebook."""
    os.environ["MPLBACKEND"] = "agg"
    never_fail("stderr")


def never_fail(*streams: str) -> None:
    """Drop what cannot be written to these standard streams: no work may end because nobody listens any more.

    A stream that was closed leads nowhere. Its number must not go to the next file that is opened, to which C libraries
    and child processes would write.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest free number, which is this
        stream = getattr(sys, name)
        if name != "stdin" and (stream is None or (name in streams and stream is getattr(sys, f"__{name}__"))):
            encoding, errors = (stream.encoding, stream.errors) if stream else ("utf-8", "replace")
            writer = io.BufferedWriter(_Heedless(number, "w", closefd=False))
            setattr(sys, name, io.TextIOWrapper(writer, encoding, errors, line_buffering=True))


class _Heedless(io.FileIO):
    def write(self, text: Any) -> int:
        try:
            written = super().write(text)
        except OSError:
            written = None
        return len(text) if written is None else written


def missing_extra(error: BaseException) -> str:
    """The package that an import did not find and the command that installs it; empty for any other error."""
    package = (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if package not in EXTRAS:
        return ""
    return f"{package} is not installed: pip install 'selfnorm[{EXTRAS[package]}]'"


def _refuse_missing(error: ModuleNotFoundError) -> int:
    """Name the extra that brings a missing package; the error goes on if no extra does."""
    if not (problem := missing_extra(error)):
        raise error
    return refuse(Path(sys.argv[0]).name, problem)


def _interrupted() -> str:
    return f"{Path(sys.argv[0]).name}: interrupted"


def run(main: Callable[[], int | None]) -> NoReturn:
    """End a script with the exit code that `main` returns; a file that cannot be read or written is one line."""
    _prepare()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal whose encoding has no ± gets a question mark
    try:
        code = main() or 0
        sys.stdout.flush()  # an error of the flush at the end of the process could not be caught
    except BrokenPipeError:  # `scripts/runs.py | head` has read enough
        code = READ_ENOUGH
    except ModuleNotFoundError as error:
        code = _refuse_missing(error)
    except OSError as error:
        code = refuse(Path(sys.argv[0]).name, error)
    except KeyboardInterrupt:
        print(_interrupted(), file=sys.stderr)
        code = INTERRUPTED
    try:
        sys.stdout.flush()
    except OSError:  # the same flush at the end of the process would change its exit code
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def one_line(text: object, *, longest: int = 600) -> str:
    """Text from a file or a command line, fit for a terminal: one line without escape sequences."""
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(text).split()))
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def word(text: str) -> str:
    """Return the text if it is not empty. An empty one mostly comes of a shell variable that is not set."""
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty: leave it out, or say which")
    return text


def checked(check: Callable[[str], str]) -> Callable[[str], str]:
    """Make a type for arguments of a check that raises ValueError with the end of a sentence."""

    def typed(text: str) -> str:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} {error}") from None

    return typed


def folder(text: str) -> Path:
    """Return the path of an existing folder."""
    if not text or not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return Path(text)


def new_folder(text: str) -> Path:
    """Return the path of a folder that exists or can be made, so that hours of work do not end in an error."""
    path = Path(text)
    if not text:
        raise argparse.ArgumentTypeError(f"{text!r} is not a name for a folder")
    nearest = next(part for part in (path, *path.parents) if part.exists())
    if not nearest.is_dir():
        raise argparse.ArgumentTypeError(f"{nearest} is not a folder, so {text!r} cannot be one")
    return path
