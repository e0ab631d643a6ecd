"""What the modules of both recipes share: the replicas of a run side by side, as callbacks and rows see them."""

from __future__ import annotations

import copy
import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Protocol

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

import timing_tasks
from timing_tasks.conditions.condition import Budget
from timing_tasks.conditions.recipe import ONLINE
from timing_tasks.learning.online.population import Population, Verdict
from timing_tasks.tasks import Stream

_SECONDS_BETWEEN_LOGS = 0.5
_ANY_BUDGET = Budget(1, 1)


class Progress(Protocol):
    """Progress of the replicas: tensors with one entry a replica, explained in `online.population.State`."""

    verdict: Tensor
    training_streams: Tensor
    training_size: Tensor
    test_size: Tensor
    net_steps: Tensor

    def root_mean_square_error(self, row: int) -> float:
        """Of a solved replica: over the targets of the test streams that solved it."""


class _Endless(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1


class _One(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        yield 0


class PopulationModule(L.LightningModule):
    """The replicas of a population; a LightningModule's other base class.

    Attributes:
        population: the replicas.
        state: how far they are.
        seconds: of wall-clock time that each replica has cost so far, float64, [replicas]; what replicas share is
            divided among them by the net-steps that they take in it.
        net_steps_per_second: lately, over all replicas.
        own: the positions of those that this process trains, int64, by default all; set before the fit begins.
        is_level: whether rank 0 has just received the replicas of all processes, as it does about every half second.
        recipe_name: of the recipe.
        engine_name: who executes the hot loop, as rows have it.
        checkpoint_keys: what the module adds to a checkpoint.
    """

    population: Population
    state: Progress
    recipe_name: ClassVar[str]
    engine_name: str
    checkpoint_keys: ClassVar[tuple[str, ...]]

    def begin(self, population: Population) -> None:
        """Take a population, in the constructor of a module."""
        self.population = population
        self.seconds = torch.zeros(len(population), dtype=torch.float64)
        self.net_steps_per_second = 0.0
        self.own = np.arange(len(population))
        self.is_level = True
        self._known_names: list[str] = []
        self._next_log = 0.0

    def configure_model(self) -> None:
        """Copy the tensors: those that a process passes to its children are otherwise shared memory."""
        self.state, self.seconds = copy.deepcopy((self.state, self.seconds))

    def train_dataloader(self) -> DataLoader[int]:
        """Numbers without end: the replicas draw their streams themselves, and the module says when it is done."""
        return DataLoader(_Endless(), batch_size=None)

    def val_dataloader(self) -> DataLoader[int]:
        """One batch: the population as it is."""
        return DataLoader(_One(), batch_size=None)

    def test_dataloader(self) -> DataLoader[int]:
        """One batch: the population as it is."""
        return DataLoader(_One(), batch_size=None)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log `val/solved`, the share of the replicas that are solved."""
        self._log_solved("val")

    def test_step(self, batch: Any, batch_idx: int) -> None:
        """Log `test/solved`, the share of the replicas that are solved, and `test/reliability`.

        That is the share of fresh test sets that a solved replica passes, averaged over the solved ones.
        """
        self._log_solved("test")
        if shares := self.reliability():
            self._log("test/reliability", float(np.mean(shares)))

    def _log_solved(self, stage: str) -> None:
        self._log(f"{stage}/solved", (self.state.verdict == Verdict.SOLVED).double().mean())

    def _log(self, name: str, value: Tensor | float) -> None:
        self.log(name, torch.as_tensor(value), batch_size=1)  # a tensor here: a number would go to the device

    def reliability(self) -> list[float]:
        """The share of fresh test sets that each solved replica passes."""
        raise NotImplementedError

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Log how far the replicas are, about every half second, or less often so that it takes 1% of the time.

        `val/solved` as in a validation, and of each condition `solved/CONDITION`, `training_size/CONDITION` and
        `test_size/CONDITION`: the share of its replicas that are solved, the median periods without a wrong prediction
        in their last training and test streams.
        """
        if not self.is_level or (time.monotonic() < self._next_log and not self.is_finished):
            return
        began = time.monotonic()
        self._log_solved("val")
        verdict = self.state.verdict.numpy()
        for position, condition in enumerate(self.population.conditions):
            rows = np.flatnonzero(self.population.condition == position)
            if len(rows):
                self._log(f"solved/{condition}", float(np.mean(verdict[rows] == Verdict.SOLVED)))
                for name in ("training_size", "test_size"):
                    sizes = getattr(self.state, name).numpy()[rows]
                    self._log(f"{name}/{condition}", float(np.median(sizes)))
        now = time.monotonic()
        self._next_log = now + max(_SECONDS_BETWEEN_LOGS, 100 * (now - began))

    def on_fit_start(self) -> None:
        """Nothing to do if a checkpoint holds only finished replicas."""
        self.trainer.should_stop = self.is_finished

    @property
    def is_finished(self) -> bool:
        """Whether no replica is running."""
        return not bool((self.state.verdict == Verdict.RUNNING).any())

    def running(self) -> list[int]:
        """The positions of the running replicas that this process trains."""
        running: list[int] = self.own[self.state.verdict.numpy()[self.own] == Verdict.RUNNING].tolist()
        return running

    def part(self, rows: Sequence[int]) -> Any:
        """All that changes of some replicas, for another process's `put_part`: what can be pickled."""
        raise NotImplementedError

    def put_part(self, rows: Sequence[int], part: Any) -> None:
        """Take what another process has made of its replicas."""
        raise NotImplementedError

    def finished(self) -> list[int]:
        """The positions of the finished replicas."""
        finished: list[int] = np.flatnonzero(self.state.verdict.numpy() != Verdict.RUNNING).tolist()
        return finished

    def weights(self, index: int) -> np.ndarray:
        """All weights of the replica at an index, float64, one after the other."""
        raise NotImplementedError

    def outputs(self, index: int, stream: Stream) -> np.ndarray:
        """What the net of the replica at an index puts out along a stream, z(t), shape [T]."""
        raise NotImplementedError

    def names(self) -> list[str]:
        """What distinguishes a replica from all others: another version or engine would go on with other digits."""
        if not self._known_names:
            self._known_names = replica_names(self.population, self.engine_name)
        return self._known_names


def replica_names(population: Population, engine_name: str) -> list[str]:
    """See `PopulationModule.names`; a net that learns by the online recipe goes on under a larger budget."""
    made_by = f"{timing_tasks.__version__} {engine_name}"
    decisive = [replace(c, budget=_ANY_BUDGET) if c.recipe == ONLINE else c for c in population.conditions]
    conditions = [hashlib.sha256(f"{made_by} {c!r}".encode()).hexdigest()[:32] for c in decisive]
    numbers = zip(population.condition.tolist(), population.seed.tolist(), population.replica.tolist(), strict=True)
    return [f"{conditions[c]} {seed} {replica}" for c, seed, replica in numbers]
