"""The examples in the docstrings of what users import give what they say."""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Callable

import pytest
import torch

from selfnorm import config
from selfnorm.networks import export
from selfnorm.training.job import run_job


@pytest.mark.parametrize("name", ["analysis.levels", "theory.solver", "networks.moments"])
def test_examples_give_what_they_say(name: str) -> None:
    found = doctest.testmod(importlib.import_module(f"selfnorm.{name}"))
    assert found.attempted > 0
    assert found.failed == 0


def test_the_example_of_a_finished_run_gives_what_it_says(make_job: Callable[..., config.Job]) -> None:
    job = make_job("seeds=[0,1]")
    run_job(job)
    known = {**vars(export), "folder": job.folder, "pixels": torch.rand(3, 64)}
    (example,) = doctest.DocTestFinder().find(export.load_run, "load_run", globs=known)
    assert doctest.DocTestRunner().run(example) == (0, 4)
