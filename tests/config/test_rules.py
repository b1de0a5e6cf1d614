"""Rules between the groups of a job: each one refuses what it is for, in words that say what would work."""

from __future__ import annotations

import pytest
from composed import compose_job

from selfnorm.config import rules
from selfnorm.sweeps.check import plain
from selfnorm.sweeps.compose import composed

# Rule -> overrides that break it, the same without what breaks it, and what the message must say
CASES = {
    "several_nodes_need_processes": ("trainer.num_nodes=2", "trainer=ddp trainer.num_nodes=2", "use trainer=ddp"),
    "sharded_seeds_need_no_ddp": ("trainer=ddp_cpu trainer.shard=seeds", "trainer.shard=seeds", "trainer=cpu or gpu"),
    "several_devices_share_seeds_or_batch": (
        "trainer.devices=2", "trainer.devices=2 trainer.shard=seeds", "add trainer.shard=seeds, or use trainer=ddp",
    ),
    "alpha_dropout_needs_selu": ("dropout=alpha activation=relu", "dropout=alpha", "not of activation=relu"),
    "alpha_dropout_needs_constants_that_stay": (
        "dropout=alpha activation.learn=true", "activation.learn=true", "activation.learn=false",
    ),
    "blocks_need_one_width": (
        "model=residual model.widths=[64,32]", "model=residual", "model=residual adds a layer's input",
    ),
    "gain_is_of_weights_that_are_given_one": (
        "model.initialization=lsuv model.gain=2", "model.initialization=orthogonal model.gain=2",
        "model.initialization=lsuv has its own",
    ),
    "activation_is_made_for_the_depth": (
        "activation=dks model.widths=[8,8]", "activation=dks model.widths=[8,8] activation.layers=2",
        "activation.layers=8: the network has 2 layers; use activation.layers=2",
    ),
    "train_limit_is_within_the_data": (
        "dataset.train_limit=50001", "dataset.train_limit=50000", "use 1 to 50000, or null for all",
    ),
    "batch_is_within_the_data": (
        "normalization=batch training.batch_size=1", "training.batch_size=1", "must be 2 to 512 here",
    ),
    "error_batch_is_within_the_data": (
        "training.error_batch_size=513", "training.error_batch_size=512", "must be 1 to 512 here",
    ),
    "error_samples_are_within_the_data": (
        "recording.error_samples=513", "recording.error_samples=512", "must be 1 to 512 here; null is all",
    ),
    "moments_have_a_batch": (
        "normalization=batch recording.samples=1", "recording.samples=1", "must be at least 2 here",
    ),
    "errors_are_evenly_spaced": (
        "recording.errors_per_epoch=3", "recording.errors_per_epoch=2", "an epoch has 4 batches here",
    ),
    "forks_are_within_the_run": (
        "recording.forks.copies=2 recording.forks.epochs=[800]",
        "recording.forks.copies=2 recording.forks.epochs=[799]",
        "recording.forks.epochs=[800]: must be below training.epochs=800",
    ),
    "processes_share_the_batch_evenly": (
        "trainer=ddp_cpu training.batch_size=33", "trainer=ddp_cpu training.batch_size=32", "use a multiple of 2",
    ),
}  # fmt: skip


def test_every_rule_has_a_case() -> None:
    assert [rule.__name__ for rule in rules.RULES] == list(CASES)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_a_rule_refuses_what_it_is_for_and_nothing_beside_it(rule: rules.Rule) -> None:
    broken, legal, words = CASES[rule.__name__]
    message = rule(rules.Job.model_validate(plain(composed(*broken.split()))))
    assert message is not None
    assert words in message
    assert rule(compose_job(*legal.split())) is None
