"""Sources of perturbation that forks tell apart, and when a run is forked.

In: a job. Out: what the copies of its networks draw for themselves, source by source, and how many updates that costs.
Paper, Section 1: training is perturbed by SGD, by stochastic regularization and by the estimation of the normalization
parameters.
"""

from __future__ import annotations

from typing import NamedTuple

from selfnorm import config


class Recipe(NamedTuple):
    """The things that each copy draws for itself in training: batches, dropout masks, batches for the statistics."""

    order: bool = False
    masks: bool = False
    statistics: bool = False


class Source(NamedTuple):
    """A source of perturbation: how copies train (None: not at all), and how their training error is taken.

    regrouped: the training-error pass sees the same samples in other batches, and draws other dropout masks.
    """

    recipe: Recipe | None
    regrouped: bool


SOURCES = {
    "order": Source(Recipe(order=True), regrouped=False),
    "masks": Source(Recipe(masks=True), regrouped=False),
    "statistics": Source(Recipe(statistics=True), regrouped=False),
    "all": Source(Recipe(order=True, masks=True), regrouped=True),
    "evaluation": Source(None, regrouped=True),
}


def is_forked(epoch: int, epochs: list[int] | None) -> bool:
    """Return whether a run is forked before `epoch`: at the listed ones, or at 1, 3, 10, 30, 100 and so on."""
    return epoch in epochs if epochs is not None else epoch > 0 and str(epoch).rstrip("0") in ("1", "3")


def sources_of(job: config.Job) -> dict[str, Source]:
    """The sources that a job asks for, without those that cannot make copies of its network differ."""
    forks = job.recording.forks
    cannot = {"masks"} if job.dropout.name == "none" else set()
    if job.normalization.name != "batch":
        cannot.add("statistics")
    return {name: SOURCES[name] for name in forks.sources if name not in cannot} if forks else {}


def recipes_of(job: config.Job) -> dict[Recipe, list[str]]:
    """The sources by what their copies train on: where nothing is dropped, `all` and `order` train alike."""
    recipes: dict[Recipe, list[str]] = {}
    for name, source in sources_of(job).items():
        if source.recipe is not None:
            recipe = source.recipe._replace(masks=source.recipe.masks and job.dropout.name != "none")
            recipes.setdefault(recipe, []).append(name)
    return recipes


def num_updates(job: config.Job, batches: int, *, epochs: int) -> int:
    """Updates of copies that the fork points of the first `epochs` add to each seed's own.

    batches: updates an epoch.
    """
    forks = job.recording.forks
    if forks is None:
        return 0
    points = sum(is_forked(epoch, forks.epochs) for epoch in range(epochs))
    return points * len(recipes_of(job)) * forks.copies * forks.horizon * batches
