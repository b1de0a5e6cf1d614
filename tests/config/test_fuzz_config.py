"""Anything at all as a configuration: a Job comes out, or a ConfigError in one line that fits a screen."""

from __future__ import annotations

import copy
from typing import Any

from commands.bad_commands import base
from hypothesis import given, settings
from hypothesis import strategies as st

from selfnorm.config import ConfigError, Job, parse_job

FUZZ = settings(max_examples=400, deadline=None)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5)
    | st.sampled_from(("selu", "batch", "alpha", "sum", "mnist", "a/../b", "x" * 100_000, "\0", -1, 0, 1e308))
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def parts_and_keys() -> list[tuple[str, ...]]:
    """Every place of the configuration: groups, and the keys in them."""
    return [place for key, value in base().items()
            for place in [(key,), *((key, inner) for inner in (value if isinstance(value, dict) else ()))]]  # fmt: skip


PLACES = st.sampled_from(parts_and_keys()) | st.tuples(st.text(max_size=8), st.text(max_size=8))


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """A valid configuration with one to four places replaced, removed or added."""
    config = copy.deepcopy(base())
    for place in draw(st.lists(PLACES, min_size=1, max_size=4)):
        *parents, last = place
        part: Any = config
        for parent in parents:
            part = part.get(parent)
            if not isinstance(part, dict):
                break
        else:
            if draw(st.booleans()):
                part[last] = draw(VALUES)
            else:
                part.pop(last, None)
    return config


@FUZZ
@given(config=changed() | st.dictionaries(st.text(max_size=8), VALUES, max_size=4) | VALUES)
def test_a_fuzzed_configuration_is_a_job_or_one_clear_line(config: Any) -> None:
    try:
        job = parse_job(config)
    except ConfigError as error:
        text = str(error)
        assert 0 < len(text) <= 600
        assert text.isprintable()
        assert "pydantic" not in text
    else:
        assert isinstance(job, Job)
        assert job.folder.is_relative_to(job.runs_dir)
