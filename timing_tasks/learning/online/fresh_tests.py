"""Nets with frozen weights in fresh test sets: how often they pass what has solved them. No net is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from timing_tasks.conditions.condition import Budget
from timing_tasks.learning.online.engine import Engine
from timing_tasks.learning.online.population import Population, State, Verdict

_TEST_PHASE, _CHUNK = 1, 1_000_000  # of `State.phase`; net-steps of each net in a call of the engine


def run_fresh_tests(
    population: Population, weights: Tensor, training_streams: Tensor, engine: Engine, test_sets: int
) -> tuple[Tensor, Tensor]:
    """Run each net through some test sets, each of which makes a solution (PAPER.md 3) and ends with the first failure.

    Test set k of a net that had N training streams is the one that would have followed training stream N + 1 + k: its
    random numbers (PAPER.md 4) have that count in Philox's counter, and a net draws none of them once it is solved.

    Under a protocol that carries the state from stream to stream each set begins with the initial state.

    Args:
        population: whose nets.
        weights: of each, float64, [replicas, 19].
        training_streams: of each, int64, [replicas].
        engine: who runs the nets; the digits are the same with all of them.
        test_sets: how many for each net.

    Returns:
        How many sets each net passed, and how many test streams were right throughout in all its sets; both int64,
        [replicas].
    """
    # Both limits are looked at after a failed test: it is the end of a set. Nothing is trained between its streams.
    conditions = [
        replace(one, budget=Budget(1, 1), protocol=replace(one.protocol, training_between_tests=False))
        for one in population.conditions
    ]
    rows = np.repeat(np.arange(len(population)), test_sets)
    places = list(zip(population.condition[rows].tolist(), population.replica[rows].tolist(), strict=True))
    people = replace(Population.of(conditions, places, seed=0), seed=population.seed[rows])
    state = State.blank(len(people))
    state.weights[:] = weights.repeat_interleave(test_sets, 0)
    state.phase[:] = _TEST_PHASE
    state.training_streams[:] = (
        training_streams.repeat_interleave(test_sets) + torch.arange(test_sets).repeat(len(population)) + 1
    )
    while bool((state.verdict == Verdict.RUNNING).any()):
        engine.run(people, state, _CHUNK)
    passed = (state.verdict == Verdict.SOLVED).view(-1, test_sets).sum(1)
    return passed, state.test_stream.view(-1, test_sets).sum(1)
