"""What a shell hands over: flags between overrides, signs that Hydra takes in quotes only, a home folder."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import pytest
from composed import compose_job
from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException

from selfnorm.config import ConfigError
from selfnorm.sweeps.hydra_errors import checked_arguments, in_words


@pytest.mark.parametrize("given", ["-m a=1 b=2", "a=1 -m b=2", "a=1 b=2 -m"])
def test_flags_stand_wherever_they_like(given: str) -> None:
    assert checked_arguments(given.split()) == ["-m", "a=1", "b=2"]
    with_value = checked_arguments(["a=1", "--cfg", "job", "~b"])
    assert with_value == ["--cfg", "job", "a=1", "~b"]


@pytest.mark.parametrize("given", ["a=1 --nope b=2", "a=1 -m a=2", "--multirun a=1 -z"])
def test_a_mistake_among_them_is_still_one(given: str) -> None:
    with pytest.raises(ConfigError, match=r"see python train\.py --help"):
        checked_arguments(given.split())


def test_a_python_that_looks_at_every_help_text_takes_hydras(monkeypatch: pytest.MonkeyPatch) -> None:
    def add_and_check(self: argparse.ArgumentParser, *names: str, **options: Any) -> Any:
        action = add(self, *names, **options)
        self._check_help(action)  # type: ignore[attr-defined]
        return action

    add = argparse.ArgumentParser.add_argument
    looks = lambda self, action: action.help and "%" in action.help  # noqa: E731
    monkeypatch.setattr(argparse.ArgumentParser, "_check_help", looks, raising=False)
    monkeypatch.setattr(argparse.ArgumentParser, "add_argument", add_and_check)
    with pytest.raises(TypeError, match="LazyCompletionHelp"):
        get_args_parser()
    assert checked_arguments(["a=1", "-m"]) == ["-m", "a=1"]


@pytest.mark.parametrize("value", ["Läufe", "a=b", "a(b", "50;y", "~/x"])
def test_a_value_that_needs_quotes_is_shown_in_quotes_that_work(value: str) -> None:
    with pytest.raises(HydraException) as refused:
        compose_job(f"runs_dir={value}")
    said = in_words(refused.value)
    hint = said.rpartition("in quotes it is text: ")[2]
    assert hint == f"\"runs_dir='{value}'\""
    assert compose_job(hint.strip('"')).runs_dir == os.path.expanduser(value)


def test_a_home_folder_is_what_a_shell_would_make_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert compose_job("runs_dir='~/x'").runs_dir == f"{tmp_path}/x"


def test_lightnings_other_processes_may_use_hydras_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"hydra\.run\.dir: of Hydra's own keys"):
        checked_arguments(["hydra.run.dir=x"])
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert checked_arguments(["hydra.run.dir=x"]) == ["hydra.run.dir=x"]


@pytest.mark.parametrize(("variable", "mode"), [(None, "offline"), ("online", "online"), ("disabled", "disabled")])
def test_wandbs_own_variable_is_the_default(variable: str | None, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    if variable:
        monkeypatch.setenv("WANDB_MODE", variable)
    assert compose_job().logger.mode == mode
    assert compose_job("logger.mode=offline").logger.mode == "offline"


def test_wandbs_own_variable_with_a_mistake_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "foo")
    with pytest.raises(ConfigError, match=r"logger\.mode='foo', taken from WANDB_MODE: legal are 'online', "):
        compose_job()
