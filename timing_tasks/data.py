"""The DataModule: the only place streams come from."""

from __future__ import annotations

from collections.abc import Iterator

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from timing_tasks.learning.engine.population import Population
from timing_tasks.tasks import Purpose, stream


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
        shown = stream(
            population.condition_of(index).task,
            int(population.seed[index]),
            int(population.replica[index]),
            number,
            purpose,
            test,
            periods,
        )
        x, d, mask = (torch.from_numpy(array).reshape(1, -1, 1) for array in (shown.inputs, shown.targets, shown.has_target))
        return x, d, mask
