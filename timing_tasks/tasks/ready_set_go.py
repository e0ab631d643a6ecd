"""Ready-set-go: reproduce an interval that has just been shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from timing_tasks.tasks.streams import Stream
from timing_tasks.tasks.task import Task, spans


@dataclass(frozen=True)
class ReadySetGo(Task):
    """Reproduce the interval between the spikes "ready" and "set" after "set": the paper's MSD and GTS in one.

    A period is one trial of 2 (F + I(n)) + 1 steps. The input is 1 at its first step (ready) and F + I(n) steps later
    (set), 0 elsewhere. The target is 1 at its last step (go), again F + I(n) steps later, and 0 elsewhere. A stream is
    one trial; a net solves the task if it is right at every step for every interval.

    The task is that of Jazayeri and Shadlen (Nature Neuroscience 13:1020-1026, 2010), where animals' answers spread in
    proportion to the interval. Here the answer has to be exact to the step.

        Task("ready_set_go") == ReadySetGo(10, (0, 1, 2, 3, 4, 5))
        ReadySetGo(20, range(11))          # intervals of 20 to 30 steps
    """

    name = "ready_set_go"
    single_period = True
    has_dense_targets = True

    min_interval: int = 10
    offsets: tuple[int, ...] = (0, 1, 2, 3, 4, 5)

    def stream_of(self, offsets: np.ndarray) -> Stream:
        """See `Task`."""
        intervals = self.min_interval + offsets
        period, go = spans(2 * intervals + 1)
        inputs, targets = np.zeros((2, len(period)))
        inputs[go - 2 * intervals] = 1.0  # ready
        inputs[go - intervals] = 1.0  # set
        targets[go] = 1.0
        return Stream(inputs, targets, np.ones(len(period), dtype=bool), period)
