"""Committed rows, run again: the same seed has to give the same row, digit for digit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from timing_tasks.conditions.condition import Condition
from timing_tasks.errors import ResultsError
from timing_tasks.experiment.run import row_of
from timing_tasks.learning.online.engine import Engine
from timing_tasks.learning.online.module import OnlinePopulationModule
from timing_tasks.learning.online.population import Population
from timing_tasks.report import reliability
from timing_tasks.results.description import online_conditions
from timing_tasks.results.reliability import Reliability, read_reliability
from timing_tasks.results.row import COLUMNS, Row, read_rows, texts_of

_CHUNK = 200_000  # net-steps of each net between two looks at how far they are
_ELSEWHERE = ("commit",)  # may differ: another commit of the same version gives the same rows


@dataclass(frozen=True)
class Sampled:
    """A row of a results folder, its condition in full and, where its net was tested again, what it did.

    Attributes:
        folder: within the folder of results folders.
        row: of the net.
        condition: in full.
        reliability: None for a net that was not tested again.
    """

    folder: str
    row: Row
    condition: Condition
    reliability: Reliability | None


def sample(results: Path, count: int, most_net_steps: int, seed: int) -> list[Sampled]:
    """Rows drawn at random, each of all folders as likely as any other.

    Args:
        results: a folder of results folders.
        count: how many; all, if there are fewer.
        most_net_steps: rows that took more are left out.
        seed: of the draw.

    Raises:
        ResultsError: no row, or a folder that cannot be read or is another version's.
    """
    everything: list[Sampled] = []
    for path in sorted(results.rglob("runs.csv")):
        known, tested = online_conditions(path.parent), read_reliability(path.parent)
        folder = str(path.parent.relative_to(results))
        everything += [
            Sampled(folder, row, known[row.condition], tested.get(row.replica_key))
            for row in read_rows(path)
            if (row.engine, row.recipe) == ("native", "online") and row.net_steps <= most_net_steps
        ]
    if not everything:
        raise ResultsError(
            f"results={str(results)!r}: no row of the native engine of at most {most_net_steps} net-steps"
        )
    chosen = np.random.default_rng(seed).permutation(len(everything))[:count]
    return [everything[at] for at in sorted(chosen.tolist())]


def again(
    sampled: Sequence[Sampled], engine: Engine, progress: Callable[[float], None] = lambda part: None
) -> list[Row]:
    """The rows of the same nets, trained again.

    Args:
        sampled: which.
        engine: who trains them.
        progress: told, now and then, which part of the net-steps is done.
    """
    conditions: list[Condition] = []
    for one in sampled:
        if one.condition not in conditions:
            conditions.append(one.condition)
    people = Population.of(conditions, [(conditions.index(one.condition), one.row.replica) for one in sampled], seed=0)
    people = replace(people, seed=np.array([one.row.seed for one in sampled], dtype=np.int64))
    module, total = OnlinePopulationModule(people, engine), sum(one.row.net_steps for one in sampled)
    while not module.is_finished:
        engine.run(people, module.state, _CHUNK)
        progress(min(1.0, int(module.state.net_steps.sum()) / total))
    return [row_of(module, index) for index in range(len(people))]


def reliability_again(sampled: Sequence[Sampled], engine: Engine) -> list[bool]:
    """Which of the sampled nets, tested again, differ from the committed file."""
    tested = [one for one in sampled if one.reliability is not None]
    found = [
        reliability.measure([one.row], {one.row.condition: one.condition}, engine, one.reliability.test_sets)
        for one in tested
        if one.reliability is not None
    ]
    differs = {id(one): again[one.row.replica_key] != one.reliability for one, again in zip(tested, found, strict=True)}
    return [differs.get(id(one), False) for one in sampled]


def differing(one: Row, other: Row) -> list[str]:
    """The columns in which two rows differ, but for those that may."""
    return [
        name
        for name, a, b in zip(COLUMNS, texts_of(one), texts_of(other), strict=True)
        if a != b and name not in _ELSEWHERE
    ]
