"""The schema's keys: no default beside those of conf/, a range for every number, and a job at both ends of each."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, get_args

import annotated_types
import numpy as np
import pytest
from pydantic import BaseModel

from selfnorm.config import ConfigError, Job, parse_job
from selfnorm.config.parsing import LONGEST_VALUE
from selfnorm.sweeps.check import plain
from selfnorm.sweeps.compose import composed
from selfnorm.training.command import attempt

OTHERWISE_BOUNDED = {"fixed_point"}  # by `complete_selu`, which knows where a SELU exists


def models(annotation: Any = Job) -> Iterator[type[BaseModel]]:
    """Every model of the schema, from Job down."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models(field.annotation)
    else:
        for inner in get_args(annotation):
            yield from models(inner)


def limits(annotation: Any, metadata: list[Any]) -> Iterator[tuple[bool, bool]]:
    """For every number in an annotation: whether it is bounded from below and from above."""
    if annotation in (int, float):
        found = list(itertools.chain.from_iterable(getattr(item, "metadata", [item]) for item in metadata))
        yield (
            any(isinstance(item, annotated_types.Ge | annotated_types.Gt) for item in found),
            any(isinstance(item, annotated_types.Le | annotated_types.Lt) for item in found),
        )
    for inner in get_args(annotation):
        if isinstance(inner, type) or get_args(inner):
            yield from limits(inner, list(getattr(annotation, "__metadata__", ())))


def test_defaults_stand_in_conf_alone() -> None:
    given = [f"{model.__name__}.{name}" for model in models() for name, field in model.model_fields.items()
             if not field.is_required()]  # fmt: skip
    assert not given


def test_every_number_has_a_range() -> None:
    numbers = 0
    for model in models():
        for name, field in model.model_fields.items():
            if name not in OTHERWISE_BOUNDED:
                for bounded in limits(field.annotation, field.metadata):
                    numbers += 1
                    assert bounded == (True, True), f"{model.__name__}.{name}"
    assert numbers > 20  # the walk has found them


SELU, BN = (), ("activation=relu", "normalization=batch")
EXTREMES = {
    "activation.alpha=1e6": SELU,
    "activation.alpha=1e-300": SELU,
    "activation.lambda=1e6": SELU,
    "activation.lambda=1e-6": SELU,
    "activation.alpha=1000000.0": ("activation=elu",),
    "activation.alpha=1e-100": ("activation=elu",),
    "activation.slope=0.999999999": ("activation=leaky_relu",),
    "model.gain=1e6": SELU,
    "model.gain=1e-6": BN,
    "normalization.eps=1e-12": BN,
    "normalization.eps=1": BN,
    "normalization.momentum=1": BN,
    "optimizer.lr=1e30": BN,
    "optimizer.lr=1e-300": SELU,
    "optimizer.lr=1e+30": ("optimizer=adam",),
    "optimizer.momentum=0.999999999": SELU,
    "dropout.rate=0.9999999999": ("dropout=alpha",),
    "dropout.input_rate=0.9999999999": ("dropout=standard",),
    "training.checkpoint_seconds=1e9": SELU,
    "recording.samples=1000000000": SELU,
    "recording.every=1000000000": SELU,
    "trainer.devices=1024": ("trainer.shard=seeds", "seeds=[4]"),
    "seeds=[4294967295]": SELU,
}


@pytest.mark.parametrize(
    "extreme",
    [pytest.param(key, marks=[pytest.mark.slow] if key == "trainer.devices=1024" else []) for key in EXTREMES],
)  # the slow one starts a process that imports torch
def test_a_job_at_the_end_of_a_range_trains_or_diverges_without_a_traceback(
    extreme: str, make_job: Callable[..., Job], caplog: pytest.LogCaptureFixture
) -> None:
    job = make_job("model.depth=2", "model.width=8", "training.epochs=1", *EXTREMES[extreme], extreme)
    assert attempt(job) in (0, 3)
    assert "the job failed" not in caplog.text


@pytest.mark.parametrize("extreme", ["training.epochs=1000000000", "model.depth=1000"])
def test_a_large_count_composes(extreme: str, make_job: Callable[..., Job]) -> None:
    assert make_job(extreme)


def test_a_network_that_no_memory_holds_is_refused_in_one_line(
    make_job: Callable[..., Job], capfd: pytest.CaptureFixture[str]
) -> None:
    assert attempt(make_job("model.width=1000000", "model.depth=1000")) == 2
    assert "of memory" in capfd.readouterr().err


def test_every_fixed_point_that_a_selu_can_have_is_a_legal_job() -> None:
    configuration = plain(composed())
    legal, refusals = [], []
    means = [*(-np.geomspace(1e-3, 1e3, 4)), 0, *np.geomspace(1e-3, 1e3, 4)]
    for mean, variance in itertools.product(means, np.geomspace(1e-6, 1e6, 5)):
        asked = {"name": "selu", "fixed_point": [float(mean), float(variance)], "learn": False}
        try:
            legal.append(parse_job({**configuration, "activation": asked}))
        except ConfigError as error:
            refusals.append(str(error))
    assert len(legal) > 15
    assert all("no SELU has the fixed point" in refusal for refusal in refusals), refusals


def test_a_long_value_is_cut_off_in_its_message() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_job({**plain(composed()), "tag": "x" * 10_000})
    assert len(str(caught.value)) < 2 * LONGEST_VALUE
