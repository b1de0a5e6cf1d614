"""The configuration: every group and experiment composes, and every mistake is named with what is legal."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from composed import ROOT, compose_job

from selfnorm import config
from selfnorm.data.catalogue import DATASETS
from selfnorm.parsing import parse_job

GROUPS = ("dataset", "model", "activation", "normalization", "dropout", "optimizer", "scale", "trainer", "logger")


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml"))


@pytest.mark.parametrize(("group", "choice"), [(group, choice) for group in GROUPS for choice in choices(group)])
def test_every_choice_composes(group: str, choice: str) -> None:
    job = compose_job(f"{group}={choice}")
    part = getattr(job, group)
    if group != "logger":  # whose one choice is W&B's
        assert choice in ([part] if group == "scale" else part.model_dump().values())


@pytest.mark.parametrize("experiment", choices("experiment"))
@pytest.mark.parametrize("scale", choices("scale"))
@pytest.mark.parametrize("dataset", DATASETS)
def test_every_experiment_composes(experiment: str, scale: str, dataset: str) -> None:
    job = compose_job(f"+experiment={experiment}", f"scale={scale}", f"dataset={dataset}")
    assert job.tag == experiment
    assert job.scale == scale


@pytest.mark.parametrize("path", sorted((ROOT / "conf/experiment").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_opens_with_command_time_and_expectation(path: Path) -> None:
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert f"python train.py +experiment={path.stem}" in head[1]
    assert "two cores" in head[2]
    assert "Expect" in head[3]


def test_the_schemas_choices_are_the_ones_in_conf() -> None:
    legal = {
        "activation": ["selu", "leaky_relu", "elu", "relu", "gelu", "silu", "tanh", "sigmoid"],
        "normalization": ["none", "batch", "layer", "weight"],
        "dropout": ["none", "standard", "alpha"],
        "model": ["plain", "residual", "highway"],
        "trainer": ["cpu", "gpu", "ddp", "ddp_cpu"],
    }
    assert {group: choices(group) for group in legal} == {group: sorted(names) for group, names in legal.items()}
    assert config.NUM_TRAIN.keys() == set(DATASETS)


def test_an_explicit_override_wins_over_scale_and_experiment() -> None:
    job = compose_job("+experiment=selu_deep", "scale=smoke", "model.depth=3", "model.width=17", "training.epochs=9")
    assert (job.model.depth, job.model.width, job.training.epochs) == (3, 17, 9)


def test_the_paper_scale_is_the_papers_protocol() -> None:
    job = compose_job("scale=paper", "+experiment=selu_deep")
    assert (job.model.width, job.dataset.train_limit) == (None, None)  # the number of inputs; all of the data
    assert (job.training.epochs, job.training.batch_size, job.training.loss) == (2000, 128, "sum")
    assert (job.optimizer.name, job.optimizer.lr) == ("sgd", 1e-5)
    batch = compose_job("+experiment=batchnorm_deep").normalization
    assert isinstance(batch, config.Batch)
    assert (batch.position, batch.eps) == ("after", 1e-3)


BAD = {
    "model.depth=0": "model.depth=0: input should be greater than or equal to 1",
    "model.depth=2.5": "model.depth=2.5: input should be a valid integer",
    "model.depth=deep": "model.depth='deep': input should be a valid integer",
    "model.width=-3": "model.width=-3: input should be greater than or equal to 1",
    "dropout=alpha dropout.rate=1": "dropout.rate=1: input should be less than 1",
    "dropout=standard dropout.rate=-0.1": "dropout.rate=-0.1: input should be greater than or equal to 0",
    "optimizer.lr=-1": "optimizer.lr=-1: input should be greater than 0",
    "optimizer.lr=nan": "optimizer.lr=nan: input should be a finite number",
    "seeds=[]": "seeds=[]: list should have at least 1 item",
    "seeds=[1,2,1]": "seeds=[1, 2, 1] repeats [1]; every seed is one network",
    "seeds=3": "seeds=3: input should be a valid list",
    "seeds=[-1]": "seeds.0=-1: input should be greater than or equal to 0",
    "activation.name=zelu": "activation.name='zelu': legal are 'selu', 'leaky_relu', 'elu', 'relu'",
    "training.loss=max": "training.loss='max': legal are 'sum' or 'mean'",
    "+model.dept=3": "unknown key model.dept; legal here: depth, width, block, gain; did you mean depth?",
    "+activation.slope=3": "unknown key activation.slope; legal here: name, fixed_point, alpha, lambda, learn",
    "activation.fixed_point=[-0.5,0.1]": "for this mu it exists for 0.403979 < nu",
    "activation.fixed_point=[0,-1]": "activation.fixed_point=[0, -1]: use mean -1000 to 1000, variance 1e-06 to 1e+06",
    "activation.fixed_point=[0,nan]": "activation.fixed_point=[0, nan]: use mean",
    "activation.fixed_point=[1]": "activation.fixed_point=[1]: list should have at least 2 items",
    "activation.fixed_point=[a,1]": "activation.fixed_point.0='a': input should be a valid number",
    "activation.fixed_point=[0,2] activation.alpha=2": "activation.alpha=2: activation.fixed_point=[0, 2] needs 1.97",
    "activation.alpha=-1": "activation.alpha=-1: input should be greater than 0",
    "activation.learn=maybe": "activation.learn='maybe': input should be a valid boolean",
    "activation.learn=true dropout=alpha": "dropout=alpha is made for constants that stay, activation.learn=true",
    "+optimiser.lr=3": "unknown key optimiser; legal here: dataset, model",
    "tag=a/b": "tag='a/b': string should match pattern",
    "logger.project=''": r"logger.project='' is no name in W&B: 1 to 128 characters, none of / \ # ? % :",
    "logger.project=a/b": "logger.project='a/b' is no name in W&B",
    "logger.entity=''": "logger.entity='' is no name in W&B",
    f"logger.entity={'x' * 129}": "is no name in W&B",
    "activation=relu dropout=alpha": "dropout=alpha keeps the moments of SELU only, not of activation=relu",
    "trainer=ddp_cpu training.batch_size=33": "training.batch_size=33 cannot be shared by 2 processes",
    "dataset=digits dataset.train_limit=2000": "dataset.train_limit=2000: digits has 1280 training samples; use 1 to",
    "training.batch_size=20000": "training.batch_size=20000: must be 1 to 3200 here",
    "normalization=batch training.batch_size=1": "training.batch_size=1: must be 2 to 3200 here",
    "recording.errors_per_epoch=7": "an epoch has 25 batches here; use a divisor of that",
    "recording.error_samples=99999": "recording.error_samples=99999: must be 1 to 3200 here; null is all",
    "training.error_batch_size=20000": "training.error_batch_size=20000: must be 1 to 3200 here",
}


@pytest.mark.parametrize(("overrides", "message"), BAD.items())
def test_a_mistake_is_named_with_what_is_legal(overrides: str, message: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        compose_job(*overrides.split())
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_several_mistakes_are_all_named() -> None:
    with pytest.raises(config.ConfigError, match=r"model\.depth=0: .*; optimizer\.lr=-1: "):
        compose_job("model.depth=0", "optimizer.lr=-1")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("activation.alpha=1",), "fixed point"),
        (("activation.fixed_point=[-0.1,2]", "dropout=alpha"), ""),
        (("model.gain=2",), "gain 1"),
        (("dropout=standard",), "dropout=alpha"),
        ((), ""),
        (("dropout=alpha",), ""),
    ],
)
def test_choices_that_break_self_normalization_are_warned_of(overrides: tuple[str, ...], words: str) -> None:
    assert bool(words) is bool(found := compose_job(*overrides).warnings)
    assert words in " ".join(found)


def test_a_selu_is_the_same_job_by_its_constants_and_by_its_fixed_point() -> None:
    by_default, by_fixed_point = compose_job(), compose_job("activation.fixed_point=[0,1]")
    assert by_default.identity == by_fixed_point.identity
    asked = compose_job("activation.fixed_point=[-0.1,2]").activation
    assert isinstance(asked, config.Selu)
    both = compose_job("activation.fixed_point=[-0.1,2]", f"activation.alpha={asked.alpha!r}")
    assert both.activation == asked


def test_a_saved_configuration_reads_back_as_the_same_job(make_job: Callable[..., config.Job]) -> None:
    for activation, normalization in itertools.product(choices("activation"), choices("normalization")):
        job = make_job(f"activation={activation}", f"normalization={normalization}")
        text = yaml.safe_dump(job.model_dump(by_alias=True))
        assert parse_job(yaml.safe_load(text)) == job
