"""The online recipe in Lightning: one LightningModule that trains a whole population by the paper's own rule."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor

import timing_tasks
from timing_tasks.learning.engine import Engine, Population, State, Verdict

_FIRST_CHUNK = 512  # net-steps of each replica, until a speed is known
_MOST_GROWTH = 8


class OnlineModule(L.LightningModule):
    """The replicas of a population and the engine that trains them (manual optimisation).

    One `training_step` advances every running replica by a chunk of net-steps that takes about `chunk_seconds`, so that
    Lightning's own work, about a hundredth of a second, does not count. The size of a chunk does not change any result.
    Fitting ends when no replica is running.

    Args:
        population: the replicas.
        engine: who executes the hot loop.
        chunk_seconds: of wall-clock time.

    Attributes:
        state: of the replicas, see `State`; saved in checkpoints by replica, so that a checkpoint also serves a population
            that has lost its finished replicas or gained new ones.
        net_steps_per_second: in the last chunk, over all replicas.
        engine_seconds: spent in the engine since the module was made.
    """

    def __init__(self, population: Population, engine: Engine, chunk_seconds: float = 1.0) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.population, self.engine, self.chunk_seconds = population, engine, chunk_seconds
        self.state = State.initial(population)
        self.net_steps_per_second = 0.0
        self.engine_seconds = 0.0
        self._chunk = _FIRST_CHUNK
        self._elsewhere: tuple[list[str], State] = ([], State.blank(0))  # replicas of a checkpoint that are not of this run
        self._known_names: list[str] = []
        self._own: Sequence[int] | None = None  # the replicas that this process trains; None: all
        self._own_population, self._own_state = population, self.state

    def configure_optimizers(self) -> None:
        """None: the rule is the engine's."""

    def on_fit_start(self) -> None:
        """Nothing to do if a checkpoint holds only finished replicas."""
        self.trainer.should_stop = self.is_finished

    def training_step(self, batch: Population, batch_idx: int) -> None:
        """Advance every running replica by one chunk."""
        self.net_steps_per_second = 0.0
        if not self.running():
            return  # those of other processes are
        before, start = int(self._own_state.net_steps.sum()), time.perf_counter()
        self.engine.run(self._own_population, self._own_state, self._chunk)
        seconds = max(time.perf_counter() - start, 1e-9)
        self.net_steps_per_second = (int(self._own_state.net_steps.sum()) - before) / seconds
        if self._own is not None:
            self.state.put(self._own, self._own_state, range(len(self._own)))
        self.engine_seconds += seconds
        self._chunk = max(1, int(self._chunk * min(_MOST_GROWTH, self.chunk_seconds / seconds)))
        self.trainer.should_stop = self.is_finished

    def share(self, own: Sequence[int]) -> None:
        """Train only the replicas at these positions from here on: other processes train the others."""
        self._own, self._own_population, self._own_state = own, self.population.at(own), self.state.at(own)

    def running(self) -> Sequence[int]:
        """The positions of the running replicas that this process trains."""
        running = np.flatnonzero(self._own_state.verdict.numpy() == Verdict.RUNNING)
        return running.tolist() if self._own is None else np.array(self._own)[running].tolist()

    def part(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """All that changes of some replicas, for another process's `put_part`."""
        return self.state.at(rows).tensors()

    def put_part(self, rows: Sequence[int], part: dict[str, Tensor]) -> None:
        """Take what another process has made of its replicas."""
        self.state.put(rows, State(**part), range(len(rows)))

    @property
    def is_finished(self) -> bool:
        """Whether no replica is running."""
        return not bool((self.state.verdict == Verdict.RUNNING).any())

    def finished(self) -> Sequence[int]:
        """The positions of the finished replicas."""
        return np.flatnonzero(self.state.verdict.numpy() != Verdict.RUNNING).tolist()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the state by replica."""
        names, state = self._elsewhere
        checkpoint["replicas"] = self._names() + names
        checkpoint["state"] = {n: torch.cat([t, getattr(state, n)]) for n, t in self.state.tensors().items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the state of every replica that the checkpoint knows; others start from the beginning."""
        stored, state = {name: row for row, name in enumerate(checkpoint["replicas"])}, State(**checkpoint["state"])
        pairs = [(row, stored.pop(name)) for row, name in enumerate(self._names()) if name in stored]
        self.state.put([row for row, _ in pairs], state, [row for _, row in pairs])
        self._elsewhere = list(stored), State.blank(len(stored))
        self._elsewhere[1].put(range(len(stored)), state, list(stored.values()))

    def _names(self) -> list[str]:
        """What distinguishes a replica from all others: another version or engine would go on with other digits."""
        if self._known_names:
            return self._known_names
        people, made_by = self.population, f"{timing_tasks.__version__} {self.engine.name}"
        conditions = list(map(repr, people.conditions))
        self._known_names = [
            f"{made_by} {conditions[c]} {seed} {replica}"
            for c, seed, replica in zip(people.condition.tolist(), people.seed.tolist(), people.replica.tolist(), strict=True)
        ]
        return self._known_names
