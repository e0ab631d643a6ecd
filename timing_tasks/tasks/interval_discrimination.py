"""Interval discrimination: tell which of two intervals was longer."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from timing_tasks.tasks.streams import Stream
from timing_tasks.tasks.task import Task, spans


@dataclass(frozen=True)
class IntervalDiscrimination(Task):
    """Three spikes bound two intervals; at the third, the answer is 1 if the second interval was longer, else 0.

    A period is one trial of (F + I) + (F + J) + 1 steps, for a pair of different offsets I and J. The input is 1 at its
    first step, F + I steps later, and at its last step, F + J steps later again; it is 0 elsewhere. Only the last step
    has a target. A stream is one trial; a net solves the task if it is right for every pair.

    What is drawn is the number of a pair in `pairs`. Three offsets are the least: with two, the second interval alone
    would tell. The two-interval forced choice is psychophysics' own (Getty, Perception & Psychophysics 18:1-8, 1975);
    here a difference of one step counts.

        Task("interval_discrimination") == IntervalDiscrimination(10, (0, 1, 2, 3))
    """

    name = "interval_discrimination"
    single_period = True
    fewest_offsets = 3
    most_offsets = 32  # 992 pairs

    min_interval: int = 10
    offsets: tuple[int, ...] = (0, 1, 2, 3)

    @property
    def pairs(self) -> np.ndarray:
        """(I, J) of every trial that there is, int64, shape [K (K - 1), 2] for K offsets."""
        return np.array(list(itertools.permutations(self.offsets, 2)), dtype=np.int64)

    @property
    def choices(self) -> np.ndarray:
        """The numbers of the pairs."""
        return np.arange(len(self.pairs), dtype=np.int64)

    def stream_of(self, offsets: np.ndarray) -> Stream:
        """See `Task`; `offsets` are the numbers of pairs."""
        first, second = self.min_interval + self.pairs[offsets].T  # [periods] each
        period, last = spans(first + second + 1)
        inputs, targets = np.zeros((2, len(period)))
        for spike in (last - second - first, last - second, last):
            inputs[spike] = 1.0
        targets[last] = second > first
        has_target = np.zeros(len(period), dtype=bool)
        has_target[last] = True
        return Stream(inputs, targets, has_target, period)
