"""Checking a composed configuration: plain dictionaries go in; a `Job` comes out, or a `ConfigError` in one line.

The line names each bad value and the legal ones. Imports no torch.
"""

from __future__ import annotations

import difflib
import os
from typing import Any, get_args

from pydantic import ValidationError

from selfnorm.commandline import one_line
from selfnorm.config.job import Job
from selfnorm.config.rules import RULES

LONGEST_VALUE = 120


class ConfigError(ValueError):
    """A configuration that asks for something that does not exist or cannot work."""


def parse_job(config: dict[str, Any]) -> Job:
    """Check a composed configuration; raises `ConfigError` naming each bad value and the legal ones."""
    try:
        job = Job.model_validate(config)
    except ValidationError as error:
        raise ConfigError(one_line("; ".join(_sentence(fault, config) for fault in error.errors()))) from None
    for rule in RULES:
        if problem := rule(job):
            raise ConfigError(one_line(problem))
    return job


def unknown_key(name: str, chosen: str | None = None) -> str:
    """Name the legal keys, and the closest one, for a key that the configuration does not have.

    chosen: the member of the key's group, such as relu of activation, whose keys are legal; without one, the keys of
    all members are.
    """
    if name in Job.model_fields:  # a group, given a value
        return f"{name} is a group: choose one of its files, {name}=..., or set a key of it, {name}.key=..."
    *parents, key = name.split(".")
    if not parents or parents[0] not in Job.model_fields:
        homes = homes_of(key)
        if homes:
            return f"unknown key {name}; did you mean {' or '.join(homes)}?"
        return _unknown(name, key, _legal_keys(()))
    group = parents[0]
    if not _members(group):
        return f"unknown key {name}; {group} is a value and has no keys: {group}=..."
    owners = [f"{group}={member}" for member, keys in _members(group) if key in keys]
    text = _unknown(name, key, _legal_keys((group, chosen) if chosen else (group,)))
    return text + (f"; {', '.join(owners)} has {key}" if owners else "")


def keys_of(group: str) -> list[str]:
    """The keys of a group of the configuration; empty if it is none."""
    return [key for key in _legal_keys((group,)) if key != "name"] if group in Job.model_fields else []


def homes_of(key: str) -> list[str]:
    """The full names of a key without its group, or of the closest one: `lr` is optimizer.lr; none if none is close."""
    groups = {group: keys_of(group) for group in Job.model_fields}
    close = difflib.get_close_matches(key, {key for keys in groups.values() for key in keys}, n=1, cutoff=0.75)
    return [f"{group}.{close[0]}" for group, keys in groups.items() if close and close[0] in keys]


def _unknown(name: str, key: str, legal: list[str]) -> str:
    close = difflib.get_close_matches(key, legal, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown key {name}; legal here: {', '.join(legal)}{hint}"


def _sentence(fault: Any, config: dict[str, Any]) -> str:
    """Put a validation fault into words: key=value, the fault, the legal values."""
    path = [str(step) for step in fault["loc"] if str(step) in _keys_along(fault["loc"], config)]
    name, value = ".".join(path), fault["input"]
    match fault["type"]:
        case "extra_forbidden":
            return _unknown(name, path[-1], _legal_keys(fault["loc"][:-1]))
        case "missing":
            return f"{'.'.join([*path, str(fault['loc'][-1])])} is missing"
        case "union_tag_invalid":
            return f"{name}.name={value.get('name')!r}: legal are {fault['ctx']['expected_tags']}"
        case "literal_error":
            from_variable = name == "logger.mode" and value == os.environ.get("WANDB_MODE")
            source = ", taken from WANDB_MODE" if from_variable else ""
            return f"{name}={_shown(value)}{source}: legal are {fault['ctx']['expected']}"
        case "value_error":
            whole = isinstance(value, dict)  # the message of a whole group names its keys itself
            return str(fault["ctx"]["error"]) if whole else f"{name}={_shown(value)} {fault['ctx']['error']}"
        case "string_type" if isinstance(value, bool | int | float):
            return f"{name}={value}: is a number, and text is needed; in quotes it is text: \"{name}='{value}'\""
        case "list_type":
            return f"{name}={_shown(value)}: a list is needed: {name}=[{value}]"
        case "less_than_equal":  # pydantic writes 1e30 with all its zeros
            return f"{name}={_shown(value)}: input should be less than or equal to {fault['ctx']['le']}"
        case _:
            return f"{name}={_shown(value)}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _shown(value: Any) -> str:
    """Write the value as Python does, cut off where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _keys_along(loc: tuple[Any, ...], config: Any) -> set[str]:
    """Select the steps of an error's path that are keys of the configuration, not names of union members."""
    keys: set[str] = set()
    for step in loc:
        try:
            config = config[step]
        except (LookupError, TypeError):  # a union member's name
            continue
        keys.add(str(step))
    return keys


def _legal_keys(loc: tuple[Any, ...]) -> list[str]:
    """List the keys that the schema knows at a path; a path that ends at a union has the keys of all members."""
    if not loc:
        return [field.alias or name for name, field in Job.model_fields.items()]
    members = [keys for member, keys in _members(str(loc[0])) if len(loc) == 1 or member == loc[1]]
    return list(dict.fromkeys(key for keys in members for key in keys))


def _members(group: str) -> list[tuple[str, list[str]]]:
    """Pair the name and the keys of everything that can be chosen for a group; without a choice the name is empty."""
    annotation: Any = Job.model_fields[group].annotation
    members = []
    for model in (annotation, *get_args(annotation)):
        if fields := getattr(model, "model_fields", None):
            keys = [field.alias or key for key, field in fields.items()]
            names = get_args(fields["name"].annotation) if "name" in fields else ()
            members += [(name, keys) for name in names or ("",)]
    return members
