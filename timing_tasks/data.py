"""The DataModule: the only place streams come from."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from timing_tasks.learning.online.population import Population
from timing_tasks.tasks import Purpose, Stream, stream
from timing_tasks.tasks.streams import offsets, stream_of


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


class Asked(NamedTuple):
    """A stream: of which replica, with which `number` and as which `test` (see `tasks.stream`), how many periods of it."""

    replica: int
    number: int
    test: int
    periods: int


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
        tasks = {condition.task: None for condition in population.conditions}
        self._tasks = list(tasks)
        number = {task: place for place, task in enumerate(tasks)}
        self._task = [number[population.condition_of(index).task] for index in range(len(population))]

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
        task, seed, replica = (
            population.condition_of(index).task,
            int(population.seed[index]),
            int(population.replica[index]),
        )
        shown = stream(task, seed, replica, number, purpose, test, periods)
        x, d, mask = (
            torch.from_numpy(array).reshape(1, -1, 1) for array in (shown.inputs, shown.targets, shown.has_target)
        )
        return x, d, mask

    def streams(self, asked: Sequence[Asked], purpose: Purpose) -> list[Stream]:
        """Many streams at once, as `tasks.stream` gives each."""
        groups: dict[tuple[int, int], list[int]] = {}
        for place, one in enumerate(asked):
            groups.setdefault((self._task[one.replica], one.periods), []).append(place)
        people, found = self.population, dict[int, Stream]()
        for (number_of_task, periods), places in groups.items():
            task = self._tasks[number_of_task]
            index, number, test = np.array([asked[place][:3] for place in places]).T
            drawn = offsets(task, people.seed[index], people.replica[index], purpose, number, test, periods).tolist()
            make = stream_of if task.is_random and periods > _SHORT else _known_stream
            alike = {some: make(task, some) for some in set(map(tuple, drawn))}
            found |= {place: alike[tuple(some)] for place, some in zip(places, drawn, strict=True)}
        return [found[place] for place in range(len(asked))]


_SHORT = 2  # periods; random streams that are longer are too many to keep
_known_stream = functools.lru_cache(maxsize=1024)(stream_of)


def padded_length(streams: Sequence[Stream]) -> int:
    """Steps of a batch that has these streams: of the longest, rounded up to a power of two, and at least 16.

    A function of a net's own streams: sums over the steps are then rounded alike whatever nets are beside it.
    """
    return 1 << max(4, (max(len(stream.inputs) for stream in streams) - 1).bit_length())


def batch_of(streams: Sequence[tuple[Stream, ...]], steps: int) -> Batch:
    """Streams of R nets, N each, as tensors of T = `steps`."""
    known = {id(s): s for row in streams for s in row}  # nets of a condition see few different streams
    places = dict(zip(known, range(len(known)), strict=True))
    shape = (len(known), steps)
    inputs, targets = np.zeros(shape), np.zeros(shape)
    has_target, period = np.zeros(shape, dtype=bool), np.full(shape, -1)
    for u, s in enumerate(known.values()):
        here = u, slice(len(s.inputs))
        inputs[here], targets[here], has_target[here], period[here] = s.inputs, s.targets, s.has_target, s.period
    of = np.array([[places[id(s)] for s in row] for row in streams])
    x, d, mask, number = (torch.from_numpy(array[of]) for array in (inputs, targets, has_target, period))
    return Batch(x.unsqueeze(-1), d, mask, number)
