"""The DataModule: the only place streams come from."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
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
    """Streams of R replicas, N each; shorter ones are padded with steps that have no target.

    Attributes:
        inputs: x, float64, (R, N, T, 1).
        targets: d, float64, (R, N, T).
        has_target: bool, likewise.
        period: to which period a step belongs, int64, likewise; -1 for the padding.
    """

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

    def training_streams(self, index: int, first: int, count: int, periods: int) -> tuple[Stream, ...]:
        """Training streams of a replica, `count` from the number `first` on, of `periods` periods each."""
        task, seed, replica = self._key(index)
        if task.name == "nmsd" and task.is_random:
            alone = [_known_stream(replace(task, offsets=(offset,)), Purpose.TRAINING, 0, 1) for offset in task.offsets]
            return tuple(alone[choice] for choice in _nmsd_choices(len(task.offsets), seed, replica, first, count))
        return tuple(_stream(task, seed, replica, first + k, Purpose.TRAINING, 0, periods) for k in range(count))

    def test_stream(self, index: int, number: int, test: int, periods: int) -> Stream:
        """The first periods of a test stream of a replica; for `number` and `test` see `stream`."""
        return _stream(*self._key(index), number, Purpose.TEST, test, periods)

    def _key(self, index: int) -> tuple[Task, int, int]:
        people = self.population
        return people.condition_of(index).task, int(people.seed[index]), int(people.replica[index])


_SHORT = 2  # periods; longer streams are too large to keep


@functools.lru_cache(maxsize=256)
def _known_stream(task: Task, purpose: Purpose, test: int, periods: int) -> Stream:
    return stream(task, 0, 0, 0, purpose, test, periods)


def _stream(task: Task, seed: int, replica: int, number: int, purpose: Purpose, test: int, periods: int) -> Stream:
    """As `stream`; those of which there is only one are made once."""
    if not task.is_random or (task.name == "nmsd" and purpose == Purpose.TEST):
        return _known_stream(task, purpose, test if task.name == "nmsd" else 0, periods)
    make = _short_stream if periods <= _SHORT else stream
    return make(task, seed, replica, number, purpose, test, periods)


_short_stream = functools.lru_cache(maxsize=8192)(stream)  # what nets of several kinds see one after the other


@functools.lru_cache(maxsize=4096)
def _nmsd_choices(offsets: int, seed: int, replica: int, first: int, count: int) -> tuple[int, ...]:
    """Which offsets the training streams of nmsd have, as `tasks.offsets` draws them: alike for all intervals and nets."""
    draw = first + np.arange(count)
    zero = np.zeros_like(draw)
    words = philox4x32((draw // 4, zero, zero, zero + Purpose.TRAINING), (zero + seed, zero + replica))
    choices: list[int] = ((np.choose(draw % 4, words) * offsets) >> 32).tolist()
    return tuple(choices)


def padded_length(streams: Sequence[Stream]) -> int:
    """Steps of a batch that has these streams: of the longest, rounded up to a power of two, and at least 16.

    A function of a net's own streams: sums over the steps are then rounded alike whatever nets are beside it.
    """
    return 1 << max(4, (max(len(stream.inputs) for stream in streams) - 1).bit_length())


def batch_of(streams: Sequence[tuple[Stream, ...]], steps: int) -> Batch:
    """Streams of R nets, N each, as tensors of T = `steps`."""
    shape = (len(streams), len(streams[0]), steps)
    inputs, targets = np.zeros(shape), np.zeros(shape)
    has_target, period = np.zeros(shape, dtype=bool), np.full(shape, -1)
    for r, row in enumerate(streams):
        for n, s in enumerate(row):
            here = r, n, slice(len(s.inputs))
            inputs[here], targets[here], has_target[here], period[here] = s.inputs, s.targets, s.has_target, s.period
    x, d, mask, of = map(torch.from_numpy, (inputs, targets, has_target, period))
    return Batch(x.unsqueeze(-1), d, mask, of)
