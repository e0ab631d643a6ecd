"""How far the nets of each condition are, those among them that an earlier fit has finished."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timing_tasks.learning.online.population import Verdict
from timing_tasks.learning.population import PopulationModule
from timing_tasks.results.row import Row

Finished = tuple[int, Row]  # a net that was finished before: the position of its condition, and its row


@dataclass(frozen=True)
class Standing:
    """The nets of one condition; arrays have the shape [nets].

    Attributes:
        verdict: of each net, a Verdict.
        streams: training streams of each net.
    """

    verdict: np.ndarray
    streams: np.ndarray

    @property
    def nets(self) -> int:
        """How many there are."""
        return len(self.verdict)

    @property
    def solved(self) -> int:
        """How many are solved."""
        return int(np.count_nonzero(self.verdict == Verdict.SOLVED))

    @property
    def is_finished(self) -> bool:
        """Whether every net has its verdict."""
        return not bool(np.any(self.verdict == Verdict.RUNNING))

    @property
    def median_streams(self) -> float:
        """Training streams by which half of the nets are solved, as tables have it; infinity if that is not reached."""
        from timing_tasks.results.statistics import kaplan_meier_median  # SciPy takes a while to import

        diverged = self.verdict == Verdict.DIVERGED  # such a net can never be solved
        streams = np.where(diverged, self.streams.max(), self.streams)
        return kaplan_meier_median(streams.tolist(), (self.verdict == Verdict.SOLVED).tolist())

    @property
    def given_up_at(self) -> float:
        """The fewest training streams with which a net was given up; infinity if none was."""
        return min(map(float, self.streams[self.verdict == Verdict.UNSOLVED]), default=math.inf)


def not_in(module: PopulationModule, before: Sequence[Finished]) -> list[Finished]:
    """The nets finished before that are not in the module's population: a checkpoint contains finished nets too."""
    here = known_places(module)
    return [one for one in before if (one[0], one[1].replica) not in here]


def known_places(module: PopulationModule) -> dict[tuple[int, int], int]:
    """The index of each net in a module's population by the position of its condition and its number within it."""
    people = module.population
    return {
        place: index for index, place in enumerate(zip(people.condition.tolist(), people.replica.tolist(), strict=True))
    }


def standings(module: PopulationModule, before: Sequence[Finished]) -> dict[int, Standing]:
    """The standing of each condition that has nets in a module's population, by its position.

    Args:
        module: the nets in training.
        before: those that were finished before.
    """
    state, condition = module.state, module.population.condition
    earlier: dict[int, list[Row]] = {}
    for position, row in before:
        earlier.setdefault(position, []).append(row)
    found = {}
    for position in np.unique(condition).tolist():
        mine, rows = condition == position, earlier.get(position, [])
        verdicts = [int(Verdict[row.status.upper()]) for row in rows]
        streams = [row.training_streams for row in rows]
        found[position] = Standing(
            np.concatenate([state.verdict.numpy()[mine], np.array(verdicts, dtype=np.int64)]),
            np.concatenate([state.training_streams.numpy()[mine], np.array(streams, dtype=np.int64)]),
        )
    return found
