"""Solved nets, tested again: fresh test sets with their weights as they are. No net is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from timing_tasks.conditions.condition import Condition
from timing_tasks.learning.online.engine import Engine
from timing_tasks.learning.online.fresh_tests import run_fresh_tests
from timing_tasks.learning.online.population import Population
from timing_tasks.results.reliability import Reliability
from timing_tasks.results.row import Key, Row

TEST_SETS = 100


def is_tested(row: Row) -> bool:
    """Whether fresh test sets say something of a row's net: it is solved, and the test streams are random.

    NMSD is tested on all inputs there are.
    """
    return row.is_solved and row.recipe == "online" and row.asked.is_random and row.task != "nmsd"


def measure(
    rows: Sequence[Row], conditions: Mapping[Key, Condition], engine: Engine, test_sets: int = TEST_SETS
) -> dict[Key, Reliability]:
    """What the nets of some rows, which `is_tested` is true of, do in fresh test sets, by `Row.replica_key`.

    See `run_fresh_tests`. A row does not have the state that a net was left in, which some protocols carry over.

    Args:
        rows: of nets with cells of the paper's kind.
        conditions: in full, by `Row.condition`.
        engine: who runs the nets; the digits are the same with all of them.
        test_sets: how many for each net.
    """
    kinds = list(dict.fromkeys(row.condition for row in rows))
    people = Population.of(
        [conditions[key] for key in kinds], [(kinds.index(row.condition), row.replica) for row in rows], seed=0
    )
    people = replace(people, seed=np.array([row.seed for row in rows], dtype=np.int64))
    weights = torch.tensor([row.weights for row in rows], dtype=torch.float64)
    training_streams = torch.tensor([row.training_streams for row in rows])
    passed, streams = run_fresh_tests(people, weights, training_streams, engine, test_sets)
    return {
        row.replica_key: Reliability(test_sets, p, s)
        for row, p, s in zip(rows, passed.tolist(), streams.tolist(), strict=True)
    }
