"""W&B's own sweeps: the YAML expands to the cells of Figure 1, and an agent's run goes where the agent says."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from composed import ROOT, compose_job
from hydra.core.override_parser.overrides_parser import OverridesParser
from tracking.fake_wandb import FakeWandb
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from selfnorm import config
from selfnorm.training.job import run_job

Make = Callable[..., config.Job]
SWEEP: dict[str, Any] = yaml.safe_load((ROOT / "conf/wandb_sweep/figure1.yaml").read_text())


def agents_arguments() -> list[list[str]]:
    """The words that an agent puts for ${args_no_hyphens}, for each point of the grid."""
    choices = {name: part.get("values", [part.get("value")]) for name, part in SWEEP["parameters"].items()}
    points = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    commands = [{"args": {name: {"value": value} for name, value in point.items()}} for point in points]
    return [create_sweep_command_args(command)["args_no_hyphens"] for command in commands]


def test_the_sweep_trains_the_very_cells_of_figure1() -> None:
    figure1 = yaml.safe_load((ROOT / "conf/sweep/figure1.yaml").read_text())["hydra"]["sweeper"]["params"]
    values = [[f"{key}={value}" for value in listed.split(",")] for key, listed in figure1.items()]
    wanted = {compose_job(*cell, "+sweep=figure1").folder for cell in itertools.product(*values)}
    found = [compose_job(*arguments).folder for arguments in agents_arguments()]
    assert sorted(found) == sorted(wanted)
    assert len(found) == 12


def test_hydra_takes_every_argument_as_one_plain_override() -> None:
    fixed = [part for part in create_sweep_command(SWEEP["command"]) if "=" in part]
    for arguments in agents_arguments():
        overrides = OverridesParser.create().parse_overrides([*fixed, *arguments])
        assert not any(override.is_sweep_override() for override in overrides)
    assert compose_job(*fixed).logger.mode == "online"
    assert (ROOT / SWEEP["program"]).is_file()


def test_the_metric_of_the_sweep_is_one_that_runs_log(make_job: Make) -> None:
    from selfnorm.tracking.values import curve_values

    rows = [{"split": "train", "seed": 0, "loss": 1.0, "accuracy": 0.5}]
    assert SWEEP["metric"]["name"] in curve_values(rows)


def test_an_agents_run_goes_into_the_agents_project_and_run(
    make_job: Make, server: FakeWandb, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    agents = {"SWEEP_ID": "s1", "RUN_ID": "r1", "PROJECT": "theirs", "ENTITY": "team"}
    for name, value in agents.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    job = make_job("logger.mode=online", "logger.project=mine", "logger.entity=me")
    run_job(job)
    (run,) = server.runs.values()
    assert (run.name, run.project, run.entity, run.sweep) == ("r1", "theirs", "team", "s1")
    assert run.exit_code == 0
    assert (job.folder / "wandb_id").read_text() == "r1"
    assert "Ignoring" not in "".join(capfd.readouterr())
