"""The state of a run in one line: how many nets are solved, how fast it goes, how long it takes at most."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timing_tasks.conditions.recipe import BPTT
from timing_tasks.experiment.standing import Finished
from timing_tasks.learning.online.population import Verdict
from timing_tasks.learning.population import PopulationModule

_HORIZON = 10.0  # seconds over which a speed is measured
_LEAST = 1.0  # the first chunks of a fit are small
_SAMPLE = 0.5  # seconds between two measurements


@dataclass(frozen=True)
class Status:
    """The state of a run.

    Attributes:
        solved: how many nets are.
        running: how many are running.
        out_of_budget: how many have spent their budget.
        diverged: how many have diverged.
        speed: a number with the unit of what it counts, such as `3.4M net-steps/s`; empty while it is unknown.
        done: the share of the work that is done, in [0, 1].
        seconds_left: at most; None while it is unknown.
    """

    solved: int
    running: int
    out_of_budget: int
    diverged: int
    speed: str
    done: float
    seconds_left: float | None

    def forms(self) -> list[str]:
        """Texts that say it, the longest first, the shortest empty."""
        counts = f"{self.solved} solved, {self.running} running"
        lost = f", {self.diverged} diverged" if self.diverged else ""
        speed = f", {self.speed}" if self.speed else ""
        short_speed = speed.replace("net-steps", "").replace(" /s", "/s")
        return [
            f"{counts}, {self.out_of_budget} out of budget{lost}{speed}",
            f"{counts}, {self.out_of_budget + self.diverged} given up{speed}",
            f"{counts}, {self.out_of_budget + self.diverged} given up{short_speed}",
            f"{counts}{short_speed}",
            counts,
            f"{self.solved} solved",
            "",
        ]

    def fitting(self, width: int) -> str:
        """The longest text that is no wider than that."""
        return next((form for form in self.forms() if len(form) <= width), "")

    @property
    def left(self) -> str:
        """The time that is left, such as `at most 1:02:03 left`."""
        return "" if self.seconds_left is None else f"at most {duration(self.seconds_left)} left"


class Speedometer:
    """Measures how fast a fit goes, over the last seconds; what a checkpoint had done before does not count."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float, float]] = deque()

    def status(self, module: PopulationModule, before: Sequence[Finished]) -> Status:
        """The state of a run now.

        Args:
            module: the nets in training.
            before: those that were finished before.
        """
        spent, left = work(module)
        steps, streams = self._speeds(float(spent.sum()), float(module.state.training_streams.sum()))
        is_bptt = isinstance(module.population.condition_of(0).recipe, BPTT)  # a fit has one recipe
        count, unit = (streams, "streams") if is_bptt else (steps, "net-steps")
        counts = np.bincount(module.state.verdict.numpy(), minlength=len(Verdict))
        for _, row in before:
            counts[Verdict[row.status.upper()]] += 1
        return Status(
            solved=int(counts[Verdict.SOLVED]),
            running=int(counts[Verdict.RUNNING]),
            out_of_budget=int(counts[Verdict.UNSOLVED]),
            diverged=int(counts[Verdict.DIVERGED]),
            speed=f"{quantity(count)} {unit}/s" if count else "",
            done=float(spent.sum() / max(spent.sum() + left.sum(), 1.0)),
            seconds_left=left.sum() / steps if steps else None,
        )

    def _speeds(self, steps: float, streams: float) -> tuple[float, float]:
        """Net-steps and training streams a second; 0 while they are unknown."""
        now, samples = time.monotonic(), self._samples
        if not samples or now - samples[-1][0] >= _SAMPLE:
            samples.append((now, steps, streams))
        while len(samples) > 2 and now - samples[1][0] >= _HORIZON:
            samples.popleft()
        (then, first_steps, first_streams) = samples[0]
        seconds = now - then
        if seconds < _LEAST:
            return 0.0, 0.0
        return (steps - first_steps) / seconds, (streams - first_streams) / seconds


def work(module: PopulationModule) -> tuple[np.ndarray, np.ndarray]:
    """Net-steps spent by each replica, and an estimate of those left at most, both [replicas], float64."""
    state, population = module.state, module.population
    kinds = "budget_training_streams", "budget_net_steps"
    most_streams, most_steps = (population.records[kind][population.condition] for kind in kinds)
    spent = state.net_steps.numpy().astype(float)
    streams = state.training_streams.numpy()
    per_stream = spent / np.maximum(streams, 1)
    left = np.minimum((most_streams - streams) * per_stream, most_steps - spent)
    return spent, np.where(state.verdict.numpy() == Verdict.RUNNING, np.maximum(left, 0.0), 0.0)


def quantity(value: float) -> str:
    """A number with two digits or more and the prefix of its power of 1,000, such as `3.4M`, `34k`, `512`, `0.8`."""
    for limit, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit * 0.9995:
            return f"{value / limit:.1f}{prefix}" if value < 9.95 * limit else f"{value / limit:.0f}{prefix}"
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def duration(seconds: float) -> str:
    """Such as `0:07`, `1:02:03` and, from ten hours on, `12 h`."""
    if seconds >= 36000:
        return f"{seconds / 3600:.0f} h"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
