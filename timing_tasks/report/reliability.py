"""Solved nets, tested again: fresh test sets with their weights as they are. No net is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from timing_tasks.conditions.condition import Budget, Condition
from timing_tasks.learning.online.engine import Engine
from timing_tasks.learning.online.population import Population, State, Verdict
from timing_tasks.results.reliability import Reliability
from timing_tasks.results.row import Key, Row

TEST_SETS = 100
_TEST_PHASE, _CHUNK = 1, 1_000_000  # of `State.phase`; net-steps of each net in a call of the engine


def is_tested(row: Row) -> bool:
    """Whether fresh test sets say something of a row's net: it is solved, and the test streams are random.

    NMSD is tested on all inputs there are.
    """
    return row.is_solved and row.recipe == "online" and row.asked.is_random and row.task != "nmsd"


def measure(
    rows: Sequence[Row], conditions: Mapping[Key, Condition], engine: Engine, test_sets: int = TEST_SETS
) -> dict[Key, Reliability]:
    """What the nets of some rows, which `is_tested` is true of, do in fresh test sets, by `Row.replica_key`.

    Test set k of a net that was solved after N training streams is the one that would have followed training stream
    N + 1 + k: its random numbers (PAPER.md 4) have that count in Philox's counter, and a net draws none of them once it
    is solved.

    Under a protocol that carries the state from stream to stream each set begins with the initial state: a row does not
    have the state that its net was left in.

    Args:
        rows: of nets with cells of the paper's kind.
        conditions: in full, by `Row.condition`.
        engine: who runs the nets; the digits are the same with all of them.
        test_sets: how many for each net.
    """
    kinds = list(dict.fromkeys(row.condition for row in rows))
    # Both limits are looked at after a failed test: it is the end of a set. Nothing is trained between its streams.
    tested = [
        replace(
            conditions[key],
            budget=Budget(1, 1),
            protocol=replace(conditions[key].protocol, training_between_tests=False),
        )
        for key in kinds
    ]
    sets = [(row, k) for row in rows for k in range(test_sets)]
    people = Population.of(tested, [(kinds.index(row.condition), row.replica) for row, _ in sets], seed=0)
    people = replace(people, seed=np.array([row.seed for row, _ in sets], dtype=np.int64))
    state = State.blank(len(sets))
    state.weights[:] = torch.tensor([row.weights for row in rows], dtype=torch.float64).repeat_interleave(test_sets, 0)
    state.phase[:] = _TEST_PHASE
    state.training_streams[:] = torch.tensor([row.training_streams + 1 + k for row, k in sets])
    while bool((state.verdict == Verdict.RUNNING).any()):
        engine.run(people, state, _CHUNK)
    passed = (state.verdict == Verdict.SOLVED).view(-1, test_sets).sum(1).tolist()
    streams = state.test_stream.view(-1, test_sets).sum(1).tolist()
    return {
        row.replica_key: Reliability(test_sets, int(p), int(s)) for row, p, s in zip(rows, passed, streams, strict=True)
    }
