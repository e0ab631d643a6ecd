"""The DataModule: the only place streams come from."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from timing_tasks.learning.engine.population import Population
from timing_tasks.tasks import Purpose, Stream, Task, stream
from timing_tasks.tasks.philox import philox4x32


@dataclass(frozen=True)
class Batch:
    """Streams of R replicas of one condition, N each; shorter ones are padded with steps that have no target.

    Attributes:
        streams: one after the other, [R][N].
        inputs: x, float64, (R, N, T, 1).
        targets: d, float64, (R, N, T).
        has_target: bool, likewise.
        period: to which period a step belongs, int64, likewise; -1 for the padding.
    """

    streams: tuple[tuple[Stream, ...], ...]
    inputs: Tensor
    targets: Tensor
    has_target: Tensor
    period: Tensor


class _Endless(IterableDataset[Population]):
    def __init__(self, population: Population) -> None:
        self.population = population

    def __iter__(self) -> Iterator[Population]:
        while True:
            yield self.population


class TimingDataModule(L.LightningDataModule):
    """The streams of a population.

    A stream is a pure function of (seed, replica, stream number). The engines are handed that function's arguments, the
    population, again and again, rather than its values, and draw exactly the streams that `stream` shows as tensors.

    Args:
        population: whose streams.
    """

    def __init__(self, population: Population) -> None:
        super().__init__()
        self.population = population

    def train_dataloader(self) -> DataLoader[Population]:
        """The population, without end: the module says when it is done."""
        return DataLoader(_Endless(self.population), batch_size=None)

    def transfer_batch_to_device(self, batch: Population, device: torch.device, dataloader_idx: int) -> Population:
        """The population stays where it is: an engine takes what it needs to its device."""
        return batch

    def stream(
        self, index: int, number: int, purpose: Purpose = Purpose.TRAINING, test: int = 0, periods: int | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Any stream of any replica, as batch-first tensors.

        Args:
            index: of the replica in the population.
            number: for a training stream its number, for a test stream how many training streams came before it.
            purpose: TRAINING or TEST.
            test: which of the test streams that follow one another.
            periods: how many; by default as many as the paper's streams have at most.

        Returns:
            Inputs x and targets d, float64, and the mask of the steps that have a target, bool; each (1, T, 1).
        """
        population = self.population
        task, seed, replica = population.condition_of(index).task, int(population.seed[index]), int(population.replica[index])
        shown = stream(task, seed, replica, number, purpose, test, periods)
        x, d, mask = (torch.from_numpy(array).reshape(1, -1, 1) for array in (shown.inputs, shown.targets, shown.has_target))
        return x, d, mask

    def training_batch(self, indices: Sequence[int], first: Sequence[int], count: int, periods: int) -> Batch:
        """Some training streams of replicas of one condition.

        Args:
            indices: of the replicas in the population.
            first: the number of each replica's first stream; the others follow.
            count: how many streams of each.
            periods: how many of each stream.
        """
        task = self.population.condition_of(indices[0]).task
        keys = [(int(self.population.seed[i]), int(self.population.replica[i])) for i in indices]
        if task.name == "nmsd" and task.is_random:
            return _batch(_single_periods(task, keys, first, count))
        return _batch(
            tuple(tuple(_stream(task, *key, start + k, Purpose.TRAINING, 0, periods) for k in range(count)))
            for key, start in zip(keys, first, strict=True)
        )

    def test_batch(self, indices: Sequence[int], numbers: Sequence[int], test: int, periods: int) -> Batch:
        """A test stream of each of some replicas of one condition.

        Args:
            indices: of the replicas in the population.
            numbers: how many training streams came before it.
            test: which of the test streams that follow one another.
            periods: how many of it.
        """
        task, people = self.population.condition_of(indices[0]).task, self.population
        return _batch(
            (_stream(task, int(people.seed[i]), int(people.replica[i]), number, Purpose.TEST, test, periods),)
            for i, number in zip(indices, numbers, strict=True)
        )


@functools.lru_cache(maxsize=256)
def _known_stream(task: Task, purpose: Purpose, test: int, periods: int) -> Stream:
    return stream(task, 0, 0, 0, purpose, test, periods)


def _stream(task: Task, seed: int, replica: int, number: int, purpose: Purpose, test: int, periods: int) -> Stream:
    """As `stream`; those of which there is only one are made once."""
    if not task.is_random or (task.name == "nmsd" and purpose == Purpose.TEST):
        return _known_stream(task, purpose, test if task.name == "nmsd" else 0, periods)
    return stream(task, seed, replica, number, purpose, test, periods)


def _single_periods(
    task: Task, keys: Sequence[tuple[int, int]], first: Sequence[int], count: int
) -> tuple[tuple[Stream, ...], ...]:
    """Training streams of nmsd, as `stream` has them: many at once, for each takes longer to draw than to run."""
    seed, replica = (np.array([key[k] for key in keys])[:, None] for k in (0, 1))  # (R, 1)
    draw = np.array(first)[:, None] + np.arange(count)  # (R, N)
    zero = np.zeros_like(draw)
    words = philox4x32((draw // 4, zero, zero, zero + Purpose.TRAINING), (zero + seed, zero + replica))
    choice = (np.choose(draw % 4, words) * len(task.offsets)) >> 32
    alone = [_known_stream(replace(task, offsets=(offset,)), Purpose.TRAINING, 0, 1) for offset in task.offsets]
    return tuple(tuple(alone[k] for k in row) for row in choice)


def _batch(streams: Iterable[tuple[Stream, ...]]) -> Batch:
    """The streams as tensors."""
    rows = tuple(streams)
    steps = max(len(s.inputs) for row in rows for s in row)
    shape = (len(rows), len(rows[0]), steps)
    inputs, targets = np.zeros(shape), np.zeros(shape)
    has_target, period = np.zeros(shape, dtype=bool), np.full(shape, -1)
    for r, row in enumerate(rows):
        for n, s in enumerate(row):
            here = r, n, slice(len(s.inputs))
            inputs[here], targets[here], has_target[here], period[here] = s.inputs, s.targets, s.has_target, s.period
    x, d, mask, of = map(torch.from_numpy, (inputs, targets, has_target, period))
    return Batch(rows, x.unsqueeze(-1), d, mask, of)
