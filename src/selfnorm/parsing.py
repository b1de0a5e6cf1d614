"""From the composed configuration to a checked `Job`, or to words that name what is wrong and what is legal.

In: plain dictionaries. Out: a `config.Job`, or `config.ConfigError` in one line. Imports no torch.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import ValidationError

from selfnorm.commandline import one_line
from selfnorm.config import ConfigError, Job

LONGEST_VALUE = 120


def unknown_key(name: str, chosen: str | None = None) -> str:
    """One line for a key that the configuration does not have: the legal ones, and the closest.

    chosen: the member of a group, such as relu of activation, whose keys are legal; of all its members if not known.
    """
    if name in Job.model_fields:  # a group, given a value
        return f"{name} is a group: choose one of its files, {name}=..., or set a key of it, {name}.key=..."
    *parents, key = name.split(".")
    if not parents or parents[0] not in Job.model_fields:
        return _unknown(name, key, _legal_keys(()))
    group = parents[0]
    owners = [f"{group}={member}" for member, keys in _members(group) if key in keys]
    text = _unknown(name, key, _legal_keys((group, chosen) if chosen else (group,)))
    return text + (f"; {', '.join(owners)} has {key}" if owners else "")


def _unknown(name: str, key: str, legal: list[str]) -> str:
    close = difflib.get_close_matches(key, legal, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown key {name}; legal here: {', '.join(legal)}{hint}"


def in_words(error: Exception) -> str:
    """An objection of Hydra's, of OmegaConf's or of ours to a request, in one line that fits a screen."""
    text = re.sub(r"\s(Config search path: |See https://hydra).*", "", " ".join(str(error).split()))
    text = text or f"Hydra cannot do this ({type(error).__name__})"
    if (override := getattr(error, "override", None)) is not None:  # Hydra could not parse it
        text = f"{override or repr(override)}: {text}"
    if unknown := re.match(r"Could not override '([\w.]+)'\. To append", text):
        group = getattr(error.__cause__, "parent_node", None)  # OmegaConf's: where the key was looked for
        text = unknown_key(unknown[1], group.get("name") if isinstance(group, Mapping) else None)
    return one_line(text)


def parse_job(config: dict[str, Any]) -> Job:
    """Check a composed configuration; raises `ConfigError` naming each bad value and the legal ones."""
    try:
        return Job.model_validate(config)
    except ValidationError as error:
        raise ConfigError(one_line("; ".join(_sentence(fault, config) for fault in error.errors()))) from None


def _sentence(fault: Any, config: dict[str, Any]) -> str:
    """One validation fault in words: key=value: what is wrong, what is legal."""
    path = [str(step) for step in fault["loc"] if str(step) in _keys_along(fault["loc"], config)]
    name, value = ".".join(path), fault["input"]
    match fault["type"]:
        case "extra_forbidden":
            return _unknown(name, path[-1], _legal_keys(fault["loc"][:-1]))
        case "missing":
            return f"{'.'.join(str(step) for step in fault['loc'])} is missing"
        case "union_tag_invalid":
            return f"{name}.name={value.get('name')!r}: legal are {fault['ctx']['expected_tags']}"
        case "literal_error":
            return f"{name}={_shown(value)}: legal are {fault['ctx']['expected']}"
        case "value_error":
            whole = not name or isinstance(value, dict)  # the fault of a part names its keys itself
            return str(fault["ctx"]["error"]) if whole else f"{name}={_shown(value)} {fault['ctx']['error']}"
        case _:
            return f"{name}={_shown(value)}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _shown(value: Any) -> str:
    """The value as Python writes it, its beginning where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _keys_along(loc: tuple[Any, ...], config: Any) -> set[str]:
    """The steps of an error's path that are keys of the configuration, not names of union members."""
    keys: set[str] = set()
    for step in loc:
        try:
            config = config[step]
        except (LookupError, TypeError):  # a union member's name
            continue
        keys.add(str(step))
    return keys


def _legal_keys(loc: tuple[Any, ...]) -> list[str]:
    """The keys that the schema knows at a path: of the union's member that the path names, or of all its members."""
    if not loc:
        return [field.alias or name for name, field in Job.model_fields.items()]
    found = [keys for member, keys in _members(str(loc[0])) if len(loc) == 1 or member == loc[1]]
    return list(dict.fromkeys(key for keys in found for key in keys))


def _members(group: str) -> list[tuple[str, list[str]]]:
    """What can be chosen for a group by name, and the keys of each; of a part without choices its keys alone."""
    annotation: Any = Job.model_fields[group].annotation
    members = []
    for part in (annotation, *get_args(annotation)):
        if fields := getattr(part, "model_fields", None):
            keys = [field.alias or key for key, field in fields.items()]
            names = get_args(fields["name"].annotation) if "name" in fields else ()
            members += [(name, keys) for name in names or ("",)]
    return members
