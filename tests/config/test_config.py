"""The configuration: every group and experiment composes, and every mistake is named with what is legal."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from composed import ROOT, compose_job
from hydra import compose, initialize_config_dir

from selfnorm import config
from selfnorm.config import parse_job
from selfnorm.data.datasets import DATASETS
from selfnorm.sweeps.check import planned_cells

GROUPS = ("dataset", "model", "activation", "normalization", "dropout", "optimizer", "scale", "trainer", "logger")
FOLDERS: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("identities.yaml").read_text())


LARGE = {"causes", "fixed_points", "rates", "long", "rivals"}  # sweeps that the slow tests compose
OWN = {"table", "arrays", "custom"}  # what a user brings along is composed in tests of its own


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml") if path.stem not in OWN)


def folder(job: config.Job) -> str:
    return str(job.folder.relative_to(job.runs_dir))


@pytest.mark.parametrize(("group", "choice"), [(group, choice) for group in GROUPS for choice in choices(group)])
def test_every_choice_composes(group: str, choice: str) -> None:
    job = compose_job(f"{group}={choice}")
    part = getattr(job, group)
    if group != "logger":  # its only choice is W&B
        assert choice in ([part] if group == "scale" else part.model_dump().values())


def test_the_list_of_identities_has_every_experiment_choice_and_sweep() -> None:
    wanted = {f"{group}={choice}" for group in set(GROUPS) - {"dataset", "scale"} for choice in choices(group)}
    scaled = {f"dataset={dataset} scale={scale}" for dataset in choices("dataset") for scale in choices("scale")}
    experiments = {f"+experiment={name} {scale}" for name in choices("experiment") for scale in scaled}
    assert FOLDERS.keys() == wanted | scaled | experiments | {f"+sweep={name}" for name in choices("sweep")}


def of_other_data(overrides: str) -> bool:
    """Whether the identity is that of an experiment on data other than digits: the slow tests compose these."""
    return "+experiment" in overrides and "dataset=digits" not in overrides


@pytest.mark.parametrize(
    "overrides",
    [
        pytest.param(key, marks=[pytest.mark.slow] * of_other_data(key))
        for key in FOLDERS
        if not key.startswith("+sweep")
    ],
)
def test_a_job_keeps_its_identity(overrides: str) -> None:
    job = compose_job(*overrides.split())
    assert folder(job) == FOLDERS[overrides]
    chosen = dict(override.split("=") for override in overrides.split())
    assert job.tag == chosen.get("+experiment", "default")
    assert job.scale == chosen.get("scale", "preview")


@pytest.mark.parametrize(
    "sweep",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in choices("sweep")],
)
def test_a_sweep_keeps_the_identities_of_its_cells_each_in_a_folder_of_its_own(sweep: str) -> None:
    if sweep == "tune":  # which chooses its cells as it goes
        assert folder(compose_job("+sweep=tune")) == FOLDERS["+sweep=tune"]
        return
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cells = [folder(job) for job in planned_cells(compose("config", [f"+sweep={sweep}"], return_hydra_config=True))]
    listed = FOLDERS[f"+sweep={sweep}"]
    if isinstance(listed, str):  # of hundreds of cells: their number and a digest
        cells_digest = hashlib.sha256("\n".join(cells).encode()).hexdigest()
        assert listed == f"{len(cells)} cells {cells_digest}"
    else:
        assert cells == listed
    assert len(set(cells)) == len(cells)


def test_every_cause_is_in_the_sweep_of_causes() -> None:
    text = (ROOT / "conf/sweep/causes.yaml").read_text()
    assert all(f"cause/{cause}]" in text for cause in choices("experiment/cause"))


@pytest.mark.parametrize("path", sorted((ROOT / "conf/experiment").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_experiment_opens_with_command_time_and_expectation(path: Path) -> None:
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert f"python train.py +experiment={path.stem}" in head[1]
    assert "two cores" in head[2]
    assert "Expect" in head[3]


def test_the_schemas_choices_are_the_ones_in_conf() -> None:
    legal = {
        "activation": [
            *("selu", "leaky_relu", "elu", "relu", "gelu", "silu", "tanh", "sigmoid"),
            *("gaussian_poincare", "dks", "tat"),
        ],
        "normalization": ["none", "batch", "layer", "weight", "rms", "dyt", "derf", "centred"],
        "dropout": ["none", "standard", "alpha"],
        "model": ["plain", "residual", "highway", "rezero"],
        "trainer": ["cpu", "gpu", "ddp", "ddp_cpu"],
        "dataset": list(DATASETS),
    }
    assert {group: choices(group) for group in legal} == {group: sorted(names) for group, names in legal.items()}


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
    "optimizer.lr=1e31": "optimizer.lr=1e+31: input should be less than or equal to 1e+30",
    "activation.alpha=1e300": "activation.alpha=1e+300: input should be less than or equal to 1000000.0",
    "model.width=1000001": "model.width=1000001: input should be less than or equal to 1000000",
    "training.checkpoint_seconds=inf": "training.checkpoint_seconds=inf: input should be a finite number",
    "seeds=[]": "seeds=[]: list should have at least 1 item",
    "seeds=[1,2,1]": "seeds=[1, 2, 1] repeats [1]; every seed is one network",
    "seeds=3": "seeds=3: a list is needed: seeds=[3]",
    "seeds=[-1]": "seeds.0=-1: input should be greater than or equal to 0",
    "activation.name=zelu": "activation.name='zelu': legal are 'selu', 'leaky_relu', 'elu', 'relu'",
    "training.loss=max": "training.loss='max': legal are 'sum' or 'mean'",
    "+model.dept=3": "unknown key model.dept; legal here: depth, width, widths, block, initialization, gain, output; "
    "did you mean depth?",
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
    "logger.project=''": r"logger.project='' is not a name that W&B accepts: 1 to 128 characters, none of / \ # ? % :",
    "logger.project=a/b": "logger.project='a/b' is not a name that W&B accepts",
    "logger.entity=''": "logger.entity='' is not a name that W&B accepts",
    f"logger.entity={'x' * 129}": "is not a name that W&B accepts",
    "activation=relu dropout=alpha": "dropout=alpha keeps the moments of SELU only, not of activation=relu",
    "trainer=ddp_cpu training.batch_size=33": "training.batch_size=33 cannot be shared by 2 processes",
    "dataset=digits dataset.train_limit=2000": "dataset.train_limit=2000: digits has 1280 training samples; use 1 to",
    "training.batch_size=20000": "training.batch_size=20000: must be 1 to 512 here",
    "normalization=batch training.batch_size=1": "training.batch_size=1: must be 2 to 512 here",
    "recording.errors_per_epoch=7": "an epoch has 4 batches here; use a divisor of that",
    "recording.error_samples=99999": "recording.error_samples=99999: must be 1 to 512 here; null is all",
    "normalization=batch recording.error_samples=1": "recording.error_samples=1: must be 2 to 512 here; null is all",
    "normalization=batch recording.samples=1": "recording.samples=1: must be at least 2 here",
    "training.error_batch_size=20000": "training.error_batch_size=20000: must be 1 to 512 here",
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


def test_a_saved_configuration_reads_back_as_the_same_job() -> None:
    composed = {
        group: [compose_job(f"{group}={choice}").model_dump(by_alias=True)[group] for choice in choices(group)]
        for group in ("activation", "normalization")
    }
    base = compose_job("dataset=digits", "scale=smoke").model_dump(by_alias=True)
    for activation, normalization in itertools.product(*composed.values()):
        job = parse_job({**base, "activation": activation, "normalization": normalization})
        text = yaml.safe_dump(job.model_dump(by_alias=True))
        assert parse_job(yaml.safe_load(text)) == job
