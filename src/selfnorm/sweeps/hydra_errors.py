"""Errors of Hydra, OmegaConf and this project in one line on stderr, with exit code 2.

In: a command that Hydra runs, or an error that it raised. Out: an exit code. Imports no torch.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from selfnorm import commandline
from selfnorm.config import ConfigError
from selfnorm.config.parsing import homes_of, keys_of, unknown_key

# Hydra's own keys that work here. A run folder's place and its files are this project's, and so is the working folder.
HYDRAS = ("hydra/launcher", "hydra/sweeper", "hydra.launcher.", "hydra.sweeper.", "hydra.sweep.dir", "hydra.mode")
REFUSALS = (HydraException, OmegaConfBaseException, ConfigError)


def exit_code_of(command: Callable[[], object], codes: list[int]) -> int:
    """Run a Hydra command; returns the largest exit code of its jobs and of the command itself.

    codes: the exit codes of the jobs, to which the command appends while it runs.
    """
    commandline.never_fail("stdout", "stderr")
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # Hydra raises its errors instead of printing several lines
    try:
        sys.argv[1:] = checked_arguments(sys.argv[1:])
        command()
    except KeyboardInterrupt:  # before or between jobs; an interrupted job prints a line of its own
        print("train.py: interrupted", file=sys.stderr)
        codes.append(commandline.INTERRUPTED)
    except SystemExit as ending:  # a sweep ends with the exit code of its cells, a signal with its own
        codes.append(ending.code if isinstance(ending.code, int) else 1)
    except Exception as error:  # jobs handle their own errors: this one is about the request, or a defect
        if not isinstance(error, (*REFUSALS, ValueError, OSError)) and not _comes_from_hydra(error):
            raise
        codes.append(refuse(error))
    return max(codes, default=0)


def refuse(error: Exception) -> int:
    """Name a mistake in the request in one line on stderr; returns the exit code for it."""
    return commandline.refuse("train.py", in_words(error))


def in_words(error: Exception) -> str:
    """Put an objection of Hydra, OmegaConf or this project into one line that fits a screen."""
    text = re.sub(r"\s(Config search path: |See https://hydra).*", "", " ".join(str(error).split()))
    text = text or f"Hydra cannot do this ({type(error).__name__})"
    if (override := getattr(error, "override", None)) is not None:  # Hydra could not parse it
        text = f"{override or repr(override)}: {text}{_how_to_quote(override)}"
    if missing := re.search(r"Could not find '([\w/]+)/([^/']+)' Available options in '[^']+': (.*)", text):
        group, choice, options = missing.groups()
        close = difflib.get_close_matches(choice, options.split(), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        text = f"{group}={choice}: legal are {', '.join(options.split())}{hint}"
    if unknown := re.match(r"Could not override '([\w.]+)'\. To append", text):
        group = getattr(error.__cause__, "parent_node", None)  # OmegaConf names the group where it looked for the key
        text = unknown_key(unknown[1], group.get("name") if isinstance(group, Mapping) else None)
    return commandline.one_line(text)


def checked_arguments(arguments: list[str]) -> list[str]:
    """Return the flags and then the overrides: Hydra does not take overrides on both sides of a flag.

    Raises ConfigError for flags that Hydra does not know or that are refused here, and for a key given twice.
    """

    def refuse(message: str) -> Any:
        raise ConfigError(f"{message}; see python train.py --help")

    # Python 3.14 looks at each help text as it is given, and one of Hydra 1.3's is an object that is no text
    argparse.ArgumentParser._check_help = lambda *_: None  # type: ignore[attr-defined]
    # The parser is private to Hydra, but no public function tells which flags Hydra takes.
    parser = get_args_parser()
    parser.error = refuse  # type: ignore[method-assign]  # argparse's own prints seven lines of usage first
    options, more = parser.parse_known_args(arguments)
    if unknown := [text for text in more if text.startswith("-")]:
        keys = [home for text in unknown for home in homes_of(text.lstrip("-").split("=")[0].replace("-", "_"))]
        hint = f"; keys are given as {', '.join(f'{key}=...' for key in keys)}" if keys else ""
        refuse(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    overrides = [*options.overrides, *more]
    if options.experimental_rerun is not None:
        refuse("--experimental-rerun would unpickle a file, and so run whatever is in it")
    keys = [override.split("=", 1)[0].lstrip("+~") for override in overrides]
    if repeated := sorted({key for key in keys if key and keys.count(key) > 1}):
        refuse(f"{', '.join(repeated)} given more than once")
    for key, value in (override.split("=", 1) for override in overrides if "=" in override):
        if (names := keys_of(key)) and re.fullmatch(r"-?[\d.]+(e-?\d+)?", value):
            refuse(f"{key}={value}: {key} is a group of keys: {', '.join(f'{key}.{name}' for name in names)}")
    # Lightning starts the other processes of a job with some of Hydra's keys
    if os.environ.get("LOCAL_RANK", "0") == "0" and (own := [key for key in keys if _is_only_hydras(key)]):
        refuse(f"{', '.join(own)}: of Hydra's own keys these work here: {', '.join(HYDRAS)}")
    flags = list(arguments)
    for override in overrides:
        flags.remove(override)
    return [*flags, *overrides]


def _is_only_hydras(key: str) -> bool:
    return key.split(".")[0].split("/")[0] == "hydra" and not key.startswith(HYDRAS)


def _how_to_quote(override: str) -> str:
    """Return a hint where Hydra would take the value in quotes, or nothing."""
    key, _, value = override.partition("=")
    quoted = f"{key}='{value}'"
    try:
        OverridesParser.create().parse_override(quoted)
    except HydraException:
        return ""
    shell = shlex.quote(quoted) if set(quoted) & set('"$`\\!') else f'"{quoted}"'
    return f"; in quotes it is text: {shell}"


def _comes_from_hydra(error: Exception) -> bool:
    """Tell whether Hydra raised an error: for some bad requests it raises a TypeError or an AssertionError."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals["__name__"].split(".")[0] in ("hydra", "omegaconf", "antlr4")
