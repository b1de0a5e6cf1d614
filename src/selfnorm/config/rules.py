"""Rules between the groups of a job.

Each rule takes a job whose keys are legal one by one and returns None, or one line that says what cannot work and what
would. `RULES` is in the order in which they are tried: a rule may rely on those before it.
"""

from __future__ import annotations

from collections.abc import Callable

from selfnorm.config.activation import Selu
from selfnorm.config.job import Job

Rule = Callable[[Job], str | None]


def several_nodes_need_processes(job: Job) -> str | None:
    trainer = job.trainer
    if trainer.num_nodes == 1 or trainer.strategy == "ddp":
        return None
    return f"trainer.num_nodes={trainer.num_nodes}: trainer={trainer.name} trains in one process; use trainer=ddp"


def sharded_seeds_need_no_ddp(job: Job) -> str | None:
    if job.trainer.shard == "batch" or job.trainer.strategy == "auto":
        return None
    return "trainer.shard=seeds is for the devices of one machine: use it with trainer=cpu or gpu"


def several_devices_share_seeds_or_batch(job: Job) -> str | None:
    trainer = job.trainer
    if trainer.shard == "seeds" or trainer.strategy == "ddp" or trainer.devices in (1, "auto"):
        return None
    return f"trainer.devices={trainer.devices} with trainer={trainer.name}: add trainer.shard=seeds, or use trainer=ddp"


def alpha_dropout_needs_selu(job: Job) -> str | None:
    if job.dropout.name != "alpha" or job.activation.name == "selu":
        return None
    return (
        f"dropout=alpha keeps the moments of SELU only, not of activation={job.activation.name}; "
        "use dropout=standard or activation=selu"
    )


def alpha_dropout_needs_constants_that_stay(job: Job) -> str | None:
    if job.dropout.name != "alpha" or not (isinstance(job.activation, Selu) and job.activation.learn):
        return None
    return (
        "dropout=alpha is made for constants that stay, activation.learn=true changes them; "
        "use dropout=none, dropout=standard or activation.learn=false"
    )


def blocks_need_one_width(job: Job) -> str | None:
    if job.model.block == "plain" or len(set(job.model.widths or [])) < 2:
        return None
    return f"model.widths={job.model.widths}: model={job.model.block} adds a layer's input, so give one width to all"


def gain_is_of_weights_that_are_given_one(job: Job) -> str | None:
    chosen = job.model.initialization
    if job.model.gain is None or chosen in ("normal", "orthogonal"):
        return None
    return f"model.gain={job.model.gain:g}: model.initialization={chosen} has its own; use normal, or gain=null"


def activation_is_made_for_the_depth(job: Job) -> str | None:
    depth = job.model.depth
    made_for = getattr(job.activation, "layers", depth)
    if made_for == depth:
        return None
    return f"activation.layers={made_for}: the network has {depth} layers; use activation.layers={depth}"


def train_limit_is_within_the_data(job: Job) -> str | None:
    limit, num_train = job.dataset.train_limit, job.dataset.declaration.num_train
    if limit is None or limit <= num_train:
        return None
    return (
        f"dataset.train_limit={limit}: {job.dataset.label} has {num_train} training samples; "
        f"use 1 to {num_train}, or null for all"
    )


def batch_is_within_the_data(job: Job) -> str | None:
    return _outside("training.batch_size", job.training.batch_size, job)


def error_batch_is_within_the_data(job: Job) -> str | None:
    size = job.training.error_batch_size
    return _outside("training.error_batch_size", size, job) if isinstance(size, int) else None


def error_samples_are_within_the_data(job: Job) -> str | None:
    samples = job.recording.error_samples
    problem = _outside("recording.error_samples", samples, job) if samples else None
    return problem and f"{problem}; null is all"


def moments_have_a_batch(job: Job) -> str | None:
    samples, least = job.recording.samples, _smallest_batch(job)
    return None if samples >= least else f"recording.samples={samples}: must be at least {least} here"


def _outside(key: str, size: int, job: Job) -> str | None:
    if _smallest_batch(job) <= size <= _num_samples(job):
        return None
    return f"{key}={size}: must be {_smallest_batch(job)} to {_num_samples(job)} here"


def _smallest_batch(job: Job) -> int:
    return 2 if job.normalization.name == "batch" else 1  # a variance needs two samples


def errors_are_evenly_spaced(job: Job) -> str | None:
    batches = _num_samples(job) // job.training.batch_size
    if batches % job.recording.errors_per_epoch == 0:
        return None
    return (
        f"recording.errors_per_epoch={job.recording.errors_per_epoch}: an epoch has {batches} batches here; "
        "use a divisor of that, so that the curve is evenly spaced"
    )


def forks_are_within_the_run(job: Job) -> str | None:
    forks = job.recording.forks
    late = [epoch for epoch in (forks.epochs if forks and forks.epochs else []) if epoch >= job.training.epochs]
    if not late:
        return None
    return f"recording.forks.epochs={late}: must be below training.epochs={job.training.epochs}"


def processes_share_the_batch_evenly(job: Job) -> str | None:
    if job.trainer.devices == "auto" or job.trainer.shard == "seeds":
        return None
    processes = job.trainer.devices * job.trainer.num_nodes
    if job.training.batch_size % processes == 0:
        return None
    return (
        f"training.batch_size={job.training.batch_size} cannot be shared by {processes} processes; "
        f"use a multiple of {processes}, or trainer.devices=1"
    )


def _num_samples(job: Job) -> int:
    return job.dataset.train_limit or job.dataset.declaration.num_train


RULES: tuple[Rule, ...] = (
    several_nodes_need_processes,
    sharded_seeds_need_no_ddp,
    several_devices_share_seeds_or_batch,
    alpha_dropout_needs_selu,
    alpha_dropout_needs_constants_that_stay,
    blocks_need_one_width,
    gain_is_of_weights_that_are_given_one,
    activation_is_made_for_the_depth,
    train_limit_is_within_the_data,
    batch_is_within_the_data,
    error_batch_is_within_the_data,
    error_samples_are_within_the_data,
    moments_have_a_batch,
    errors_are_evenly_spaced,
    forks_are_within_the_run,
    processes_share_the_batch_evenly,
)
