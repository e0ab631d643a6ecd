"""The paper's four tasks (its section 4, PAPER.md 4) and their parameters; the engines know these alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from timing_tasks.errors import ConfigurationError, check_whole
from timing_tasks.tasks.streams import Stream
from timing_tasks.tasks.task import Task, spans


def _cos(m: np.ndarray, f: int) -> np.ndarray:
    # Mathematical libraries differ in the last bit of a cosine; 15 decimals are the same with all of them.
    return np.array([round(0.5 * (1 - math.cos(2 * math.pi * k / f)), 15) for k in m.tolist()])


def _tri(m: np.ndarray, f: int) -> np.ndarray:
    return np.where(2 * m <= f, 2 * m / f, 2 - 2 * m / f)


def _rect(m: np.ndarray, f: int) -> np.ndarray:
    return np.where(2 * m > f, 1.0, 0.0)


_FUNCTIONS = {"cos": _cos, "tri": _tri, "rect": _rect}  # of the step m of a period of f steps (PAPER.md 4)
WAVEFORMS = tuple(_FUNCTIONS)
INPUTS_SHOWN = ("throughout", "first_step")


@dataclass(frozen=True)
class PaperTask(Task):
    """What the paper's tasks have in common.

    Attributes:
        first_spike_later: how many steps the first period is longer than F + I(0), 0 or 1; 0 for `pfg`.
        first_phase: for `pfg` the first target is f(first_phase), a step from 0 to F - 1; 0 for the others.
        gts_input: for `gts` whether I(n) is seen `throughout` period n or in its `first_step` alone.
    """

    min_interval: int = 10
    first_spike_later: int = 0
    first_phase: int = 0
    gts_input: str = "throughout"

    allowed_readings: ClassVar[dict[str, tuple[int, ...] | tuple[str, ...]]] = {
        "first_spike_later": (0, 1),
        "first_phase": (0,),
        "gts_input": ("throughout",),
    }

    def check_parameters(self) -> None:
        """See `Task`."""
        super().check_parameters()
        for key, options in self.allowed_readings.items():
            if getattr(self, key) not in options:
                raise ConfigurationError(
                    f"task.{key}", getattr(self, key), f"{' or '.join(map(str, options))} for {self.name}"
                )

    def spikes(self, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """1 at the last step T(n) of each period, else 0, float64, and each step's period; [T] each.

        T(0) = F + I(0), T(n) = T(n-1) + F + I(n), with steps numbered from 1 (PAPER.md 4).
        """
        lengths = self.min_interval + offsets
        lengths[:1] += self.first_spike_later
        period, ends = spans(lengths)
        spikes = np.zeros(len(period))
        spikes[ends] = 1.0
        return spikes, period


@dataclass(frozen=True)
class MSD(PaperTask):
    """Measuring spike delays: the input is 1 at spikes; there, the target is the offset I(n) of the delay.

    The targets are exact by construction: the delay is F + I(n) steps (PAPER.md 4).
    """

    name = "msd"
    default_budget = 100_000_000

    offsets: tuple[int, ...] = (0, 1)

    def stream_of(self, offsets: np.ndarray) -> Stream:
        """See `Task`."""
        spikes, period = self.spikes(offsets)
        return Stream(spikes, offsets[period] * spikes, spikes > 0, period)

    @property
    def output_activation(self) -> str:
        """A sigmoid unless a target is out of its reach (PAPER.md 1)."""
        return "identity" if max(self.offsets) > 1 else "sigmoid"


@dataclass(frozen=True)
class NMSD(MSD):
    """Measuring one spike delay: as MSD, but the stream ends with the first spike (PAPER.md 4)."""

    name = "nmsd"
    single_period = True


@dataclass(frozen=True)
class GTS(PaperTask):
    """Generating timed spikes: the input is I(n); the target is 1 at spikes, F + I(n) steps apart, and 0 elsewhere.

    The targets are the inputs of MSD: input and target are exchanged (PAPER.md 4).
    """

    name = "gts"
    has_dense_targets = True
    allowed_readings = PaperTask.allowed_readings | {"gts_input": INPUTS_SHOWN}

    offsets: tuple[int, ...] = (0, 1)

    def stream_of(self, offsets: np.ndarray) -> Stream:
        """See `Task`."""
        spikes, period = self.spikes(offsets)
        shown = offsets[period].astype(np.float64)
        if self.gts_input == "first_step":
            shown *= np.diff(period, prepend=-1) > 0
        return Stream(shown, spikes, np.ones(len(spikes), dtype=bool), period)


@dataclass(frozen=True)
class PFG(PaperTask):
    """Periodic function generation: no input; the target is a function with the period F at every step.

    The targets are the paper's formulae of a cosine, a triangle and a rectangle (PAPER.md 4).
    """

    name = "pfg"
    has_dense_targets = True
    waveforms = WAVEFORMS
    fewest_offsets = 0
    allowed_readings: ClassVar[dict[str, tuple[int, ...] | tuple[str, ...]]] = {
        "first_spike_later": (0,),
        "gts_input": ("throughout",),
    }

    waveform: str = "cos"
    tolerance: float = 0.3

    def check_parameters(self) -> None:
        """See `Task`."""
        if self.offsets:
            raise ConfigurationError("task.offsets", list(self.offsets), "none for the task pfg")
        super().check_parameters()
        check_whole("task.first_phase", self.first_phase, 0, self.min_interval - 1)

    def stream_of(self, offsets: np.ndarray) -> Stream:
        """See `Task`."""
        steps = self.min_interval * len(offsets)
        targets = np.tile(self.waveform_targets(), len(offsets))
        period, _ = spans(np.full(len(offsets), self.min_interval))
        return Stream(np.zeros(steps), targets, np.ones(steps, dtype=bool), period)

    def waveform_targets(self) -> np.ndarray:
        """One period of the function, targets in [0, 1] of the steps 1 to F (PAPER.md 4), shape [F], float64.

        The first step has the target f(first_phase) (a reading, PAPER.md 4).
        """
        f = self.min_interval
        m = (np.arange(f) + self.first_phase) % f
        values: np.ndarray = _FUNCTIONS[self.waveform](m, f)
        return values

    @property
    def output_activation(self) -> str:
        """See `Task`; the paper's is the identity."""
        return "identity"

    @property
    def interval_key(self) -> str:
        """See `Task`."""
        return "task.period"


PAPER_TASKS: tuple[type[PaperTask], ...] = (NMSD, MSD, GTS, PFG)  # in the order of `native/population.hpp`
TASKS = tuple(kind.name for kind in PAPER_TASKS)
