"""Forks: copies of the trained networks that differ in one perturbation only, trained on the side for some epochs.

In: the networks and their optimizer as an epoch begins. Out: the training error of every copy after some updates. The
run itself is untouched. The spread between copies is the effect of the perturbation alone, without any trend.

Legend: R replica (one per seed), K copy of each, RK all copies with seeds outermost, B batch, F features, N samples.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from selfnorm import config
from selfnorm.data.splits import Split
from selfnorm.networks.layers import EVALUATION, Phase
from selfnorm.networks.mlp import ReplicaMLP
from selfnorm.networks.randomness import Masks, PairedMasks, Purpose, generator
from selfnorm.training.module import cross_entropy, epoch_order, make_optimizer, training_loss
from selfnorm.training.passes import CHUNK, ReplicaError, error_samples
from selfnorm.training.perturbations import SOURCES, Recipe, Source, recipes_of, sources_of


@dataclass(frozen=True)
class ForkPoint:
    """The state of a run as `epoch` begins, after `step` updates; train: its training samples.

    batches: updates an epoch. copies: numbers of the copies that are trained here.
    """

    job: config.Job
    network: ReplicaMLP
    optimizer: torch.optim.Optimizer
    train: Split
    epoch: int
    step: int
    batches: int
    copies: tuple[int, ...]

    @property
    def seeds(self) -> list[int]:
        """The seed of every copy, (RK)."""
        return [seed for seed in self.job.seeds for _ in self.copies]

    @property
    def numbers(self) -> list[int]:
        """The number of every copy, (RK)."""
        return [number for _ in self.job.seeds for number in self.copies]

    def errors(self, pulse: Callable[[], None]) -> Iterator[tuple[str, int, Tensor]]:
        """Source, updates since the fork, and the training error (R, K) of each copy in nats.

        pulse: called before every update of the copies; it may raise to stop.
        """
        for name, source in sources_of(self.job).items():
            if source.recipe is None:
                yield name, 0, self._error(self._copied()[0], 0, source)
        for recipe, names in recipes_of(self.job).items():
            network, optimizer = self._copied()
            for update in self._trained(network, optimizer, recipe, pulse):
                for name in names:
                    yield name, update, self._error(network, update, SOURCES[name])

    def _copied(self) -> tuple[ReplicaMLP, torch.optim.Optimizer]:
        """K copies of every replica side by side, with the optimizer's state; every tensor has its replicas first."""
        count = len(self.copies)
        network = copy.deepcopy(self.network)
        for tensor in [*network.parameters(), *network.buffers()]:
            tensor.data = tensor.data.repeat_interleave(count, 0)
        optimizer = make_optimizer(self.job.optimizer, network.parameters())
        for original, copied in zip(self.network.parameters(), network.parameters(), strict=True):
            optimizer.state[copied] = {
                name: value.repeat_interleave(count, 0) if value.ndim else value.clone()
                for name, value in self.optimizer.state.get(original, {}).items()
                if value is not None
            }
        return network, optimizer

    @torch.enable_grad()
    def _trained(
        self, network: ReplicaMLP, optimizer: torch.optim.Optimizer, recipe: Recipe, pulse: Callable[[], None]
    ) -> Iterator[int]:
        """Train the copies; yields the number of updates whenever their error is due."""
        forks, size = self.job.recording.forks, self.job.training.batch_size
        assert forks is not None
        due = {math.ceil(self.batches * reading / forks.readings) for reading in range(1, forks.readings + 1)}
        for ahead in range(forks.horizon):
            epoch, num_samples = self.epoch + ahead, len(self.train.y_N)
            order_RKN = self._run_order(epoch)
            if recipe.order:
                order_RKN = self._drawn_order(Purpose.FORK_ORDER, epoch, num_samples)
            donors_RKN = self._drawn_order(Purpose.FORK_DONORS, epoch, num_samples) if recipe.statistics else None
            for batch in range(self.batches):
                pulse()
                update = ahead * self.batches + batch
                rows = slice(batch * size, (batch + 1) * size)
                index_RKB = order_RKN[:, rows]
                if donors_RKN is not None:
                    index_RKB = torch.cat([index_RKB, donors_RKN[:, rows]], dim=1)
                masks = self._training_masks(recipe, update)
                phase = Phase(group=size, learning=True, donated=recipe.statistics, masks=masks)
                logits_RKBC = network(self.train.x_NF[index_RKB], phase)[:, :size]
                optimizer.zero_grad()
                training_loss(self.job, logits_RKBC, self.train.y_N[index_RKB[:, :size]]).backward()
                optimizer.step()
                if batch + 1 in due:
                    yield update + 1

    def _run_order(self, epoch: int) -> Tensor:
        """The order (RK, N) in which the run itself sees the samples."""
        order_RN = epoch_order(len(self.train.y_N), seeds=self.job.seeds, epoch=epoch)
        return order_RN.repeat_interleave(len(self.copies), 0).to(self.train.y_N.device)

    def _drawn_order(self, purpose: Purpose, epoch: int, num_samples: int) -> Tensor:
        """An order (RK, N) that is drawn for each copy."""
        copies = zip(self.seeds, self.numbers, strict=True)
        sources = [generator(seed, purpose, epoch, number) for seed, number in copies]
        order_RKN = torch.stack([torch.randperm(num_samples, generator=source) for source in sources])
        return order_RKN.to(self.train.y_N.device)

    def _training_masks(self, recipe: Recipe, update: int) -> Masks | PairedMasks:
        of_copies = Masks(self.seeds, Purpose.FORK_DROPOUT, (self.step, update), forks=self.numbers)
        of_run = Masks(self.seeds, Purpose.TRAINING_DROPOUT, (self.step + update,))
        if recipe.statistics:
            return PairedMasks(of_run, of_copies)
        return of_copies if recipe.masks else of_run

    @torch.no_grad()
    def _error(self, network: ReplicaMLP, update: int, source: Source) -> Tensor:
        """The training error (R, K): `passes.training_error` of every copy, or over other batches of its samples."""
        split, group = error_samples(self.job, self.train)
        seeds, num_samples = self.seeds, len(split.y_N)
        size = CHUNK if group is None else max(1, CHUNK // group) * group
        order_RKN = None
        if source.regrouped and group is not None:
            order_RKN = self._drawn_order(Purpose.FORK_GROUPS, self.epoch, num_samples)
            size = group  # every copy takes other samples out of the data
        metric = ReplicaError(len(seeds)).to(split.x_NF.device)
        for start in range(0, num_samples, size):
            masks = Masks(seeds, Purpose.ERROR_DROPOUT, (self.step + update, start))
            if source.regrouped:
                masks = Masks(seeds, Purpose.FORK_ERROR_DROPOUT, (self.step, update, start), forks=self.numbers)
            phase = EVALUATION if group is None else Phase(group, masks=masks)
            if order_RKN is None:
                x_RKBF = split.x_NF[start : start + size].expand(len(seeds), -1, -1)
                y_RKB = split.y_N[start : start + size].expand(len(seeds), -1)
            else:
                index_RKB = order_RKN[:, start : start + size]
                x_RKBF, y_RKB = split.x_NF[index_RKB], split.y_N[index_RKB]
            logits_RKBC = network(x_RKBF, phase)
            metric.update(cross_entropy(logits_RKBC, y_RKB), logits_RKBC, y_RKB)
        return (metric.loss_R / metric.count).view(len(self.job.seeds), len(self.copies))
