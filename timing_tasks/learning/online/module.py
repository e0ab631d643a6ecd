"""The online recipe in Lightning: one LightningModule that trains a whole population by the paper's own rule."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from timing_tasks.conditions.recipe import ONLINE
from timing_tasks.errors import ConfigurationError
from timing_tasks.learning.online.engine import Engine
from timing_tasks.learning.online.fresh_tests import run_fresh_tests
from timing_tasks.learning.online.population import Population, State, Verdict
from timing_tasks.learning.population import PopulationModule
from timing_tasks.models.trajectory import trajectory
from timing_tasks.tasks import Stream

_FIRST_CHUNK = 512  # net-steps of each replica, until a speed is known
_MOST_GROWTH = 8
TEST_SETS = 100  # fresh ones of each solved net, for its reliability


class OnlinePopulationModule(PopulationModule):
    """The replicas of a population and the engine that trains them (manual optimisation).

    One `training_step` advances every running replica by a chunk of net-steps that takes about `chunk_seconds`, so that
    Lightning's own work, about a hundredth of a second, does not count. The size of a chunk does not change any result.
    Fitting ends when no replica is running.

    Args:
        population: the replicas.
        engine: who executes the hot loop.
        chunk_seconds: of wall-clock time.

    Raises:
        ConfigurationError: a condition with another recipe.

    Attributes:
        state: of the replicas, see `State`; saved in checkpoints by replica, so that a checkpoint also serves a
            population that has lost its finished replicas or gained new ones.
        engine_seconds: spent in the engine since the module was made.
    """

    recipe_name = "online"
    checkpoint_keys = ("replicas", "state", "seconds")

    def __init__(self, population: Population, engine: Engine, chunk_seconds: float = 1.0) -> None:
        super().__init__()
        self.begin(population)
        for condition in map(population.condition_of, range(len(population))):
            if condition.recipe != ONLINE:
                raise ConfigurationError("recipe", condition.recipe.name, "online, for the OnlinePopulationModule")
        self.automatic_optimization = False
        self.engine, self.chunk_seconds, self.engine_name = engine, chunk_seconds, engine.name
        self.state: State = State.initial(population)
        self.engine_seconds = 0.0
        self._chunk = _FIRST_CHUNK
        # Replicas of a checkpoint that are not of this run.
        self._elsewhere: tuple[list[str], State, Tensor] = ([], State.blank(0), torch.zeros(0, dtype=torch.float64))

    def configure_optimizers(self) -> None:
        """None: the rule is the engine's."""

    def training_step(self, batch: int, batch_idx: int) -> None:
        """Advance every running replica by one chunk."""
        self.net_steps_per_second = 0.0
        if not self.running():
            return  # those of other processes are
        before, start = self._own_state.net_steps.clone(), time.perf_counter()
        self.engine.run(self._own_population, self._own_state, self._chunk)
        seconds = max(time.perf_counter() - start, 1e-9)
        steps = self._own_state.net_steps - before
        self.net_steps_per_second = int(steps.sum()) / seconds
        self.seconds[self.own] += seconds * steps / max(int(steps.sum()), 1)
        if self._own_state is not self.state:
            self.state.put(self.own.tolist(), self._own_state, range(len(self.own)))
        self.engine_seconds += seconds
        blocks = int(self._chunk * min(_MOST_GROWTH, self.chunk_seconds / seconds)) // self.engine.block
        self._chunk = max(1, blocks) * self.engine.block
        self.trainer.should_stop = self.is_finished

    def weights(self, index: int) -> np.ndarray:
        """In the order of WEIGHT_NAMES, shape [19]."""
        weights: np.ndarray = self.state.weights[index].numpy()
        return weights

    def on_fit_start(self) -> None:
        """Put the replicas of this process side by side, now that a checkpoint has been read."""
        super().on_fit_start()
        self.engine = self.engine.on(self.device)
        self._own_population, self._own_state = self.population, self.state
        if len(self.own) < len(self.population):
            self._own_population, self._own_state = (
                self.population.at(self.own.tolist()),
                self.state.at(self.own.tolist()),
            )

    def reliability(self) -> list[float]:
        """See `PopulationModule.reliability`."""
        solved = np.flatnonzero(self.state.verdict.numpy() == Verdict.SOLVED).tolist()
        if not solved:
            return []
        some, people = self.state.at(solved), self.population.at(solved)
        passed, _ = run_fresh_tests(people, some.weights, some.training_streams, self.engine, TEST_SETS)
        shares: list[float] = (passed / TEST_SETS).tolist()
        return shares

    def part(self, rows: Sequence[int]) -> dict[str, Tensor]:
        """See `PopulationModule.part`."""
        return {**self.state.at(rows).tensors(), "seconds": self.seconds[list(rows)]}

    def put_part(self, rows: Sequence[int], part: dict[str, Tensor]) -> None:
        """See `PopulationModule.put_part`."""
        self.seconds[list(rows)] = part.pop("seconds")
        self.state.put(rows, State(**part), range(len(rows)))

    def outputs(self, index: int, stream: Stream) -> np.ndarray:
        """See `PopulationModule.outputs`."""
        condition = self.population.condition_of(index)
        return trajectory(
            self.weights(index),
            stream.inputs,
            condition.output_activation,
            condition.forget_gate,
            condition.protocol.cell_output_activation,
        ).output

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the state by replica."""
        names, state, seconds = self._elsewhere
        checkpoint["replicas"] = self.names() + names
        checkpoint["state"] = {n: torch.cat([t, getattr(state, n)]) for n, t in self.state.tensors().items()}
        checkpoint["seconds"] = torch.cat([self.seconds, seconds])

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the state of every replica that the checkpoint knows; others start from the beginning.

        A replica that a smaller budget gave up goes on.
        """
        rows, places, others = _known(self.names(), checkpoint["replicas"])
        state = State(**checkpoint["state"])
        self.state.put(rows, state, places)
        self.state.go_on(self.population)
        self.seconds[rows] = checkpoint["seconds"][places]
        kept = State.blank(len(others))
        kept.put(range(len(others)), state, others)
        self._elsewhere = [checkpoint["replicas"][place] for place in others], kept, checkpoint["seconds"][others]


def _known(names: Sequence[str], stored: Sequence[str]) -> tuple[list[int], list[int], list[int]]:
    """Which replicas of a population a checkpoint knows, at which of its places, and the places of its others."""
    places = {name: place for place, name in enumerate(stored)}
    pairs = [(row, places.pop(name)) for row, name in enumerate(names) if name in places]
    return [row for row, _ in pairs], [place for _, place in pairs], list(places.values())
